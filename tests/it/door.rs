//! The webhook door and the store behind it, without a host around them: time is what a test says.

use std::sync::Arc;

use chatplug::event::types;
use chatplug::livechat::webhook::{Door, Secrets, Us, Webhook};
use chatplug::store::{EventFilter, EventView, NewWebhook, Opened, Reader, Route, Routes, Store};
use chatplug_tests::SECRET;
use secrecy::SecretString;
use tempfile::TempDir;

/// When the first webhook comes, milliseconds since 1970.
pub(crate) const NOON_MS: i64 = 1_780_315_200_000;

/// A door with its store.
pub(crate) struct Desk {
    pub(crate) store: Store,
    pub(crate) door: Door,
    routes: Arc<Routes>,
    opened: Opened,
    folder: TempDir,
}

impl Desk {
    /// Every event type goes to each of these plugins; with it, whether it also gets its own events.
    pub(crate) fn with(plugins: &[(&str, bool)]) -> Desk {
        let routes = plugins
            .iter()
            .map(|(name, own_events)| Route { plugin: Arc::from(*name), own_events: *own_events });
        let routes: Vec<Route> = routes.collect();
        let all = types::PLATFORM.iter().chain([&types::CHAT_RATED]);
        let folder = tempfile::tempdir().expect("a folder for the test");
        let opened = Store::open(folder.path()).expect("a store");
        let door = Door {
            secrets: Secrets::new([SecretString::from(SECRET)]),
            organization: None,
            us: Us::default(),
            json_depth: 64,
        };
        let routes = Arc::new(all.map(|name| ((*name).to_owned(), routes.clone())).collect());
        Desk { store: opened.store.clone(), door, routes, opened, folder }
    }

    /// Takes a webhook, as many milliseconds after noon.
    pub(crate) async fn take(&self, body: impl AsRef<[u8]>, after_noon_ms: i64) {
        let now_ms = NOON_MS + after_noon_ms;
        let webhook = self.door.receive(body.as_ref(), None, now_ms).expect("it is taken");
        let Webhook { events, rating, .. } = webhook;
        let accepted = self.store.accept(NewWebhook { events, rating }, self.routes.clone(), now_ms);
        accepted.await.expect("it is stored");
    }

    /// The numbers of the deliveries that were handed to the dispatcher since this was asked last.
    pub(crate) async fn handed_on(&mut self, count: usize) -> Vec<i64> {
        let mut all = Vec::new();
        while all.len() < count {
            let batch = self.opened.committed.next().await.expect("the store is open");
            all.extend(batch.iter().map(|pending| pending.id.0));
        }
        all
    }

    /// All stored events, the oldest first.
    pub(crate) fn events(&self) -> Vec<EventView> {
        let reader = Reader::open(self.folder.path()).expect("a reader").expect("a store");
        let filter = EventFilter { limit: 10_000, ..EventFilter::default() };
        let mut events = reader.events(&filter).expect("the events");
        events.reverse();
        events
    }
}
