use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;

/// Long for a machine that does nothing but fail.
const PATIENCE: Duration = Duration::from_secs(10);

/// A listener on every address of this machine that must not hear of anybody.
struct Trap {
    listener: TcpListener,
    port: u16,
}

impl Trap {
    fn new() -> Trap {
        // Where there is no IPv6, the addresses of IPv4 are all there is to connect to.
        let listener = TcpListener::bind("[::]:0").or_else(|_| TcpListener::bind("0.0.0.0:0"));
        let listener = listener.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        Trap { listener, port }
    }

    /// Whether somebody has connected. Connections are accepted in order: ours is the first if there was no other.
    fn is_silent(&self) -> bool {
        let ours = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("a connection");
        let (_, first) = self.listener.accept().expect("a connection");
        first.port() == ours.local_addr().expect("an address").port()
    }
}

/// A client whose names lead, each time they are looked up, to the next of these groups of addresses; counts.
fn leading_to(reach: Reach, groups: &[&[&str]]) -> (ClientBuilder, Arc<AtomicUsize>) {
    let parse = |address: &&str| SocketAddr::new(address.parse().expect("an address"), 0);
    let groups: Vec<Vec<SocketAddr>> = groups.iter().map(|group| group.iter().map(parse).collect()).collect();
    let (lookups, counted) =
        (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(groups.into_iter().cycle())));
    let count = lookups.clone();
    let lookup = move |_| -> Found {
        count.fetch_add(1, Ordering::Relaxed);
        let found = counted.lock().expect("no panic").next().expect("it goes on for ever");
        Box::pin(async move { Ok(found) })
    };
    (builder(reach, Arc::new(lookup)), lookups)
}

async fn failure(client: &Client, url: &str) -> String {
    let error = client.get(url).timeout(PATIENCE).send().await.expect_err(url);
    assert!(error.is_connect(), "{url}: {error:?}");
    cause(error)
}

/// Hosts of URLs that are this machine, or may be, in all the ways in which addresses are written.
pub(crate) const HOSTS: &[&str] = &[
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7F.1",
    "127.0.0.01",
    "127.000.000.001",
    "0x7f.0x0.0x0.0x1",
    "0",
    "0.0.0.0",
    "0x0",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::FFFF:7F00:0001]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1]",
    "%31%32%37.0.0.1",
    "127%2E0.0.1",
    // Full-width digits, ideographic full stops, circled digits
    "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
    "127\u{3002}0\u{3002}0\u{3002}1",
    "\u{2460}\u{2461}\u{2466}.0.0.1",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "evil.localhost",
    "\u{24db}ocalhost",
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "[fd00:ec2::254]",
];

#[test]
fn an_address_in_a_url_is_known_however_it_is_written() {
    for host in HOSTS {
        for userinfo in ["", "api.example.com@", "u:p@", "1.1.1.1:80@"] {
            let text = format!("http://{userinfo}{host}:80/");
            let Ok(url) = Url::parse(&text) else { panic!("{text} is a URL") };
            let refused = Reach::Public.check_url(&url).expect_err(&text);
            assert!(!refused.of_url().contains(host), "{text}");
        }
    }
    for url in
        ["https://api.hubapi.com", "https://1.1.1.1", "http://[2606:4700::1111]:8080", "http://localhosts"]
    {
        assert_eq!(Reach::Public.check_url(&Url::parse(url).expect(url)), Ok(()), "{url}");
    }
    let check = |url: &str| Reach::Private.check_url(&Url::parse(url).expect(url)).is_ok();
    assert!(check("http://127.0.0.1:9") && check("http://localhost") && check("http://[::ffff:10.0.0.1]"));
    assert!(!check("http://169.254.169.254") && !check("http://0:9") && !check("http://[fd00:ec2::254]"));
}

#[tokio::test]
async fn a_name_is_no_way_around() {
    let trap = Trap::new();
    for addresses in [
        &["127.0.0.1"][..],
        &["0.0.0.0"],
        &["::1"],
        &["::"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
        // The first would do: all have to.
        &["1.1.1.1", "127.0.0.1"],
        &["2606:4700::1111", "::1"],
        &["10.0.0.1"],
        &["169.254.169.254"],
    ] {
        let (builder, _) = leading_to(Reach::Public, &[addresses]);
        let client = builder.build().expect("a client");
        for name in
            ["rebind.example", "rebind.example.", "xn--n3h.example", "\u{2603}.example", "a_b.example"]
        {
            let url = format!("http://{name}:{}/", trap.port);
            let why = failure(&client, &url).await;
            assert!(why.contains("allow_private") || why.contains("no request goes"), "{url}: {why}");
        }
    }
    assert!(trap.is_silent());
}

#[tokio::test]
async fn the_clients_of_the_edges_ask_the_system_and_are_checked() {
    let trap = Trap::new();
    let url = format!("http://localhost:{}/", trap.port);
    let clients = Clients::new().expect("clients");
    for client in [clients.of(Reach::Public), &client(Reach::Public).expect("a client")] {
        let why = failure(client, &url).await;
        assert!(why.contains("a loopback address"), "{why}");
    }
    assert!(trap.is_silent());
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_the_second_time_is_caught_then() {
    let trap = Trap::new();
    let (builder, lookups) = leading_to(Reach::Public, &[&["1.1.1.1"], &["127.0.0.1"]]);
    // From a loopback address the system finds no way to a public one: nothing leaves this machine.
    let client = builder.local_address(IpAddr::from(Ipv4Addr::LOCALHOST)).build().expect("a client");
    let url = format!("http://rebind.example:{}/", trap.port);
    let why = failure(&client, &url).await;
    assert!(!why.contains("allow_private"), "the first time it is let through, and fails: {why}");
    assert_eq!(lookups.load(Ordering::Relaxed), 1, "what was checked is what is connected to");
    let why = failure(&client, &url).await;
    assert!(why.contains("127.0.0.1 is a loopback address"), "{why}");
    assert!(trap.is_silent());
}

#[tokio::test]
async fn a_private_service_is_reached_if_that_is_allowed_and_by_one_look_up() {
    let double = crate::double::Double::start([crate::double::Answer::text(200, "here")]).await;
    let port = Url::parse(&double.url).expect("a URL").port().expect("a port");
    let (builder, lookups) = leading_to(Reach::Private, &[&["127.0.0.1"], &["169.254.169.254"]]);
    let client = builder.pool_max_idle_per_host(0).build().expect("a client");
    let url = format!("http://inside.example:{port}/");
    let answer = client.get(&url).send().await.expect("an answer");
    assert_eq!((answer.status().as_u16(), lookups.load(Ordering::Relaxed)), (200, 1));
    drop(answer);
    let why = failure(&client, &url).await;
    assert!(why.contains("169.254.169.254 is a link-local address, where no request goes"), "{why}");
}
