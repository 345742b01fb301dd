//! `reports`: see `wit/reports.wit`.

use crate::action::livechat::{Call, Report};
use crate::runtime::bindings::contract::reports::{self, Error};
use crate::runtime::guest::Guest;

type Answer = wasmtime::Result<Result<String, Error>>;

impl Guest {
    async fn report(&mut self, report: Report, query: String) -> Answer {
        self.livechat(Call::Report { report, query }, None).await
    }
}

impl reports::Host for Guest {
    async fn total_chats(&mut self, query: String) -> Answer {
        self.report(Report::TotalChats, query).await
    }

    async fn ratings(&mut self, query: String) -> Answer {
        self.report(Report::Ratings, query).await
    }

    async fn ranking(&mut self, query: String) -> Answer {
        self.report(Report::Ranking, query).await
    }

    async fn first_response_time(&mut self, query: String) -> Answer {
        self.report(Report::FirstResponseTime, query).await
    }

    async fn response_time(&mut self, query: String) -> Answer {
        self.report(Report::ResponseTime, query).await
    }

    async fn duration(&mut self, query: String) -> Answer {
        self.report(Report::Duration, query).await
    }

    async fn tags(&mut self, query: String) -> Answer {
        self.report(Report::Tags, query).await
    }

    async fn engagement(&mut self, query: String) -> Answer {
        self.report(Report::Engagement, query).await
    }

    async fn groups(&mut self, query: String) -> Answer {
        self.report(Report::Groups, query).await
    }

    async fn queued(&mut self, query: String) -> Answer {
        self.report(Report::Queued, query).await
    }

    async fn availability(&mut self, query: String) -> Answer {
        self.report(Report::Availability, query).await
    }

    async fn performance(&mut self, query: String) -> Answer {
        self.report(Report::Performance, query).await
    }

    async fn visitors(&mut self, query: String) -> Answer {
        self.report(Report::Visitors, query).await
    }
}
