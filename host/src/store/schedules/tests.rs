use super::*;
use crate::delivery::State;
use crate::event::addressed;
use crate::schedule::Tick;
use crate::store::tests::{Bench, NOW_MS, PLUGIN};

fn place(done_to_ms: i64) -> Place {
    Place { rule: "every 30 s".to_owned(), done_to_ms }
}

impl Bench {
    async fn tick(&self, at_ms: i64) -> Option<Made> {
        let tick = Tick { at_ms, missed: 0, caught_up: false };
        let name = (PLUGIN.into(), "poll".to_owned());
        let event = addressed::schedule("poll", &tick);
        self.store().tick(name, place(at_ms), event, at_ms).await.expect("the store answers")
    }
}

#[tokio::test]
async fn one_run_at_a_time_and_a_time_in_between_is_left_out() {
    let mut bench = Bench::new();
    let first = bench.tick(NOW_MS).await.expect("nothing is unfinished");
    assert_eq!(bench.tick(NOW_MS + 30_000).await, None);
    bench.close();
    bench.open();
    assert_eq!(bench.tick(NOW_MS + 60_000).await, None, "nor after a restart");
    let places = bench.store().schedule_places().await.expect("an answer");
    assert_eq!(places[&(PLUGIN.into(), "poll".to_owned())], place(NOW_MS + 60_000), "it went on");
    bench.finish(first.delivery.0, State::Dead, NOW_MS + 61_000).await;
    assert!(bench.tick(NOW_MS + 90_000).await.is_some());
    assert_eq!(bench.number("SELECT count(*) FROM events WHERE type = 'schedule'"), 2);
    let sql = "SELECT count(*) FROM deliveries WHERE plugin = 'recorder' AND lane = 'schedule/poll'";
    assert_eq!(bench.number(sql), 2);
}

#[tokio::test]
async fn a_command_is_stored_with_who_gave_it() {
    let bench = Bench::new();
    let deed = DeedOfOperator {
        who: "cli:ada".to_owned(),
        action: "plugins.command",
        subject: PLUGIN.to_owned(),
        before: None,
        after: None,
    };
    let event = addressed::command("report", &serde_json::Map::new());
    let made = bench.store().command(PLUGIN.into(), event, deed, NOW_MS).await.expect("it is stored");
    assert_eq!((made.event.0, made.delivery.0), (1, 1));
    let sql = "SELECT count(*) FROM audit WHERE who = 'cli:ada' AND action = 'plugins.command'";
    assert_eq!(bench.number(sql), 1);
}
