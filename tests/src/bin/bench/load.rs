//! A load generator that costs little: one thread, prepared bytes, plain sockets, each with one request under way.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::io::{ErrorKind, Read, Write};
use std::net::{self, SocketAddr};
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chatplug_tests::SECRET;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

/// How many chats the messages belong to.
pub(crate) const CHATS: usize = 5_000;

/// Where webhooks go, and how.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) connections: usize,
    /// The size of a body.
    pub(crate) bytes: usize,
    /// Webhooks in a second; without it as many as the host takes.
    pub(crate) pace: Option<f64>,
}

/// How it went.
pub(crate) struct Report {
    /// When the first webhook was due.
    pub(crate) began: Instant,
    count: usize,
    took: Duration,
    latencies: Vec<Duration>,
}

/// One connection.
struct Client {
    stream: TcpStream,
    /// When the request under way was sent or, with a pace, should have been.
    began: Instant,
    answer: Vec<u8>,
}

impl Load {
    /// Posts one message webhook for each number, all of them different; fails on any answer but 200.
    pub(crate) fn run(self, numbers: Range<usize>) -> anyhow::Result<Report> {
        let mut poll = Poll::new()?;
        let mut clients = self.connect(&poll)?;
        let mut free: VecDeque<usize> = (0..clients.len()).collect();
        let mut request = Request::new(self.bytes);
        let mut ready = Events::with_capacity(clients.len());
        let mut report = Report::new(numbers.len());
        let (began, mut next) = (report.began, numbers.start);
        while report.latencies.len() < numbers.len() {
            while next < numbers.end
                && self.is_due(began, next - numbers.start)
                && let Some(index) = free.pop_front()
            {
                let client = &mut clients[index];
                client.began = self.due(began, next - numbers.start);
                client
                    .stream
                    .write_all(request.of(next))
                    .context("the request does not fit into the socket")?;
                next += 1;
            }
            let until = self.pace.map(|_| self.due(began, next - numbers.start));
            poll.poll(&mut ready, until.map(|until| until.saturating_duration_since(Instant::now())))?;
            for event in &ready {
                let Token(index) = event.token();
                if clients[index].has_answer()? {
                    report.latencies.push(clients[index].began.elapsed());
                    free.push_back(index);
                }
            }
        }
        report.took = began.elapsed();
        report.latencies.sort_unstable();
        Ok(report)
    }

    fn connect(&self, poll: &Poll) -> anyhow::Result<Vec<Client>> {
        let client = |index: usize| -> anyhow::Result<Client> {
            let stream = net::TcpStream::connect(self.address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(index), Interest::READABLE)?;
            Ok(Client { stream, began: Instant::now(), answer: Vec::with_capacity(1024) })
        };
        (0..self.connections).map(client).collect()
    }

    fn due(&self, began: Instant, count: usize) -> Instant {
        self.pace.map_or_else(Instant::now, |pace| began + due_after(count, pace))
    }

    fn is_due(&self, began: Instant, count: usize) -> bool {
        self.pace.is_none() || self.due(began, count) <= Instant::now()
    }
}

/// When a webhook is due after the first one, with so many before it, at so many in a second.
pub(crate) fn due_after(count: usize, per_second: f64) -> Duration {
    Duration::from_secs_f64(count as f64 / per_second)
}

impl Client {
    /// Whether the whole answer is there; its body is short and JSON.
    fn has_answer(&mut self) -> anyhow::Result<bool> {
        let mut buffer = [0; 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => bail!("the host closed the connection"),
            Ok(read) => self.answer.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        if !self.answer.ends_with(b"}") {
            return Ok(false);
        }
        if !self.answer.starts_with(b"HTTP/1.1 200") {
            bail!("the host answered {}", String::from_utf8_lossy(&self.answer));
        }
        self.answer.clear();
        Ok(true)
    }
}

/// The bytes of a request, of which only the numbers change.
struct Request {
    text: String,
    bytes: usize,
    body: String,
}

impl Request {
    fn new(bytes: usize) -> Request {
        Request { text: String::new(), bytes, body: String::new() }
    }

    fn of(&mut self, number: usize) -> &[u8] {
        const HEAD: &str =
            "POST /webhooks/livechat HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n";
        const END: &str = r#""}},"additional_data":{}}"#;
        let chat = number % CHATS;
        self.body.clear();
        self.text.clear();
        // Writing to a string can't fail.
        let _ = write!(
            self.body,
            r#"{{"webhook_id":"wh_1","secret_key":"{SECRET}","action":"incoming_event","organization_id":"org-1","payload":{{"chat_id":"CH{chat:06}","thread_id":"CH{chat:06}T","event":{{"id":"CH{chat:06}T_{number}","type":"message","created_at":"2026-06-01T12:00:03.512000Z","visibility":"all","author_id":"b7eff798-f8df-4364-8059-649c35c9ed0c","text":""#
        );
        let padding = self.bytes.saturating_sub(self.body.len() + END.len());
        self.body.extend(std::iter::repeat_n('x', padding));
        self.body.push_str(END);
        let _ = write!(self.text, "{HEAD}content-length: {}\r\n\r\n{}", self.body.len(), self.body);
        self.text.as_bytes()
    }
}

impl Report {
    fn new(count: usize) -> Report {
        Report { began: Instant::now(), count, took: Duration::ZERO, latencies: Vec::with_capacity(count) }
    }

    /// As if what was posted later had been posted with it.
    pub(crate) fn append(&mut self, later: Report) {
        self.count += later.count;
        self.took += later.took;
        self.latencies.extend(later.latencies);
        self.latencies.sort_unstable();
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.count as f64 / self.took.as_secs_f64();
        let at = |share: f64| {
            let index = (self.latencies.len() as f64 * share) as usize;
            self.latencies.get(index).copied().unwrap_or_default().as_secs_f64() * 1e3
        };
        let most = self.latencies.last().copied().unwrap_or_default().as_secs_f64() * 1e3;
        write!(
            f,
            "{rate:.0}/s, p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, at most {most:.2} ms",
            at(0.5),
            at(0.99),
            at(0.999)
        )
    }
}
