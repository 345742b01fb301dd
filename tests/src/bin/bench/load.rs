//! A load generator that costs little: prepared bytes over plain sockets.

use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chatplug_tests::SECRET;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Where webhooks go, and how.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) connections: usize,
    /// The size of a body.
    pub(crate) bytes: usize,
}

/// How it went.
pub(crate) struct Report {
    count: usize,
    took: Duration,
    latencies: Vec<Duration>,
}

impl Load {
    /// Posts one message webhook for each number, all of them different; fails on any answer but 200.
    pub(crate) async fn run(self, numbers: Range<usize>) -> anyhow::Result<Report> {
        let next = Arc::new(AtomicUsize::new(numbers.start));
        let began = Instant::now();
        let mut clients = JoinSet::new();
        for _ in 0..self.connections {
            clients.spawn(self.client(next.clone(), numbers.end));
        }
        let mut latencies = Vec::with_capacity(numbers.len());
        while let Some(client) = clients.join_next().await {
            latencies.extend(client??);
        }
        latencies.sort_unstable();
        Ok(Report { count: numbers.len(), took: began.elapsed(), latencies })
    }

    async fn client(self, next: Arc<AtomicUsize>, end: usize) -> anyhow::Result<Vec<Duration>> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (mut latencies, mut answer) = (Vec::new(), vec![0; 4096]);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= end {
                return Ok(latencies);
            }
            let request = self.request(number);
            let began = Instant::now();
            stream.write_all(&request).await?;
            read_answer(&mut stream, &mut answer).await?;
            latencies.push(began.elapsed());
        }
    }

    fn request(&self, number: usize) -> Vec<u8> {
        let chat = format!("CH{:06}", number % 5_000);
        let mut body = format!(
            r#"{{"webhook_id":"wh_1","secret_key":"{SECRET}","action":"incoming_event","organization_id":"org-1","payload":{{"chat_id":"{chat}","thread_id":"{chat}T","event":{{"id":"{chat}T_{number}","type":"message","created_at":"2026-06-01T12:00:03.512000Z","visibility":"all","author_id":"b7eff798-f8df-4364-8059-649c35c9ed0c","text":""#
        );
        const END: &str = r#""}},"additional_data":{}}"#;
        let padding = self.bytes.saturating_sub(body.len() + END.len());
        body.extend(std::iter::repeat_n('x', padding));
        body.push_str(END);
        let head = format!(
            "POST /webhooks/livechat HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        [head.into_bytes(), body.into_bytes()].concat()
    }
}

/// Reads one answer; its body is short and of a known length.
async fn read_answer(stream: &mut TcpStream, buffer: &mut [u8]) -> anyhow::Result<()> {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            bail!("the host closed the connection");
        }
        filled += read;
        let text = std::str::from_utf8(&buffer[..filled]).context("the answer is text")?;
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            if !head.starts_with("HTTP/1.1 200") {
                bail!("the host answered {text}");
            }
            if body.ends_with('}') {
                return Ok(());
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.count as f64 / self.took.as_secs_f64();
        let at = |share: f64| {
            let index = (self.latencies.len() as f64 * share) as usize;
            self.latencies.get(index).copied().unwrap_or_default().as_secs_f64() * 1e3
        };
        write!(f, "{rate:.0}/s, p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms", at(0.5), at(0.99), at(0.999))
    }
}
