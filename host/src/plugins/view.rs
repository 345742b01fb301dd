//! A plugin as operators are shown it, with its versions.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::registry::Marks;
use crate::store::{KnownVersion, PluginStatus};

/// A plugin with its versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginView {
    /// What the host says of it; one for each of its files.
    pub files: Vec<PluginStatus>,
    /// Its versions, the ones that one can go back to first.
    pub versions: Vec<VersionView>,
}

/// A version of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionView {
    /// Its content hash.
    pub version: String,
    /// The manifest's text for it.
    pub release: String,
    /// When it became active last, RFC 3339.
    pub active_at: Option<String>,
    /// Whether its probation is behind it.
    pub is_proved: bool,
    /// How often it failed on probation where the older one didn't.
    pub strikes: u32,
    /// Why it was taken back, if it was.
    pub rolled_back: Option<String>,
    /// Whether one can go back to it: it was good, and its component is kept.
    pub is_kept: bool,
    /// What it asks for.
    pub asks: Vec<String>,
}

/// A plugin with its versions; `None` if there is nothing of it.
pub fn view(name: &str, statuses: Vec<PluginStatus>, known: Vec<KnownVersion>) -> Option<PluginView> {
    let files: Vec<PluginStatus> =
        statuses.into_iter().filter(|status| status.name.as_deref() == Some(name)).collect();
    let marks = Marks::new(known.into_iter().filter(|known| known.name.plugin == name).collect());
    let kept = marks.kept();
    let of = |known: &KnownVersion| {
        let at = known.active_at_ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        VersionView {
            version: known.name.hash.clone(),
            release: known.name.release.clone(),
            active_at: at.map(|at| at.to_string()),
            is_proved: known.is_proved,
            strikes: known.strikes,
            rolled_back: known.taken_back.as_ref().map(|taken_back| taken_back.why.clone()),
            is_kept: kept.contains(&known.name.hash),
            asks: known.name.asks.clone(),
        }
    };
    let good = marks.good(name);
    let others = marks.all(name).filter(|known| !good.iter().any(|one| one.name.hash == known.name.hash));
    let versions: Vec<VersionView> = good.iter().copied().chain(others).map(of).collect();
    (!files.is_empty() || !versions.is_empty()).then_some(PluginView { files, versions })
}
