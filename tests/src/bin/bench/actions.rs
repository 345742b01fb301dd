//! What a journalled action adds: a plugin with 0, 1 and 2 requests to a fast service on this machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use chatplug_tests::{Host, guest};

use super::usage::Usage;
use super::{load, started, wait_until_done};

const EVENTS: usize = 10_000;
const WARM: usize = 1_000;

/// Measures each number of actions in a host of its own.
pub(crate) fn measure() -> anyhow::Result<()> {
    let service = TcpListener::bind("127.0.0.1:0")?;
    let address = service.local_addr()?;
    std::thread::spawn(move || serve(&service));
    for actions in 0..=2 {
        let config = format!(
            "[connections.hook]\nkind = \"generic\"\nbase_url = \"http://{address}\"\nallow_private = true\nconcurrency = 256\nrate = 10000\n\
             [plugin.poster]\nevents = [\"incoming_event\"]\ngrants = [\"http:hook\"]\n\
             settings = {{ posts = {actions} }}\n"
        );
        let host = started(Host::prepared(&config, &[guest("guest_poster")]));
        host.wait_for_plugin("poster", "active");
        let load = load(&host, 400);
        load.run(0..WARM)?;
        wait_until_done(&host)?;
        let usage = Usage::begin(host.pid());
        load.run(WARM..WARM + EVENTS)?;
        wait_until_done(&host)?;
        println!("a plugin with {actions} journalled actions: {}", usage.per(EVENTS));
    }
    Ok(())
}

/// A service that answers at once.
fn serve(service: &TcpListener) {
    for stream in service.incoming().flatten() {
        std::thread::spawn(move || converse(stream));
    }
}

/// Answers the requests of a connection until it ends.
fn converse(mut stream: TcpStream) -> Option<()> {
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
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
            .ok()?;
    }
}
