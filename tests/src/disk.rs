//! A disk that fails when it is told to, and power cuts: a library (`tests/disk/faulty_disk.c`) that is loaded into
//! the host stands between it and the files of its store.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::{Host, SECRET, built};

/// The file that each store has.
const DATABASE: &str = "chatplug.db";
/// The files of a store.
const FILES: [&str; 3] = [DATABASE, "chatplug.db-wal", "chatplug.db-journal"];
/// What a disk writes in one piece.
const SECTOR: usize = 512;

/// How a disk fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is no room.
    Full,
    /// It can't write.
    Write,
    /// It can't say that what it wrote will last.
    Sync,
}

/// What is left after a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// What was synced.
    Synced,
    /// Of what was not synced, sectors here and there.
    Torn,
}

/// The disk under a host.
pub struct Disk {
    folder: TempDir,
    data: PathBuf,
    /// What random choices are drawn from.
    random: u64,
}

impl Disk {
    /// Puts a disk under a host that doesn't run yet.
    pub fn under(host: Host, seed: u64) -> (Host, Disk) {
        let folder = tempfile::tempdir().expect("a folder for the disk");
        let disk = Disk { folder, data: host.data(), random: seed };
        fs::create_dir(disk.shadow()).expect("the folder of what is synced");
        let host = disk
            .env()
            .into_iter()
            .fold(host, |host, (name, path)| host.env(name, path.to_str().expect("the path is text")));
        (host, disk)
    }

    /// The environment of a process that has this disk under it.
    pub fn env(&self) -> [(&'static str, PathBuf); 4] {
        [
            ("LD_PRELOAD", built("CHATPLUG_DISK")),
            ("DISK_FOLDER", self.data.clone()),
            ("DISK_CONTROL", self.control()),
            ("DISK_SHADOW", self.shadow()),
        ]
    }

    fn control(&self) -> PathBuf {
        self.folder.path().join("control")
    }

    fn shadow(&self) -> PathBuf {
        self.folder.path().join("synced")
    }

    /// Lets the disk fail from now on.
    pub fn fail(&self, fault: Fault) {
        let text = match fault {
            Fault::Full => "ENOSPC write",
            Fault::Write => "EIO write",
            Fault::Sync => "EIO fsync",
        };
        self.tell(text);
    }

    /// Sets the machine's clock for the host, in the place of a fault: from now on it shows so many seconds more than this
    /// machine's.
    pub fn set_clock(&self, seconds: i64) {
        self.tell(&format!("clock {seconds}"));
    }

    fn tell(&self, text: &str) {
        let unfinished = self.folder.path().join("control.part");
        fs::write(&unfinished, text)
            .and_then(|()| fs::rename(&unfinished, self.control()))
            .expect("the disk can be told");
    }

    /// Lets it work again.
    pub fn heal(&self) {
        fs::remove_file(self.control()).expect("the disk can be told");
    }

    /// Puts the files of the store back to what a disk shows after a power cut. The host was killed.
    ///
    /// # Panics
    /// If a file was written past the library: a cut would change nothing, and so prove nothing.
    pub fn cut_power(&mut self, left: Left) {
        // Shared memory is no file that lasts.
        let _ = fs::remove_file(self.data.join("chatplug.db-shm"));
        for name in FILES {
            let (path, synced) = (self.data.join(name), self.shadow().join(name));
            let is_there = name == DATABASE || path.exists();
            if !is_there && !synced.exists() {
                continue;
            }
            let lasting = fs::read(&synced)
                .unwrap_or_else(|error| panic!("nobody noted what is synced of {}: {error}", path.display()));
            let bytes = match left {
                Left::Synced => lasting,
                Left::Torn => self.torn(&lasting, &fs::read(&path).unwrap_or_default()),
            };
            fs::write(&path, bytes).expect("the file can be put back");
            // The next host begins with what it finds.
            fs::remove_file(&synced).expect("the folder of what is synced can be emptied");
        }
    }

    fn torn(&mut self, synced: &[u8], written: &[u8]) -> Vec<u8> {
        let size = if self.draw(2) == 0 { synced.len() } else { written.len() };
        let mut bytes = vec![0; size];
        for at in (0..size).step_by(SECTOR) {
            let source = if self.draw(2) == 0 { synced } else { written };
            let end = (at + SECTOR).min(source.len()).min(size);
            if at < end {
                bytes[at..end].copy_from_slice(&source[at..end]);
            }
        }
        bytes
    }

    /// A random number below `limit` (splitmix64).
    pub fn draw(&mut self, limit: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// Posts the webhook of a message of a chat; answers the whole HTTP response, or nothing if there was none.
pub fn post_message(address: SocketAddr, chat: &str) -> Option<String> {
    let event = json!({
        "id": format!("{chat}_1"), "type": "message", "created_at": "2026-06-01T12:00:03.512000Z",
        "visibility": "all", "author_id": "b7eff798-f8df-4364-8059-649c35c9ed0c", "text": "x".repeat(300),
    });
    let body = json!({
        "webhook_id": "wh_1", "secret_key": SECRET, "action": "incoming_event", "organization_id": "org-1",
        "payload": { "chat_id": chat, "thread_id": format!("{chat}T"), "event": event }, "additional_data": {},
    })
    .to_string();
    let head = format!(
        "POST /webhooks/livechat HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    stream.write_all((head + &body).as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// Whether a response says that the webhook is stored.
pub fn is_accepted(response: &str) -> bool {
    response.starts_with("HTTP/1.1 200 ")
}
