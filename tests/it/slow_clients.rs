//! Clients that send slowly, without end, or nothing: each is told off or closed in time, and LiveChat's webhooks come through
//! beside them, however many there are.

use std::time::{Duration, Instant};

use chatplug_tests::{Host, PATIENCE, guest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{accept, message};

const HEAD: &str = "POST /webhooks/livechat HTTP/1.1\r\nhost: x\r\n";
/// What the door gives a client for a request's head, for its body, and between requests.
const CLIENT_TIME: Duration = Duration::from_secs(10);

/// Sends something.
async fn connect(host: &Host, sent: &str) -> TcpStream {
    let mut stream = TcpStream::connect(host.address()).await.expect("a connection");
    stream.write_all(sent.as_bytes()).await.expect("it is sent");
    stream
}

/// All that is answered until the host closes the connection, while something more is sent each so often.
async fn answer(host: &Host, sent: &str, more: &str, pause: Duration) -> String {
    let (mut reader, mut writer) = connect(host, sent).await.into_split();
    let more = more.to_owned();
    let sending = tokio::spawn(async move {
        // Until the host has closed it.
        while !more.is_empty() && writer.write_all(more.as_bytes()).await.is_ok() {
            tokio::time::sleep(pause).await;
        }
        // The client waits for its answer.
        std::future::pending::<()>().await;
        drop(writer);
    });
    let mut text = Vec::new();
    let read = tokio::time::timeout(PATIENCE, reader.read_to_end(&mut text)).await;
    sending.abort();
    // A connection that is closed while more comes is reset, behind what was answered.
    let _ = read.expect("the host closes the connection");
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_too_long_is_told_so_and_closed() {
    let host = Host::start("", &[]);
    let began = Instant::now();
    let half = format!("{HEAD}content-length: 100\r\n\r\n{{");
    let chunked = format!("{HEAD}transfer-encoding: chunked\r\n\r\n");
    let (often, at_once) = (Duration::from_millis(500), Duration::ZERO);
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    let [stalls, drips, drips_chunks, floods, nothing, no_head, drips_head] = [
        (half.as_str(), "", often),
        (&half, "x", often),
        (&chunked, "1\r\nx\r\n", often),
        (&chunked, &chunk, at_once),
        ("", "", often),
        (HEAD, "", often),
        (HEAD, "a: b\r\n", often),
    ]
    .map(|(sent, more, pause)| answer(&host, sent, more, pause));
    let told = tokio::join!(stalls, drips, drips_chunks, floods, nothing, no_head, drips_head);
    for slow in [&told.0, &told.1, &told.2] {
        assert!(slow.starts_with("HTTP/1.1 408 ") && slow.contains("too-slow"), "{slow}");
    }
    // What is sent behind the answer may have lost it on its way.
    assert!(told.3.is_empty() || told.3.starts_with("HTTP/1.1 413 "), "{}", told.3);
    for without_head in [&told.4, &told.5, &told.6] {
        assert!(!without_head.starts_with("HTTP/1.1 2"), "{without_head}");
    }
    assert!(began.elapsed() >= CLIENT_TIME, "each had its time");
    let ready = reqwest::get(host.url("/readyz")).await.expect("an answer").text().await.expect("text");
    assert!(ready.contains(r#""too-slow":{"#) && ready.contains(r#""too-large":{"#), "{ready}");
    accept(&host, message("C1", 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_come_through_beside_more_connections_than_there_is_room_for() {
    let config = "[plugin.recorder]\nevents = [\"incoming_event\"]\n";
    let mut host = Host::prepared(config, &[guest("guest_recorder")]).files_max(64);
    host.run();
    host.wait_for_plugin("recorder", "active");
    let began = Instant::now();
    let half = format!("{HEAD}content-length: 100\r\n\r\n{{");
    let mut open = Vec::new();
    for sent in ["", HEAD, &half] {
        for _ in 0..100 {
            open.push(connect(&host, sent).await);
        }
        accept(&host, message("C1", open.len())).await;
    }
    assert!(began.elapsed() < CLIENT_TIME, "none of them was closed because of its time");
    host.wait_until_done(3);
    let log = host.log();
    assert!(log.contains("connections are taken"), "{log}");
    assert!(!log.contains("cannot accept a connection"), "there is always a file descriptor left: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn short_webhooks_come_through_beside_long_ones_that_are_sent_slowly() {
    let host = Host::start("", &[]);
    let began = Instant::now();
    let long = format!("{HEAD}content-length: 1048576\r\n\r\n{{");
    let mut open = Vec::new();
    for _ in 0..100 {
        open.push(connect(&host, &long).await);
    }
    for number in 1..=5 {
        accept(&host, message("C1", number)).await;
    }
    assert!(began.elapsed() < CLIENT_TIME, "they waited until the long ones were given up");
}
