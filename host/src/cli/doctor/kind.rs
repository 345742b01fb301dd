//! All that the doctor can find that is not well: one list, with the word by which scripts know it.

use serde::{Serialize, Serializer};

use super::Grade;

/// Declares the kinds, and that [`Kind::ALL`] has each of them.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $grade:ident $id:literal,)+) => {
        /// What can be found that is not well. A test provokes each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $($(#[$doc])* $kind,)+
        }

        impl Kind {
            /// Each of them.
            pub const ALL: &[Kind] = &[$(Kind::$kind),+];

            /// The word for it, which stays the same.
            pub fn id(self) -> &'static str {
                match self {
                    $(Kind::$kind => $id,)+
                }
            }

            /// How bad it is.
            pub fn grade(self) -> Grade {
                match self {
                    $(Kind::$kind => Grade::$grade,)+
                }
            }
        }
    };
}

kinds! {
    /// Something can't be looked at; the text says why.
    NotLookedAt = Skipped "not-looked-at",
    /// The config is refused.
    ConfigRefused = Problem "config-refused",
    /// White space in a credential.
    WhiteSpace = Problem "white-space",
    /// An e-mail address where the account's id belongs.
    AccountIdEmail = Problem "account-id-email",
    /// The config is taken, and something in it will not work as somebody might expect.
    ConfigWarning = Warning "config-warning",
    /// There is no secret that a webhook could prove itself with.
    NoWebhookSecret = Problem "no-webhook-secret",
    /// No host runs.
    NoHost = Warning "no-host",
    /// It can't be told whether a host runs.
    HostUnknown = Problem "host-unknown",
    /// There is no data folder.
    NoDataFolder = Warning "no-data-folder",
    /// The data folder or its disk can't be used.
    DiskUnusable = Problem "disk-unusable",
    /// Little room is left.
    DiskLow = Warning "disk-low",
    /// A sync takes long.
    SyncSlow = Warning "sync-slow",
    /// LiveChat doesn't answer, or not well.
    Unreachable = Problem "livechat-unreachable",
    /// LiveChat puts calls off.
    RateLimited = Warning "livechat-rate-limited",
    /// The account is in another data centre.
    Misdirected = Problem "livechat-misdirected",
    /// LiveChat has no version 3.6 there.
    UnsupportedVersion = Problem "livechat-unsupported-version",
    /// Somebody answers who isn't LiveChat.
    NotLivechat = Problem "not-livechat",
    /// The config has no credentials for the API.
    NoCredentials = Warning "no-credentials",
    /// No request can be made with the credentials.
    CredentialsUnusable = Problem "credentials-unusable",
    /// The licence's number where the account's id belongs.
    AccountIdNumber = Problem "account-id-number",
    /// A token that looks like a personal access token would be sent as Bearer.
    TokenAsBearer = Problem "token-as-bearer",
    /// The older API's login is no e-mail address.
    LoginNoEmail = Problem "login-no-email",
    /// The older API's key is an e-mail address.
    KeyIsEmail = Problem "key-is-email",
    /// LiveChat doesn't take the credentials.
    CredentialsRefused = Problem "credentials-refused",
    /// LiveChat named another data centre than the one that was asked.
    RegionLearnt = Warning "region-learnt",
    /// The clocks differ.
    ClockOff = Problem "clock-off",
    /// The account's time zone isn't set.
    TimeZoneUnset = Warning "time-zone-unset",
    /// The time zone is none of those in which agents work.
    TimeZoneDiffers = Warning "time-zone-differs",
    /// Reports are refused.
    ReportsRefused = Warning "reports-refused",
    /// Reports can't be read.
    ReportsUnreadable = Warning "reports-unreadable",
    /// Archives are refused.
    ArchivesRefused = Warning "archives-refused",
    /// Archives can't be read.
    ArchivesUnreadable = Warning "archives-unreadable",
    /// Archives are empty, and the reports count chats.
    ArchivesEmpty = Warning "archives-empty",
    /// Archives are empty, and there are chats just outside of the days.
    ArchivesBeside = Warning "archives-beside",
    /// Archives are empty, and nothing tells whether they should be.
    ArchivesUnknown = Warning "archives-unknown",
    /// It isn't known whose webhooks to look for.
    NoClientId = Warning "no-client-id",
    /// The list of webhooks is refused.
    WebhooksRefused = Warning "webhooks-refused",
    /// The list of webhooks can't be read.
    WebhooksUnreadable = Warning "webhooks-unreadable",
    /// No webhook is registered for the app.
    NoneRegistered = Problem "webhooks-none",
    /// The app's webhooks go to several URLs, and nobody said which one is this host's.
    SeveralUrls = Warning "webhooks-several-urls",
    /// What the plugins need goes to another URL.
    UrlChanged = Problem "webhooks-url-changed",
    /// What the plugins need goes nowhere.
    WebhooksMissing = Problem "webhooks-missing",
    /// What the plugins need comes without all data.
    WebhooksPartial = Problem "webhooks-partial",
    /// What the plugins need can't be registered.
    WebhooksImpossible = Problem "webhooks-impossible",
    /// Webhooks are switched off.
    WebhooksOff = Problem "webhooks-off",
    /// It can't be seen whether webhooks are switched on.
    WebhooksStateUnknown = Warning "webhooks-state-unknown",
    /// Nobody answers at the URL.
    WayNoAnswer = Problem "way-no-answer",
    /// The URL has no TLS.
    WayNoTls = Warning "way-no-tls",
    /// The URL leads elsewhere.
    WayRedirected = Problem "way-redirected",
    /// Somebody answers at the URL, but not the host.
    WayNotTheHost = Problem "way-not-the-host",
    /// A proxy answers at the URL, and doesn't reach the host.
    WayProxyAlone = Problem "way-proxy-alone",
    /// What answers at the URL is unlike a host.
    WayStrange = Problem "way-strange",
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}
