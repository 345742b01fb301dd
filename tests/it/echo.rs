//! A service that shows in its answers what it was asked, credentials included.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a request may take to come.
const PATIENCE: Duration = Duration::from_secs(10);
const REQUEST_BYTES_MAX: usize = 1 << 20;

/// The service. It answers `/fails` with 500 and `/livechat` as LiveChat refuses something; all else with 200.
pub(crate) struct Echo {
    /// `http://ADDRESS`
    pub(crate) url: String,
    told: Arc<Mutex<String>>,
}

impl Echo {
    pub(crate) fn start() -> Echo {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let told = Arc::new(Mutex::new(String::new()));
        let notes = told.clone();
        // Both end with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let notes = notes.clone();
                std::thread::spawn(move || answer(stream, &notes));
            }
        });
        Echo { url, told }
    }

    /// The URL of a service that isn't there any more.
    pub(crate) fn gone() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        format!("http://{}", listener.local_addr().expect("an address"))
    }

    /// Whether it was told a text, as it is or in base 64.
    pub(crate) fn was_told(&self, text: &str) -> bool {
        self.told.lock().expect("no panic").contains(text)
    }
}

/// Reads one request and answers it with what it said.
fn answer(mut stream: TcpStream, told: &Mutex<String>) {
    let Some(request) = read(&mut stream) else { return };
    let decoded = decoded_basic(&request).unwrap_or_default();
    told.lock().expect("no panic").push_str(&format!("{request}\n{decoded}\n"));
    let line = request.lines().next().unwrap_or_default();
    let path = line.split(' ').nth(1).unwrap_or_default();
    let shown: Vec<String> = request.lines().map(|line| format!("{line:?}")).collect();
    let list = format!("[{}]", shown.join(","));
    let (status, body) = match path {
        _ if path.starts_with("/fails") => ("500 Oh", format!("{{\"echo\":{list},\"of\":{decoded:?}}}")),
        _ if path.contains("get_chat") => {
            ("200 OK", format!("{{\"id\":\"C\",\"echo\":{list},\"thread\":{{\"id\":\"T\"}}}}"))
        }
        _ if path.starts_with("/livechat") => {
            let message = format!("{request:?}");
            ("400 Oh", format!("{{\"error\":{{\"type\":\"validation\",\"message\":{message}}}}}"))
        }
        _ => ("200 OK", format!("{{\"echo\":{list},\"path\":{path:?}}}")),
    };
    let echo = request.lines().find(|line| line.contains("canary")).unwrap_or("none").to_owned();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nX-Echo: {echo}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    // Whoever has gone doesn't need it.
    let _ = stream.write_all(answer.as_bytes());
}

fn read(stream: &mut TcpStream) -> Option<String> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        match stream.read(&mut part) {
            Ok(count) if count > 0 && bytes.len() < REQUEST_BYTES_MAX => {
                bytes.extend_from_slice(&part[..count])
            }
            _ => return None,
        }
    }
}

/// What stands behind `Basic`, decoded.
fn decoded_basic(request: &str) -> Option<String> {
    let (_, rest) = request.split_once("Basic ")?;
    let digit = |c: u8| match c {
        b'A'..=b'Z' => Some(c - b'A'),
        b'a'..=b'z' => Some(c - b'a' + 26),
        b'0'..=b'9' => Some(c - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits: Vec<u8> = rest.bytes().map_while(digit).collect();
    let bytes = digits.chunks(4).flat_map(|four| {
        let bits =
            four.iter().fold(0_u32, |sum, digit| sum << 6 | u32::from(*digit)) << (6 * (4 - four.len()));
        bits.to_be_bytes()[1..four.len()].to_vec()
    });
    String::from_utf8(bytes.collect()).ok()
}
