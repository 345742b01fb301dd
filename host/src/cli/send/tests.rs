use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

use super::*;

const BODY: &str = r#"{"action":"incoming_chat","payload":{}}"#;

/// A host that answers one request, and then says what it was sent.
fn host(answer: &'static str) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let start = head.len();
            reader.read_line(&mut head).unwrap();
            let line = head[start..].to_lowercase();
            length =
                line.strip_prefix("content-length: ").map_or(length, |text| text.trim().parse().unwrap());
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
        head + &String::from_utf8(body).unwrap()
    });
    (address, served)
}

async fn send(listen: SocketAddr, signed: bool, json: bool) -> (anyhow::Result<bool>, String) {
    send_file("body.json", listen, signed, json).await
}

async fn send_file(
    name: &str,
    listen: SocketAddr,
    signed: bool,
    json: bool,
) -> (anyhow::Result<bool>, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    std::fs::write(&file, BODY).unwrap();
    let text =
        format!("[server]\nlisten = \"{listen}\"\n[livechat.webhooks]\nsecrets = [{{ env = \"SECRET\" }}]");
    let config = Config::parse(&text, "chatplug.toml", &|_| Some("s3cret".into())).unwrap();
    let mut out = Vec::new();
    let result = run(&config, &SendArgs { file, url: None, signed }, json, &mut out).await;
    (result, String::from_utf8(out).unwrap())
}

#[tokio::test]
async fn a_body_goes_to_the_listen_address_with_the_secret() {
    let (address, served) = host("HTTP/1.1 200 OK\r\ncontent-length: 21\r\n\r\n{\"status\":\"received\"}");
    let (result, printed) = send(address, false, false).await;
    let sent = served.join().unwrap();
    assert!(result.unwrap());
    assert_eq!(printed, "200 OK: {\"status\":\"received\"}\n");
    assert!(sent.starts_with("POST /webhooks/livechat HTTP/1.1\r\n"), "{sent}");
    assert!(sent.ends_with(r#"{"action":"incoming_chat","payload":{},"secret_key":"s3cret"}"#), "{sent}");
}

#[tokio::test]
async fn a_signed_body_goes_out_unchanged() {
    let (address, served) = host("HTTP/1.1 403 Forbidden\r\ncontent-length: 5\r\n\r\n\u{1b}[2J\n");
    let (result, printed) = send(address, true, true).await;
    let sent = served.join().unwrap();
    assert!(!result.unwrap());
    let printed: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(printed, json!({ "status": 403, "answer": "\u{1b}[2J\n" }));
    assert!(sent.to_lowercase().contains("x-livechat-signature: "), "{sent}");
    assert!(sent.ends_with(BODY) && !sent.contains("s3cret"), "{sent}");
}

#[tokio::test]
async fn what_was_captured_with_a_signature_goes_out_with_one() {
    let (address, served) = host("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let name = "20260601T120000.000Z-000001-incoming_chat.signed.json";
    let (result, _) = send_file(name, address, false, false).await;
    let sent = served.join().unwrap();
    assert!(result.unwrap());
    assert!(sent.to_lowercase().contains("x-livechat-signature: ") && sent.ends_with(BODY), "{sent}");
}

#[tokio::test]
async fn nobody_listening_is_an_error_that_says_what_to_do() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (result, _) = send(address, false, false).await;
    let error = format!("{:#}", result.unwrap_err());
    assert!(error.contains("is `chatplug serve` running there?") && !error.contains("s3cret"), "{error}");
}

#[test]
fn an_unspecified_address_is_reached_on_loopback() {
    let url = |listen: &str| default_url(listen.parse().unwrap());
    assert_eq!(url("0.0.0.0:80").unwrap(), "http://127.0.0.1:80/webhooks/livechat");
    assert_eq!(url("[::]:8080").unwrap(), "http://[::1]:8080/webhooks/livechat");
    assert_eq!(url("10.0.0.7:8080").unwrap(), "http://10.0.0.7:8080/webhooks/livechat");
    assert!(url("127.0.0.1:0").is_err());
}
