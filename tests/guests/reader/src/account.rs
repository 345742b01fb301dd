use chatplug_sdk::objects::{GroupMembership, RoutingStatus};
use chatplug_sdk::payload::{
    AccessRule, AgentRef, AgentSaved, BotDeleted, BotSaved, GroupDeleted, GroupSaved, TagDeleted, TagSaved,
};

use super::line::{Line, Shown};

impl Shown for AgentSaved {
    fn show(&self, line: Line) -> Line {
        let work = &self.work_scheduler;
        line.with("id", &self.id)
            .maybe("name", self.name.as_ref())
            .maybe("role", self.role.as_ref())
            .maybe("awaits", self.awaiting_approval)
            .list("groups", groups(self.groups.as_deref()))
            .maybe("title", self.job_title.as_ref())
            .maybe("chats", self.max_chats_count)
            .list("told", self.notifications.iter().flatten())
            .list("mails", self.email_subscriptions.iter().flatten())
            .maybe("monday", work["schedule"][0]["start"].as_str().or(work["monday"]["start"].as_str()))
    }
}

impl Shown for AgentRef {
    fn show(&self, line: Line) -> Line {
        line.with("id", &self.id)
    }
}

impl Shown for BotSaved {
    fn show(&self, line: Line) -> Line {
        line.with("id", &self.id)
            .maybe("name", self.name.as_ref())
            .maybe("priority", self.default_group_priority.as_ref())
            .list("groups", groups(self.groups.as_deref()))
            .maybe("app", self.owner_client_id.as_ref())
    }
}

impl Shown for BotDeleted {
    fn show(&self, line: Line) -> Line {
        line.with("id", &self.id)
    }
}

impl Shown for GroupSaved {
    fn show(&self, line: Line) -> Line {
        let agents = self.agent_priorities.iter().flatten();
        line.with("id", self.id)
            .maybe("name", self.name.as_ref())
            .maybe("language", self.language_code.as_ref())
            .list("agents", agents.map(|(id, priority)| format!("{id}:{priority}")))
    }
}

impl Shown for GroupDeleted {
    fn show(&self, line: Line) -> Line {
        line.with("id", self.id)
    }
}

impl Shown for TagSaved {
    fn show(&self, line: Line) -> Line {
        line.with("name", &self.name)
            .list("groups", self.group_ids.iter().flatten())
            .maybe("at", self.created_at.as_ref())
            .maybe("by", self.author_id.as_ref())
    }
}

impl Shown for TagDeleted {
    fn show(&self, line: Line) -> Line {
        line.with("name", &self.name)
    }
}

impl Shown for Vec<AccessRule> {
    fn show(&self, line: Line) -> Line {
        self.iter().fold(line, |line, rule| {
            line.with("id", &rule.id)
                .with("change", &rule.change)
                .with("next", &rule.next_id)
                .maybe("for", rule.description.as_ref())
                .list("groups", rule.access.iter().flat_map(|access| &access.groups))
                .maybe("url", rule.conditions["url"]["values"][0]["value"].as_str())
        })
    }
}

impl Shown for RoutingStatus {
    fn show(&self, line: Line) -> Line {
        line.with("id", &self.agent_id).with("status", format!("{:?}", self.status))
    }
}

fn groups(groups: Option<&[GroupMembership]>) -> impl Iterator<Item = String> {
    let shown = |group: &GroupMembership| {
        let priority = group.priority.as_deref().unwrap_or_default();
        format!("{}:{priority}", group.id)
    };
    groups.into_iter().flatten().map(shown)
}
