//! Whether an event is still wanted, right before it runs.

use super::Dispatcher;
use crate::config::{self, ScheduleChange};
use crate::event::{Event, lane, types};
use crate::store::{self, Pending};

impl Dispatcher {
    /// Why an event is not to be delivered any more, if it isn't.
    pub(super) async fn unwanted(
        &self,
        pending: &Pending,
        plugin: &config::Plugin,
        event: &Event,
    ) -> Result<Option<&'static str>, store::Error> {
        if !types::is_addressed(&event.event_type) {
            let is_on = plugin.events.contains(&event.event_type);
            return Ok((!is_on).then_some("the event type was switched off"));
        }
        if event.event_type == types::TIMER {
            let is_withdrawn = self.store.is_withdrawn(pending.id).await?;
            return Ok(is_withdrawn.then_some("the timer was taken back, or set anew"));
        }
        let schedule = pending.lane.as_deref().and_then(lane::schedule);
        let is_off = schedule.is_some_and(|name| plugin.schedules.get(name) == Some(&ScheduleChange::Off));
        Ok(is_off.then_some("the schedule was switched off"))
    }
}
