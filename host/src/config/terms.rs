use super::table::Table;
use crate::destination::Terms;

/// What an operator may set `rate` to, requests a second.
const RATE: std::ops::RangeInclusive<f64> = 0.01..=10_000.0;

/// Reads how much a destination may be asked.
pub(super) fn read(table: &mut Table<'_>, default: Terms) -> Terms {
    let concurrency = table.take("concurrency").and_then(|item| item.integer(1..=1_024));
    let rate = table.take("rate").and_then(|item| item.number(RATE));
    Terms {
        // Lossless: the range ends below what `usize` can hold.
        concurrency: concurrency.map_or(default.concurrency, |number| number as usize),
        rate: rate.unwrap_or(default.rate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, DEFAULT};

    const CONNECTIONS: &str = "[connections.a]\nkind = \"slack\"\nurl = { env = \"U\" }\n\
                               [connections.b]\nkind = \"generic\"\nbase_url = \"http://b\"\n";

    fn parse(text: &str) -> Result<Config, String> {
        let env = |_: &str| Some("https://a.example/b".to_owned());
        Config::parse(text, "chatplug.toml", &env).map_err(|problems| problems.to_string())
    }

    fn check(text: &str, problem: &str) {
        assert_eq!(parse(text).map(|_| ()), Err(format!("chatplug.toml:{problem}")), "{text}");
    }

    #[test]
    fn each_kind_of_service_has_its_defaults() {
        let config = parse(CONNECTIONS).expect("a config");
        assert_eq!(config.livechat.terms, parse(DEFAULT).expect("a config").livechat.terms);
        let terms: Vec<Terms> = config.connections.iter().map(|connection| connection.terms).collect();
        assert_eq!(terms, [Terms { concurrency: 4, rate: 1.0 }, Terms { concurrency: 16, rate: 50.0 }]);
    }

    #[test]
    fn an_operator_sets_them_with_or_without_decimals() {
        let set = "concurrency = 1\nrate = 0.5\n";
        let config = parse(&format!("{CONNECTIONS}{set}[livechat]\nrate = 3\n")).expect("a config");
        assert_eq!(config.connections[1].terms, Terms { concurrency: 1, rate: 0.5 });
        assert_eq!(config.livechat.terms, Terms { rate: 3.0, ..parse("").expect("a config").livechat.terms });
        let before = parse(CONNECTIONS).expect("a config");
        assert_eq!(
            before.differences(&config),
            [
                "`livechat.rate` changed",
                "`connections.b.concurrency` changed",
                "`connections.b.rate` changed",
            ]
        );
    }

    #[test]
    fn what_is_no_limit_is_refused() {
        check("[livechat]\nconcurrency = 0\n", "2:15: `livechat.concurrency` must be from 1 to 1024");
        check("[livechat]\nrate = 0\n", "2:8: `livechat.rate` must be from 0.01 to 10000");
        check("[livechat]\nrate = nan\n", "2:8: `livechat.rate` must be from 0.01 to 10000");
        check("[livechat]\nrate = -1.5\n", "2:8: `livechat.rate` must be from 0.01 to 10000");
        check("[livechat]\nrate = \"5\"\n", "2:8: `livechat.rate` must be a number, not a text");
    }
}
