//! A service on this machine that answers each request at once, and knows when it was asked what.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A running service. Runs until the bench ends.
pub(crate) struct Service {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A request.
pub(crate) struct Asked {
    pub(crate) at: Instant,
    pub(crate) body: Vec<u8>,
}

impl Service {
    pub(crate) fn start() -> anyhow::Result<Service> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let service = Service { address: listener.local_addr()?, asked: Arc::default() };
        let asked = service.asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let asked = asked.clone();
                std::thread::spawn(move || converse(stream, &asked));
            }
        });
        Ok(service)
    }

    /// The config of the plugin `poster`, which changes its memory and posts to this service so many times for each event, over
    /// a connection whose caps are out of the way.
    pub(crate) fn poster(&self, changes: u32, posts: u32) -> String {
        format!(
            "[connections.hook]\nkind = \"generic\"\nbase_url = \"http://{}\"\nallow_private = true\n\
             concurrency = 256\nrate = 10000\n\
             [plugin.poster]\nevents = [\"incoming_event\"]\ngrants = [\"http:hook\"]\n\
             settings = {{ changes = {changes}, posts = {posts} }}\n",
            self.address
        )
    }

    /// What it was asked since this was called last.
    pub(crate) fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Answers the requests of a connection until it ends.
fn converse(mut stream: TcpStream, asked: &Mutex<Vec<Asked>>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(600))).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        asked.lock().unwrap_or_else(PoisonError::into_inner).push(Asked { at: Instant::now(), body });
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
            .ok()?;
    }
}
