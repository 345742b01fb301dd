//! The header that says who we are. A token that ends by itself is issued anew in time, and once more if LiveChat refuses it
//! before that.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use reqwest::header::HeaderValue;
use secrecy::SecretString;
use tokio::sync::Mutex;

use super::credentials::{Credentials, Issuer, bearer_header, region_of};
use crate::action::{Code, Error};
use crate::egress::secret::Known;

mod desk;
#[cfg(test)]
mod tests;

pub(super) use desk::Desk;

/// After a failure nobody asks for a token for so long: a wrong secret is not tried with each call.
const PAUSE: Duration = Duration::from_secs(10);

/// Tells the time, as time since any moment before.
type Clock = Box<dyn Fn() -> Duration + Send + Sync>;

/// Tokens of one set of credentials.
pub(super) struct Tokens {
    credentials: Credentials,
    desk: Desk,
    clock: Clock,
    state: Mutex<State>,
    known: ArcSwap<Known>,
}

#[derive(Default)]
struct State {
    issued: Option<Issued>,
    failed: Option<Failed>,
}

struct Issued {
    token: SecretString,
    /// How often a token was issued before.
    number: u64,
    /// By the clock.
    good_until: Duration,
}

/// No token could be had.
struct Failed {
    /// When one is asked for again, by the clock.
    until: Duration,
    error: Error,
}

/// A header, the data centre that its token names, and the number of the token in it.
pub(super) struct Header {
    pub(super) value: HeaderValue,
    pub(super) region: Option<String>,
    number: u64,
}

impl Tokens {
    pub(super) fn new(credentials: Credentials, desk: Desk, clock: Clock) -> Tokens {
        let known = ArcSwap::from_pointee(credentials.known(None));
        Tokens { credentials, desk, clock, state: Mutex::default(), known }
    }

    pub(super) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// What LiveChat knows of us and must not tell a plugin.
    pub(super) fn known(&self) -> Arc<Known> {
        self.known.load_full()
    }

    /// The header for a request that begins now. Whoever comes while a token is being issued waits for that one.
    pub(super) async fn header(&self) -> Result<Header, Error> {
        let Some(issuer) = self.credentials.issuer() else {
            let value = self.credentials.header().expect("it was checked when the client was made");
            return Ok(Header { value, region: None, number: 0 });
        };
        let mut state = self.state.lock().await;
        let now = (self.clock)();
        let number = match &state.issued {
            Some(issued) if now < issued.good_until => return issued.header(),
            Some(issued) => issued.number + 1,
            None => 1,
        };
        if let Some(failed) = state.failed.as_ref().filter(|failed| now < failed.until) {
            return Err(failed.error(now));
        }
        let issued = match self.issue(issuer, number, now).await {
            Ok(issued) => issued,
            Err(error) => {
                state.failed = Some(Failed::new(error.clone(), (self.clock)()));
                return Err(error);
            }
        };
        self.known.store(Arc::new(self.credentials.known(Some(&issued.token))));
        let header = issued.header();
        *state = State { issued: Some(issued), failed: None };
        header
    }

    /// LiveChat refused a header: whether another one can be had. Where several calls were refused with one token, it is
    /// issued anew once.
    pub(super) async fn refused(&self, header: &Header) -> bool {
        if self.credentials.issuer().is_none() {
            return false;
        }
        let mut state = self.state.lock().await;
        if let Some(issued) = &mut state.issued
            && issued.number == header.number
        {
            issued.good_until = Duration::ZERO;
        }
        true
    }

    async fn issue(&self, issuer: Issuer<'_>, number: u64, now: Duration) -> Result<Issued, Error> {
        let issued = self.desk.issue(issuer, &self.credentials.known(None)).await?;
        tracing::info!(number, for_s = issued.kept.as_secs(), "LiveChat issued a token");
        Ok(Issued { token: issued.token, number, good_until: now + issued.kept })
    }
}

impl Issued {
    fn header(&self) -> Result<Header, Error> {
        let value =
            bearer_header(&self.token).map_err(|error| Error::new(Code::Credentials, error.to_string()))?;
        let region = region_of(&self.token).map(str::to_owned);
        Ok(Header { value, region, number: self.number })
    }
}

impl Failed {
    fn new(error: Error, now: Duration) -> Failed {
        let wait = error.retry_after_ms.map_or(PAUSE, |ms| Duration::from_millis(ms).max(PAUSE));
        Failed { until: now + wait, error }
    }

    /// The error for somebody who comes later; of a wait that was asked for, what is left.
    fn error(&self, now: Duration) -> Error {
        let left = self.until.saturating_sub(now).as_millis() as u64;
        Error { retry_after_ms: self.error.retry_after_ms.map(|_| left), ..self.error.clone() }
    }
}
