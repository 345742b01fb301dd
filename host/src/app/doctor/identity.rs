//! As whom the config has LiveChat asked: what a refusal means and what to do about it depend on it.

use crate::config::{Api, Livechat};

/// A way to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// A personal access token, with the account's id.
    Pat,
    /// A token that somebody else has issued.
    Bearer,
    /// An app's access tokens, which the host has issued.
    OAuth,
    /// A bot's tokens, which the host has issued.
    Bot,
    /// E-mail address and key of the older API.
    Older,
}

impl Identity {
    /// That of the config, whether it is complete or not.
    pub(super) fn of(livechat: &Livechat) -> Identity {
        match livechat.api {
            Api::V2 => Identity::Older,
            Api::V36 if livechat.oauth.is_some() => Identity::OAuth,
            Api::V36 if livechat.bot.is_some() => Identity::Bot,
            Api::V36 if livechat.account_id.is_some() => Identity::Pat,
            Api::V36 => Identity::Bearer,
        }
    }

    /// What it means that LiveChat doesn't take the credentials, and what to do.
    pub(super) fn refused(self) -> (&'static str, &'static str) {
        match self {
            Identity::Pat => (
                "LiveChat does not take this token with this account id: one of the two is wrong, the token was revoked, its \
                 user is suspended, or the licence has expired",
                "see what LiveChat said; compare livechat.account_id and the token with the Developer Console, and make a new \
                 token if it is not listed there",
            ),
            Identity::Bearer => (
                "LiveChat does not take the token: it has expired (an app's is valid for eight hours, a bot's for a day), it \
                 was revoked, or it is a personal access token, which needs livechat.account_id beside it",
                "put a new one where livechat.token points; better, have the host get them itself, with livechat.oauth or \
                 livechat.bot",
            ),
            Identity::OAuth => (
                "LiveChat gives no access token for the app, or does not take the one that it gave: client id, secret or \
                 refresh token is wrong, the refresh token was revoked, or the app is no longer installed",
                "compare livechat.client_id and livechat.oauth with the app in the Developer Console, see that it is \
                 installed, and authorise it anew for another refresh token",
            ),
            Identity::Bot => (
                "LiveChat gives no token for the bot, or does not take the one that it gave: the bot was deleted, or its id, \
                 its secret, the app and the organization do not belong together",
                "compare livechat.bot, livechat.client_id and livechat.organization with what LiveChat showed when the bot \
                 was made; make another bot if its secret is lost",
            ),
            Identity::Older => (
                "LiveChat does not take the e-mail address with this key",
                "compare livechat.login and livechat.api_key with the account: the key is that of the same person, and was \
                 not revoked",
            ),
        }
    }

    /// How it gets a scope that it lacks.
    pub(super) fn needs(self, scope: &str) -> String {
        match self {
            Identity::Pat => format!(
                "give the token the scope {scope}: a token keeps the scopes that it was made with, so make a new one in the \
                 Developer Console"
            ),
            Identity::Bearer => format!("have a token issued with the scope {scope}"),
            Identity::OAuth => format!(
                "give the app the scope {scope} in the Developer Console, and authorise it anew for another refresh token"
            ),
            Identity::Bot => format!(
                "a bot's token has chats--access:rw, agents-bot--my:rw and customers:rw, and can't have {scope}: where this \
                 is needed, use a personal access token or livechat.oauth"
            ),
            Identity::Older => {
                "use e-mail address and API key of the account's owner: others may not read this".to_owned()
            }
        }
    }
}
