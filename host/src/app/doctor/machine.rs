//! The machine: whether a host runs, and the disk.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::cli::doctor::{Finding, Kind};
use crate::cli::link::running_at;
use crate::store::{self, Disk};

/// A disk that takes longer to sync is slow for each webhook.
const SYNC_SLOW: Duration = Duration::from_millis(50);
/// As in the alert rules: less is left of the disk.
const DISK_LOW: f64 = 0.1;

pub(super) fn look(data_dir: Option<&Path>) -> Vec<Finding> {
    let Some(folder) = data_dir else {
        let why = "[data] of the config can't be read, which says where the data folder is";
        return vec![Finding::skipped("host", why), Finding::skipped("disk", why)];
    };
    let mut findings = vec![of_host(folder, running_at(folder))];
    if folder.exists() {
        findings.push(of_room(folder, store::disk(folder)));
        findings.push(of_sync(folder, store::try_sync(folder)));
    } else {
        findings.push(no_folder(folder));
    }
    findings
}

fn of_host(folder: &Path, came: anyhow::Result<Option<SocketAddr>>) -> Finding {
    let tried = format!("the lock of the data folder {}", folder.display());
    match came {
        Ok(Some(_)) => Finding::ok("host", tried, "a host runs with it"),
        Ok(None) => Finding::ok("host", tried, "no host runs with it").but(
            Kind::NoHost,
            "webhooks are refused by the network until it is started; LiveChat tries each three times more within about a minute",
            "start it: `chatplug serve`, or the service",
        ),
        Err(error) => Finding::ok("host", tried, format!("{error:#}")).but(
            Kind::HostUnknown,
            "it can't be told whether a host runs",
            "run this as the host's own user; if a host is just starting, run it again",
        ),
    }
}

fn no_folder(folder: &Path) -> Finding {
    let tried = format!("the data folder {}", folder.display());
    Finding::ok("disk", tried, "it is not there").but(
        Kind::NoDataFolder,
        "no host has run with this config yet",
        "start the host; if one has run, compare [data] dir with that of its config",
    )
}

fn unusable(folder: &Path, what: &str, error: &io::Error) -> Finding {
    Finding::ok("disk", format!("{what} {}", folder.display()), error.to_string()).but(
        Kind::DiskUnusable,
        "the host can't write there either, if this is its user",
        "let the host's user own the data folder, and run this as that user",
    )
}

fn of_room(folder: &Path, came: io::Result<Disk>) -> Finding {
    let disk = match came {
        Ok(disk) => disk,
        Err(error) => return unusable(folder, "the room on the disk of", &error),
    };
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    let came = format!("{:.1} of {:.1} GiB are free", gib(disk.free), gib(disk.size));
    let finding = Finding::ok("disk", format!("the disk of {}", folder.display()), came);
    if (disk.free as f64) >= disk.size as f64 * DISK_LOW {
        return finding;
    }
    finding.but(
        Kind::DiskLow,
        "a full disk has webhooks answered 503 until there is room again",
        "make room, or keep less: [retention] in the config",
    )
}

fn of_sync(folder: &Path, came: io::Result<Duration>) -> Finding {
    let took = match came {
        Ok(took) => took,
        Err(error) => return unusable(folder, "a sync of 4 KiB in", &error),
    };
    let tried = format!("a sync of 4 KiB in {}", folder.display());
    let finding = Finding::ok("disk", tried, format!("{:.1} ms", took.as_secs_f64() * 1e3));
    if took <= SYNC_SLOW {
        return finding;
    }
    finding.but(
        Kind::SyncSlow,
        "each webhook waits for such a sync: under load they are answered slowly",
        "put the data folder on a local SSD, not on a network's file system",
    )
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const FOLDER: &str = "/var/lib/chatplug";
    const GIB: u64 = 1 << 30;

    pub(in crate::app::doctor) fn provoked() -> Vec<Finding> {
        let folder = Path::new(FOLDER);
        let denied = || io::Error::new(io::ErrorKind::PermissionDenied, "Permission denied");
        vec![
            of_host(folder, Ok(None)),
            of_host(folder, Err(anyhow::anyhow!(denied()).context("cannot lock the data folder"))),
            no_folder(folder),
            of_room(folder, Err(denied())),
            of_room(folder, Ok(Disk { free: 9 * GIB, size: 100 * GIB })),
            of_sync(folder, Err(denied())),
            of_sync(folder, Ok(Duration::from_millis(51))),
        ]
    }

    #[test]
    fn a_machine_that_is_well_has_no_findings() {
        let folder = Path::new(FOLDER);
        let address = "127.0.0.1:1".parse().expect("an address");
        for well in [
            of_host(folder, Ok(Some(address))),
            of_room(folder, Ok(Disk { free: 10 * GIB, size: 100 * GIB })),
            of_sync(folder, Ok(Duration::from_millis(50))),
        ] {
            assert_eq!(well.kind, None, "{well:?}");
        }
    }

    #[test]
    fn a_folder_and_what_is_no_folder_are_looked_at() {
        let kinds = |folder: Option<&Path>| look(folder).iter().map(|found| found.kind).collect::<Vec<_>>();
        assert_eq!(kinds(None), [Some(Kind::NotLookedAt); 2]);
        let folder = tempfile::tempdir().expect("a folder");
        let absent = folder.path().join("absent");
        assert_eq!(kinds(Some(&absent)), [Some(Kind::NoHost), Some(Kind::NoDataFolder)]);
        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("it can be written");
        let found = kinds(Some(&file));
        assert_eq!(found[0], Some(Kind::HostUnknown), "nothing can be locked in a file");
        assert_eq!(found[2], Some(Kind::DiskUnusable), "and nothing be written");
    }
}
