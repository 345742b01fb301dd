//! The account: whether it takes the credentials, in which data centre it is, and whether figures can be read.

use secrecy::ExposeSecret;

use super::identity::Identity;
use super::{figures, reach};
use crate::action::{Code, Error};
use crate::app::services::{self, Way};
use crate::cli::doctor::{Finding, Kind};
use crate::config::{Api, Livechat};

const WHAT: &str = "credentials";

/// Looks; answers the way to LiveChat, if it takes the credentials.
pub(super) async fn look(livechat: &Livechat, is_reached: bool, findings: &mut Vec<Finding>) -> Option<Way> {
    findings.extend(form(livechat));
    let way = match services::reading(livechat) {
        Ok(Some(way)) => way,
        Ok(None) => {
            findings.push(none(livechat.api));
            return None;
        }
        Err(error) => {
            let tried = "to make a request with them".to_owned();
            findings.push(reach::no_client(WHAT, tried, &error.to_string()));
            return None;
        }
    };
    let region = Region::of(&way);
    let checked = way.check_credentials().await;
    let is_taken = checked.is_ok();
    findings.push(of_check(livechat, is_reached, checked));
    if is_taken {
        findings.extend(figures::look(livechat, &way).await);
    }
    findings.push(region.after(&way).await);
    is_taken.then_some(way)
}

fn none(api: Api) -> Finding {
    let (tried, todo) = match api {
        Api::V36 => (
            "livechat.token, bot and oauth",
            "make a personal access token in the Developer Console and write where it is under [livechat]",
        ),
        Api::V2 => (
            "livechat.login and livechat.api_key",
            "write the e-mail address of the account's owner, and where their API key is, under [livechat]",
        ),
    };
    let means = "webhooks come in and run plugins, but no plugin can do anything in LiveChat";
    Finding::ok(WHAT, tried, "there are none").but(Kind::NoCredentials, means, todo)
}

/// What the credentials themselves look like, before anybody is asked. An e-mail address for an account's id, and white
/// space in any of them, the config refuses.
fn form(livechat: &Livechat) -> Vec<Finding> {
    match livechat.api {
        Api::V36 => of_token(livechat).into_iter().collect(),
        Api::V2 => of_login(livechat),
    }
}

fn formed(came: &str) -> Finding {
    Finding::ok(WHAT, "their form", came)
}

fn of_token(livechat: &Livechat) -> Option<Finding> {
    let token = livechat.token.as_ref()?.expose_secret();
    match &livechat.account_id {
        Some(id) if id.chars().all(|c| c.is_ascii_digit()) => {
            Some(formed("livechat.account_id is a number").but(
                Kind::AccountIdNumber,
                "that is the number of the licence, which no personal access token goes with",
                "copy the account id (a UUID) that the Developer Console shows beside the token",
            ))
        }
        None if ["dal:", "fra:", "dal%3A", "fra%3A", "ey"].iter().all(|start| !token.starts_with(start)) => {
            let came = "without livechat.account_id the token is sent as Bearer, and it looks like neither an OAuth token \
                        (dal:…, fra:…) nor that of a bot";
            Some(formed(came).but(
                Kind::TokenAsBearer,
                "a personal access token that is sent as Bearer is refused",
                "write livechat.account_id, the UUID that the Developer Console shows beside the token",
            ))
        }
        _ => None,
    }
}

fn of_login(livechat: &Livechat) -> Vec<Finding> {
    let mut findings = Vec::new();
    if livechat.login.as_ref().is_some_and(|login| !login.contains('@')) {
        findings.push(formed("livechat.login is no e-mail address").but(
            Kind::LoginNoEmail,
            "the older API knows people by their e-mail address, not by an account's id or a licence's number",
            "write the e-mail address with which the account's owner signs in",
        ));
    }
    if livechat.api_key.as_ref().is_some_and(|key| key.expose_secret().contains('@')) {
        findings.push(formed("livechat.api_key is, or holds, an e-mail address").but(
            Kind::KeyIsEmail,
            "login and key are sent as a pair that the host makes: the key alone belongs there",
            "put the key itself where livechat.api_key points, without the address and a colon in front of it",
        ));
    }
    findings
}

/// What came of asking whether LiveChat takes the credentials.
fn of_check(livechat: &Livechat, is_reached: bool, checked: Result<(), Error>) -> Finding {
    let tried = format!("to list agents at {}", livechat.base_url);
    match checked {
        Ok(()) => Finding::ok(WHAT, tried, "LiveChat takes them"),
        Err(Error { code: Code::Credentials | Code::Denied, message, .. }) => {
            let (means, todo) = Identity::of(livechat).refused();
            Finding::ok(WHAT, tried, message).but(Kind::CredentialsRefused, means, todo)
        }
        Err(error) if error.code == Code::Unavailable && !is_reached => {
            Finding::skipped(WHAT, "LiveChat can't be reached, whoever asks; see above")
        }
        Err(error) => reach::unwell(WHAT, tried, &error),
    }
}

/// The data centre that calls go to, as far as it was known before the first.
enum Region {
    Named(Option<String>),
    Older,
}

impl Region {
    fn of(way: &Way) -> Region {
        match way {
            Way::Current(client) => Region::Named(client.region()),
            Way::Older(_) => Region::Older,
        }
    }

    /// What the calls that were made since then have shown.
    async fn after(self, way: &Way) -> Finding {
        match (self, way) {
            (Region::Named(before), Way::Current(client)) => {
                let after = client.region();
                let of_token = if after.is_none() { client.region_of_token().await } else { None };
                of_region(before, after, of_token)
            }
            _ => Finding::skipped("region", "the older API has no call that names the data centre"),
        }
    }
}

