mod files;

use axum::body::Body;
use axum::http::Method;
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::config::Config;
use crate::delivery::DeliveryId;
use crate::destination::Terms;
use crate::destination::parking::Trial;
use crate::destinations::{self, LIVECHAT};
use crate::http::{Health, Meters, Reception, Webhooks};
use crate::livechat::webhook::{Door, Secrets, Us};
use crate::runtime::Services;
use crate::store::Opened;

const TOKEN: &str = "the-operators-token";
const READ_TOKEN: &str = "the-readers-token-0";
const LOCAL: &str = "127.0.0.1:50000";
const REMOTE: &str = "192.0.2.7:50000";
const WITH_TOKENS: &str =
    "token = { env = \"TOKEN\" }\nread_token = { env = \"READ\" }\nhosts = [\"ops.example.com\"]\n";

/// A store in a folder of its own, and a config.
struct Scene {
    store: Store,
    config: Arc<ArcSwap<Config>>,
    _folder: TempDir,
}

impl Scene {
    /// With these keys under `[operator]`.
    fn with(keys: &str) -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let env = |name: &str| Some(if name == "TOKEN" { TOKEN } else { READ_TOKEN }.to_owned());
        let text = format!("[operator]\n{keys}[plugin.p]\nevents = [\"incoming_chat\"]\n");
        let config = Config::parse(&text, folder.path().join("chatplug.toml"), &env).unwrap();
        let Opened { store, .. } = Store::open(folder.path()).unwrap();
        Scene { store, config: Arc::new(ArcSwap::from_pointee(config)), _folder: folder }
    }

    fn operator(&self) -> Arc<Operator> {
        let measures = Arc::new(Measures::new());
        let counter = || measures.counter("chatplug_ingest_requests_total", &[]);
        let meters = Meters {
            received: counter(),
            disk_full: counter(),
            store_failed: counter(),
            ack_seconds: measures.histogram("chatplug_ingest_ack_seconds"),
            known: counter(),
            flagged: counter(),
        };
        let door = Door { secrets: Secrets::new([]), organization: None, us: Us::default(), json_depth: 64 };
        let reception = Reception { door, routes: Arc::default(), body_bytes: 1 << 20 };
        let webhooks = Webhooks::new(self.store.clone(), reception, Arc::default(), meters, None);
        let health = Health::new(self.store.clone(), vec![("dispatcher", Arc::default())]);
        let doors = AppState { webhooks: Arc::new(webhooks), health: Arc::new(health) };
        let (store, config) = (self.store.clone(), self.config.clone());
        let path = self._folder.path().join("chatplug.toml");
        let plugins = Plugins::new(path, Some(store.clone()), Arc::default(), None);
        let recovery = Arc::new(Recovery {
            store: store.clone(),
            config: config.clone(),
            livechat: Services::none().livechat,
            reception: Box::new(Default::default),
            missed: Arc::default(),
            measures: measures.clone(),
            pause: Duration::ZERO,
            heartbeat: Arc::default(),
            looking: Default::default(),
            stop: Default::default(),
        });
        let shown = Shown {
            recovery,
            store,
            config,
            measures,
            destinations: destinations(),
            plugins,
            progress: Default::default(),
            doubts: Default::default(),
            kept: Box::new(|| vec![("actions of the last minute", 3)]),
        };
        Arc::new(Operator::new(shown, doors))
    }

    async fn ask(&self, asked: &Asked) -> (StatusCode, Value) {
        ask(self.operator(), asked).await
    }
}

/// The LiveChat API and one connection, which nobody asks.
fn destinations() -> Arc<Destinations> {
    let none = Services::none();
    let services = destinations::Services {
        livechat: none.livechat,
        connections: none.connections,
        probe: Box::new(|_| Box::pin(async { Trial::Works })),
        tally: Arc::default(),
        clock: Arc::new(|| Duration::ZERO),
        now_ms: Box::new(|| 0),
        patience: destinations::PATIENCE,
        wait_seconds: metrics::Histogram::noop(),
    };
    let terms = Terms { concurrency: 1, rate: 1.0 };
    let names = [LIVECHAT.to_owned(), destinations::connection("crm")];
    Arc::new(Destinations::new(services, names.map(|name| (name, terms))))
}

/// A request.
#[derive(Clone)]
struct Asked {
    method: Method,
    path: String,
    peer: &'static str,
    headers: Vec<(&'static str, String)>,
    body: &'static str,
}

impl Asked {
    fn new(method: &str, path: &str) -> Asked {
        let method = method.to_uppercase().parse().unwrap();
        let headers =
            vec![("host", "127.0.0.1:8081".to_owned()), ("content-type", "application/json".to_owned())];
        Asked { method, path: path.replace("{id}", "1"), peer: LOCAL, headers, body: "{}" }
    }

    fn with(mut self, name: &'static str, value: &str) -> Asked {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.to_owned()));
        self
    }

    fn without(mut self, name: &str) -> Asked {
        self.headers.retain(|(other, _)| *other != name);
        self
    }

    fn bearer(self, token: &str) -> Asked {
        self.with("authorization", &format!("Bearer {token}"))
    }

    fn from(self, peer: &'static str) -> Asked {
        Asked { peer, ..self }
    }

    fn is_change(&self) -> bool {
        self.method == Method::POST
    }
}

async fn ask(operator: Arc<Operator>, asked: &Asked) -> (StatusCode, Value) {
    let app = router(operator).layer(Extension(Peer(asked.peer.parse().unwrap())));
    let mut request = axum::http::Request::builder().method(asked.method.clone()).uri(&asked.path);
    for (name, value) in &asked.headers {
        request = request.header(*name, value);
    }
    let request = request.body(Body::from(asked.body)).unwrap();
    let response = TowerToHyperService::new(app).call(request).await.unwrap();
    assert_eq!(response.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// The code of the problem with which the guard refuses a request; `None` if it lets it through.
async fn refused(scene: &Scene, asked: &Asked) -> Option<String> {
    let (status, answer) = scene.ask(asked).await;
    let guards = [
        StatusCode::UNAUTHORIZED,
        StatusCode::FORBIDDEN,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    guards.contains(&status).then(|| answer["error"]["code"].as_str().unwrap_or("no code").to_owned())
}

async fn every_route(scene: &Scene, make: impl Fn(Asked) -> Asked, read: Option<&str>, change: Option<&str>) {
    for (method, path, _) in routes() {
        let asked = make(Asked::new(method, path));
        let expected = if asked.is_change() { change } else { read };
        assert_eq!(refused(scene, &asked).await.as_deref(), expected, "{method} {path} {:?}", asked.headers);
    }
}

#[tokio::test]
async fn with_tokens_every_route_needs_the_right_one() {
    let scene = Scene::with(WITH_TOKENS);
    let denied = Some("unauthorized");
    every_route(&scene, |asked| asked, denied, denied).await;
    every_route(&scene, |asked| asked.with("x-chatplug-client", "cli:anna"), denied, denied).await;
    every_route(&scene, |asked| asked.bearer("the-operators-tokem"), denied, denied).await;
    every_route(&scene, |asked| asked.bearer(""), denied, denied).await;
    every_route(&scene, |asked| asked.with("authorization", TOKEN), denied, denied).await;
    every_route(&scene, |asked| asked.bearer(READ_TOKEN), None, Some("read-only")).await;
    every_route(&scene, |asked| asked.bearer(TOKEN), None, None).await;
    every_route(&scene, |asked| asked.bearer(TOKEN).from(REMOTE), None, None).await;
    let plain = |asked: Asked| asked.bearer(TOKEN).with("content-type", "text/plain");
    every_route(&scene, plain, None, Some("no-json")).await;
}

#[tokio::test]
async fn without_a_token_this_machine_alone_is_let_in_and_a_change_says_who_makes_it() {
    let scene = Scene::with("");
    let client = |asked: Asked| asked.with("x-chatplug-client", "cli:anna");
    let denied = Some("unauthorized");
    every_route(&scene, |asked| asked, None, Some("no-client")).await;
    every_route(&scene, client, None, None).await;
    every_route(&scene, |asked| client(asked).from("[::ffff:127.0.0.1]:1"), None, None).await;
    every_route(&scene, |asked| client(asked).from(REMOTE), denied, denied).await;
    every_route(&scene, |asked| client(asked).with("x-forwarded-for", "192.0.2.7"), denied, denied).await;
    every_route(&scene, |asked| client(asked).bearer(TOKEN), denied, denied).await;
    let bare = |asked: Asked| client(asked).without("content-type");
    every_route(&scene, bare, None, Some("no-json")).await;
}

#[tokio::test]
async fn pages_of_other_sites_get_nothing_whatever_the_browser_adds() {
    let refused = Some("cross-site");
    for scene in [Scene::with(""), Scene::with(WITH_TOKENS)] {
        let token = if scene.config.load().operator.token.is_some() { Some(TOKEN) } else { None };
        let full = move |asked: Asked| {
            let asked = asked.with("x-chatplug-client", "cli:anna");
            token.iter().fold(asked, |asked, token| asked.bearer(token))
        };
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("origin", "http://127.0.0.1:8080"),
            ("origin", "http://localhost:8081"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("host", "evil.example"),
            ("host", "evil.example:8081"),
            ("host", "localhost.evil.example"),
            ("host", "127.0.0.1.evil.example"),
        ] {
            every_route(&scene, |asked| full(asked).with(name, value), refused, refused).await;
        }
        every_route(&scene, |asked| full(asked).without("host"), refused, refused).await;
        for (name, value) in [
            ("origin", "http://127.0.0.1:8081"),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "none"),
            ("host", "localhost"),
            ("host", "[::1]:8081"),
            ("host", "192.0.2.1"),
        ] {
            every_route(&scene, |asked| full(asked).with(name, value), None, None).await;
        }
        let named = |asked| full(asked).with("host", "OPS.example.com");
        let expected = if token.is_some() { None } else { refused };
        every_route(&scene, named, expected, expected).await;
    }
}

/// Whether a request is refused when a rate is used up. On a machine that stands still for a moment there is room again
/// meanwhile: not each time.
async fn is_slowed_down(operator: &Arc<Operator>, rate: &DefaultDirectRateLimiter, asked: &Asked) -> bool {
    let mut is_refused = false;
    for _ in 0..100 {
        while rate.check().is_ok() {}
        is_refused |= ask(operator.clone(), asked).await.0 == StatusCode::TOO_MANY_REQUESTS;
    }
    is_refused
}

#[tokio::test]
async fn a_flood_is_answered_with_429() {
    let operator = Scene::with("").operator();
    let asked = Asked::new("get", "/api/v1/openapi.json");
    assert_eq!(ask(operator.clone(), &asked).await.0, StatusCode::OK);
    assert!(is_slowed_down(&operator, &operator.rate, &asked).await);
}

#[tokio::test]
async fn what_is_asked_for_wrongly_is_told() {
    let scene = Scene::with("");
    let check = async |method: &str, path: &str, body: &'static str, status: u16, code: &str| {
        let asked = Asked { body, ..Asked::new(method, path).with("x-chatplug-client", "cli:anna") };
        let (found, answer) = scene.ask(&asked).await;
        assert_eq!(
            (found.as_u16(), answer["error"]["code"].as_str()),
            (status, Some(code)),
            "{path} {body}: {answer}"
        );
        assert!(answer["error"]["message"].as_str().is_some_and(|message| message.len() > 10), "{answer}");
    };
    check("get", "/api/v2", "", 404, "not-found").await;
    check("post", "/api/v1/dead", "{}", 405, "method-not-allowed").await;
    check("get", "/api/v1/events/first", "", 400, "invalid").await;
    check("get", "/api/v1/events/ev-7", "", 404, "not-found").await;
    check("get", "/api/v1/deliveries/dl-7", "", 404, "not-found").await;
    check("get", "/api/v1/dead?limit=0", "", 400, "invalid").await;
    check("get", "/api/v1/dead/count?limit=5", "", 400, "invalid").await;
    check("get", "/api/v1/held/count?limit=5", "", 400, "invalid").await;
    check("get", "/api/v1/dead?surprise=1", "", 400, "invalid").await;
    check("get", "/api/v1/dead?since=yesterday", "", 400, "invalid").await;
    check("get", "/api/v1/dead?type=chat_deactived", "", 400, "invalid").await;
    check("post", "/api/v1/events/ev-7/replay", "{}", 404, "not-found").await;
    check("post", "/api/v1/dead/replay", "", 400, "invalid").await;
    check("post", "/api/v1/dead/replay", r#"{"selection":{}}"#, 400, "invalid").await;
    check("post", "/api/v1/dead/replay", r#"{"selection":{"ids":["dl-1"],"all":true}}"#, 400, "invalid")
        .await;
    check("post", "/api/v1/dead/replay", r#"{"selection":{"all":true,"surprise":1}}"#, 400, "invalid").await;
    check("post", "/api/v1/held/resolve", r#"{"selection":{"all":true},"as":"maybe"}"#, 400, "invalid").await;
    check("post", "/api/v1/forget", "{}", 400, "invalid").await;
    check("post", "/api/v1/forget", r#"{"chat":""}"#, 400, "invalid").await;
    check("post", "/api/v1/forget", r#"{"email":"mary"}"#, 400, "invalid").await;
    check("post", "/api/v1/forget", r#"{"chat":"C1","email":"mary@example.com"}"#, 400, "invalid").await;
    const LONG: &str = include_str!("openapi.json");
    let bodies = LONG.repeat(BODY_BYTES_MAX / LONG.len() + 1);
    let asked = Asked {
        body: bodies.leak(),
        ..Asked::new("post", "/api/v1/dead/replay").with("x-chatplug-client", "x")
    };
    let (status, answer) = scene.ask(&asked).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &"too-large".into()));
}

#[tokio::test]
async fn a_change_is_made_and_says_who_made_it() {
    let scene = Scene::with(WITH_TOKENS);
    let body = r#"{"selection":{"all":true,"filter":{"plugin":"p"}},"fresh":true}"#;
    let asked = Asked { body, ..Asked::new("post", "/api/v1/dead/replay").bearer(TOKEN) };
    let (status, answer) = scene.ask(&asked).await;
    assert_eq!((status, &answer["deliveries"]), (StatusCode::OK, &serde_json::json!([])), "{answer}");
    let who = |headers: &[(&'static str, &str)]| {
        let mut map = axum::http::HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let config = scene.config.load();
        access::check(&config.operator, "192.0.2.7".parse().unwrap(), &Method::GET, &map).unwrap()
    };
    let (host, token) = (("host", "127.0.0.1"), format!("Bearer {TOKEN}"));
    assert_eq!(who(&[host, ("authorization", &token)]), "api:token 192.0.2.7");
    let client = ("x-chatplug-client", "cli:anna");
    assert_eq!(who(&[host, ("authorization", &token), client]), "api:token 192.0.2.7 (cli:anna)");
    let client = ("x-chatplug-client", "cli anna\u{7f}");
    assert!(client.1.parse::<HeaderValue>().is_err());
    assert_eq!(
        who(&[host, ("authorization", &token), ("x-chatplug-client", "cli anna")]),
        "api:token 192.0.2.7"
    );
}

#[test]
fn the_document_has_every_route_and_no_other() {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let mut documented: Vec<(String, String)> = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        documented.extend(item.as_object().unwrap().keys().map(|method| (method.clone(), path.clone())));
    }
    let mut routed: Vec<(String, String)> =
        routes().into_iter().map(|(method, path, _)| (method.to_owned(), path.to_owned())).collect();
    documented.sort();
    routed.sort();
    assert_eq!(documented, routed);
}

#[test]
fn what_the_document_refers_to_is_in_it() {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    for reference in OPENAPI.split("\"$ref\": \"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn metrics_show_the_backlog_the_disk_and_the_loops() {
    let scene = Scene::with("");
    let operator = scene.operator();
    operator.doors.webhooks.refusals.count("wrong-secret", "incoming_chat");
    operator.shown.doubts.goes_on(DeliveryId(7), &Arc::from("p"), Duration::from_secs(600));
    let (status, _) = ask(operator.clone(), &Asked::new("get", "/metrics")).await;
    assert_eq!(status, StatusCode::OK);
    let text = operator.shown.measures.render();
    for line in [
        "chatplug_dead_letters 0",
        "chatplug_actions_unknown 0",
        "chatplug_actions_in_doubt 1",
        "chatplug_oldest_pending_seconds{plugin=\"p\"} 0",
        "chatplug_oldest_pending_seconds{plugin=\"(not configured)\"} 0",
        "chatplug_ingest_requests_total{source=\"livechat\",outcome=\"wrong-secret\"} 1",
        "chatplug_loop_last_progress_timestamp_seconds{loop=\"dispatcher\"}",
        "chatplug_disk_free_bytes",
        "chatplug_breaker_state{destination=\"livechat\"} 0",
        "chatplug_breaker_state{destination=\"connections.crm\"} 0",
        "chatplug_build_info{version=",
        "chatplug_deaths_total{plugin=\"p\"} 0",
        "chatplug_past_due_deliveries{plugin=\"p\"} 0",
        "chatplug_map_entries{map=\"actions of the last minute\"} 3",
        "chatplug_map_entries{map=\"commands that are told of\"} 0",
    ] {
        assert!(text.lines().any(|found| found.starts_with(line)), "{line}: {text}");
    }
}

#[tokio::test]
async fn metrics_are_shown_even_if_the_store_can_not_be_asked() {
    let scene = Scene::with("");
    let (file, away) = (scene._folder.path().join("chatplug.db"), scene._folder.path().join("away"));
    std::fs::rename(&file, &away).unwrap();
    let operator = scene.operator();
    operator.doors.webhooks.refusals.count("wrong-secret", "incoming_chat");
    let (status, _) = ask(operator.clone(), &Asked::new("get", "/metrics")).await;
    assert_eq!(status, StatusCode::OK);
    let text = operator.shown.measures.render();
    assert!(text.contains("outcome=\"wrong-secret\"} 1"), "{text}");
    std::fs::rename(&away, &file).unwrap();
    operator.scrape.0.lock().await.at = None;
    ask(operator.clone(), &Asked::new("get", "/metrics")).await;
    let text = operator.shown.measures.render();
    assert!(text.contains("chatplug_oldest_pending_seconds{plugin=\"p\"} 0"), "{text}");
}

#[tokio::test]
async fn nothing_is_wrong_with_a_connection_that_is_gone() {
    let operator = Scene::with("").operator();
    let scrape = async || {
        operator.scrape.0.lock().await.at = None;
        ask(operator.clone(), &Asked::new("get", "/metrics")).await;
        operator.shown.measures.render()
    };
    scrape().await;
    let labels = [("destination", "connections.crm")];
    operator.shown.measures.gauge("chatplug_breaker_state", &labels).set(4.0);
    let terms = Terms { concurrency: 1, rate: 1.0 };
    operator.shown.destinations.replace([(LIVECHAT.to_owned(), terms)], |_| false);
    let text = scrape().await;
    assert!(text.contains("chatplug_breaker_state{destination=\"connections.crm\"} 0"), "{text}");
}

#[tokio::test]
async fn who_is_refused_does_not_keep_operators_out() {
    let operator = Scene::with(WITH_TOKENS).operator();
    let stranger = Asked::new("get", "/api/v1/openapi.json").bearer("a-guess-of-somebodys");
    assert_eq!(ask(operator.clone(), &stranger).await.0, StatusCode::UNAUTHORIZED);
    assert!(is_slowed_down(&operator, &operator.refused_rate, &stranger).await, "strangers are");
    let (status, answer) =
        ask(operator.clone(), &Asked::new("get", "/api/v1/openapi.json").bearer(TOKEN)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

#[tokio::test]
async fn one_person_is_forgotten_at_a_time() {
    let scene = Scene::with(WITH_TOKENS);
    let operator = scene.operator();
    let asked = Asked { body: r#"{"chat":"C1"}"#, ..Asked::new("post", FORGET).bearer(TOKEN) };
    let turn = operator.forgetting.clone().try_acquire_owned().unwrap();
    let (status, answer) = ask(operator.clone(), &asked).await;
    assert_eq!((status, answer["error"]["code"].as_str()), (StatusCode::CONFLICT, Some("under-way")));
    drop(turn);
    assert_eq!(ask(operator, &asked).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_listing_has_a_thousand_entries_at_most() {
    let scene = Scene::with("");
    for path in ["/api/v1/events", "/api/v1/dead", "/api/v1/held", "/api/v1/audit"] {
        for (limit, status) in [(1_000, StatusCode::OK), (1_001, StatusCode::BAD_REQUEST)] {
            let (found, answer) = scene.ask(&Asked::new("get", &format!("{path}?limit={limit}"))).await;
            assert_eq!(found, status, "{path} {limit}: {answer}");
        }
    }
}