fn of_region(before: Option<String>, after: Option<String>, of_token: Option<String>) -> Finding {
    let tried = "the data centre that calls go to";
    match (before, after, of_token) {
        (before, Some(after), _) if before.as_ref() != Some(&after) => {
            let asked =
                before.map_or_else(|| "named none".to_owned(), |before| format!("went to `{before}`"));
            let came = format!(
                "the first call {asked}, and LiveChat answered `misdirected_request`: `{after}` has the account, and the \
                 calls after it went there"
            );
            Finding::ok("region", tried, came).but(
                Kind::RegionLearnt,
                "the host finds it out by itself, but anew after each start, and asks twice for it",
                format!("write region = \"{after}\" under [livechat]"),
            )
        }
        (_, Some(region), _) => {
            Finding::ok("region", tried, format!("`{region}`, as the config or the token in it says"))
        }
        (_, None, Some(region)) => {
            Finding::ok("region", tried, format!("`{region}`, as the token says that was issued"))
        }
        (_, None, None) => {
            Finding::ok("region", tried, "they name none, and LiveChat sends them nowhere else")
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::Config;

    const ID: &str = "account_id = \"3f2504e0-4f89-11d3-9a0c-0305e82c3301\"";
    const TOKEN: &str = "token = { env = \"SECRET\" }";
    const OLDER: &str = "api = \"v2\"\nlogin = \"ana@example.com\"\napi_key = { env = \"SECRET\" }";
    const OAUTH: &str = "client_id = \"app\"\n\
                         oauth = { client_secret = { env = \"SECRET\" }, refresh_token = { env = \"SECRET\" } }";
    const BOT: &str =
        "client_id = \"app\"\norganization = \"org\"\nbot = { id = \"b\", secret = { env = \"SECRET\" } }";

    /// The account of a config whose one secret is this.
    pub(in crate::app::doctor) fn account(lines: &str, secret: &str) -> Livechat {
        let env = |_: &str| Some(secret.to_owned());
        let text = format!("[livechat]\n{lines}\n");
        Config::parse(&text, "chatplug.toml", &env).expect("a config").livechat
    }

    fn pat() -> Livechat {
        account(&format!("{ID}\n{TOKEN}"), "s3cret")
    }

    pub(in crate::app::doctor) fn each_identity() -> [(Identity, Livechat); 5] {
        [
            (Identity::Pat, pat()),
            (Identity::Bearer, account(TOKEN, "dal:s3cret")),
            (Identity::OAuth, account(OAUTH, "s3cret")),
            (Identity::Bot, account(BOT, "s3cret")),
            (Identity::Older, account(OLDER, "s3cret")),
        ]
    }

    pub(in crate::app::doctor) fn provoked() -> Vec<Finding> {
        let mut all = vec![none(Api::V36), none(Api::V2)];
        for livechat in [
            account(&format!("account_id = \"1520\"\n{TOKEN}"), "s3cret"),
            account(TOKEN, "s3cret"),
            account(&OLDER.replace("ana@example.com", "1520"), "s3cret"),
            account(OLDER, "ana@example.com:s3cret"),
        ] {
            all.extend(form(&livechat));
        }
        let refused =
            || Err(Error::new(Code::Credentials, "list_agents on the account failed: LiveChat says no"));
        all.extend(each_identity().iter().map(|(_, livechat)| of_check(livechat, true, refused())));
        let some = |region: &str| Some(region.to_owned());
        all.extend([of_region(None, some("fra"), None), of_region(some("dal"), some("fra"), None)]);
        all
    }

    #[test]
    fn the_way_to_authenticate_is_that_of_the_config() {
        for (identity, livechat) in each_identity() {
            assert_eq!(Identity::of(&livechat), identity);
        }
    }

    #[test]
    fn good_credentials_have_no_findings_and_no_finding_shows_a_secret() {
        let bearers = ["dal:s3cret", "fra%3As3cret", "eyJhbGciOi.s3cret"].map(|token| account(TOKEN, token));
        for livechat in each_identity().into_iter().map(|(_, livechat)| livechat).chain(bearers) {
            assert!(form(&livechat).is_empty(), "{livechat:?}");
            assert_eq!(of_check(&livechat, true, Ok(())).kind, None);
        }
        assert!(!format!("{:?}", provoked()).contains("s3cret"));
    }

    #[test]
    fn what_is_no_refusal_of_the_credentials_is_told_as_what_it_is() {
        let check = |code, is_reached, expected| {
            let found = of_check(&pat(), is_reached, Err(Error::new(code, "no")));
            assert_eq!(found.kind, Some(expected), "{code:?}");
        };
        check(Code::Credentials, true, Kind::CredentialsRefused);
        check(Code::Denied, false, Kind::CredentialsRefused);
        check(Code::Unavailable, true, Kind::Unreachable);
        check(Code::Unavailable, false, Kind::NotLookedAt);
        check(Code::RateLimited, false, Kind::RateLimited);
        check(Code::Unsupported, true, Kind::UnsupportedVersion);
        check(Code::NotFound, true, Kind::NotLivechat);
        let misdirected = Error::new(Code::Other, "LiveChat says `misdirected_request`: not here");
        assert_eq!(of_check(&pat(), true, Err(misdirected)).kind, Some(Kind::Misdirected));
    }

    #[test]
    fn a_region_that_was_known_before_is_no_finding() {
        let some = |region: &str| Some(region.to_owned());
        let check = |before, after, of_token, expected: &str| {
            let found = of_region(before, after, of_token);
            assert!(found.kind.is_none() && found.came.contains(expected), "{found:?}");
        };
        check(some("fra"), some("fra"), None, "`fra`, as the config");
        check(None, None, some("dal"), "`dal`, as the token says");
        check(None, None, None, "they name none");
    }
}
