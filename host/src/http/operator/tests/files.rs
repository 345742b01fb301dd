//! Published files, and links to them.

use super::*;

/// A store with a page and a table of a plugin, and a link to the page.
async fn with_files(keys: &str) -> (Scene, String) {
    let scene = Scene::with(keys);
    let sql =
        "INSERT INTO files (plugin, name, at, delivery, bytes, content) VALUES ('p', 'a.html', 1, 1, 7, 'older'),
            ('p', 'a.html', 2, 1, 7, '<p>hi'), ('p', 'b.csv', 3, 1, 3, 'a,b'), ('q', 'dashboard.json', 4, 1, 2, '{}')";
    scene.store.execute(sql).await.unwrap();
    let made = scene.store.make_file_token("p", "a.html", "test".to_owned(), 1).await.unwrap();
    let crate::store::FileToken::Made(token) = made else { panic!("{made:?}") };
    (scene, token)
}

/// Status, headers and text of an answer.
async fn fetch(scene: &Scene, asked: &Asked) -> (StatusCode, axum::http::HeaderMap, String) {
    let app = router(scene.operator()).layer(Extension(Peer(asked.peer.parse().unwrap())));
    let mut request = axum::http::Request::builder().method(asked.method.clone()).uri(&asked.path);
    for (name, value) in &asked.headers {
        request = request.header(*name, value);
    }
    let request = request.body(Body::from(asked.body)).unwrap();
    let response = TowerToHyperService::new(app).call(request).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, headers, String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn a_file_is_shown_in_a_way_in_which_it_can_do_nothing() {
    let (scene, _) = with_files("").await;
    let get = async |path: &str| fetch(&scene, &Asked::new("get", path)).await;
    let (status, headers, text) = get("/files/p/a.html").await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "<p>hi"));
    let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; ") && policy.contains("sandbox"), "{policy}");
    assert!(!policy.contains("script-src") && policy.contains("form-action 'none'"), "{policy}");
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(headers[name], value);
    }
    assert_eq!(get("/files/p/a.html?version=1").await.2, "older");
    let (_, headers, text) = get("/files/p/b.csv").await;
    assert_eq!(
        (headers["content-type"].to_str().unwrap(), text.as_str()),
        ("text/csv; charset=utf-8", "a,b")
    );
    assert_eq!(headers["content-disposition"], "attachment; filename=\"b.csv\"");
    let (_, headers, _) = get("/dashboard").await;
    assert_eq!(headers["content-type"], "application/json");
    assert!(headers[CONTENT_SECURITY_POLICY].to_str().unwrap().ends_with("; sandbox"));
    let (_, _, versions) = get("/files/p/a.html/history").await;
    assert_eq!(versions.matches("\"version\"").count(), 2, "{versions}");
    for missing in
        ["/files/p/c.html", "/files/q/a.html", "/files/p/a.html?version=3", "/files/p/c.html/history"]
    {
        assert_eq!(get(missing).await.0, StatusCode::NOT_FOUND, "{missing}");
    }
    for wrong in ["/files/p/a.html?version=x", "/files/p/a.html?surprise=1"] {
        assert_eq!(get(wrong).await.0, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[tokio::test]
async fn a_link_shows_the_newest_version_of_its_file_and_nothing_else() {
    let (scene, token) = with_files(WITH_TOKENS).await;
    let check = async |asked: Asked, status: StatusCode| {
        let (found, headers, text) = fetch(&scene, &asked).await;
        assert_eq!(found, status, "{} {:?}: {text}", asked.path, asked.headers);
        (headers, text)
    };
    let at = |path: &str| Asked::new("get", &format!("{path}token={token}")).from(REMOTE);
    let (_, text) = check(at("/files/p/a.html?"), StatusCode::OK).await;
    assert_eq!(text, "<p>hi");
    // A screen may be anywhere, and its browser may say that another page sent it there.
    check(at("/files/p/a.html?").with("sec-fetch-site", "cross-site"), StatusCode::OK).await;
    check(at("/files/p/a.html?").with("host", "evil.example"), StatusCode::FORBIDDEN).await;
    check(at("/files/p/a.html?version=1&"), StatusCode::FORBIDDEN).await;
    for other in ["/files/p/b.csv?", "/files/q/dashboard.json?", "/files/p/c.html?"] {
        check(at(other), StatusCode::UNAUTHORIZED).await;
    }
    for other in
        ["/files?", "/files/p/a.html/history?", "/dashboard?", "/api/v1/status?", "/chats?", "/metrics?"]
    {
        check(at(other), StatusCode::UNAUTHORIZED).await;
    }
    let post = Asked { method: Method::POST, ..at("/api/v1/files/p/a.html/token?") };
    check(post, StatusCode::UNAUTHORIZED).await;
    check(Asked { method: Method::POST, ..at("/files/p/a.html?") }, StatusCode::UNAUTHORIZED).await;
    // Who brings both is asked for the better one.
    check(at("/files/p/a.html?").bearer("wrong"), StatusCode::UNAUTHORIZED).await;
    check(at("/files/p/a.html?").bearer(TOKEN), StatusCode::BAD_REQUEST).await;
    for wrong in ["/files/p/a.html?token=", "/files/p/a.html?token=null", "/files/p/a.html"] {
        check(Asked::new("get", wrong), StatusCode::UNAUTHORIZED).await;
    }
    scene.store.revoke_file_tokens("p", "a.html", "test".to_owned(), 1).await.unwrap();
    let (headers, _) = check(at("/files/p/a.html?"), StatusCode::UNAUTHORIZED).await;
    assert!(!headers.contains_key("refresh"), "a link that was revoked doesn't come again");
}

#[tokio::test]
async fn a_screen_comes_again_by_itself_when_it_can_not_be_served_now() {
    let (scene, token) = with_files("").await;
    let asked = Asked::new("get", &format!("/files/p/a.html?token={token}"));
    scene.store.execute("DELETE FROM files").await.unwrap();
    let (status, headers, _) = fetch(&scene, &asked).await;
    assert_eq!((status, headers["refresh"].to_str().unwrap()), (StatusCode::NOT_FOUND, "30"));
    let operator = scene.operator();
    let strangers = Asked::new("get", "/files/p/a.html?token=guess");
    assert!(is_slowed_down(&operator, &operator.link_rate, &strangers).await);
    let status = ask(operator, &Asked::new("get", "/api/v1/openapi.json")).await.0;
    assert_eq!(status, StatusCode::OK, "links are counted apart");
}

#[tokio::test]
async fn links_are_made_and_revoked_by_operators() {
    let (scene, _) = with_files(WITH_TOKENS).await;
    let post = async |path: &str| scene.ask(&Asked::new("post", path).bearer(TOKEN)).await;
    let (status, made) = post("/api/v1/files/p/b.csv/token").await;
    assert_eq!(status, StatusCode::OK, "{made}");
    let path = format!("/files/p/b.csv?token={}", made["made"].as_str().unwrap());
    assert_eq!(fetch(&scene, &Asked::new("get", &path)).await.2, "a,b");
    assert_eq!(post("/api/v1/files/p/b.csv/revoke").await.1, serde_json::json!({ "revoked": 1 }));
    assert_eq!(fetch(&scene, &Asked::new("get", &path)).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(post("/api/v1/files/p/c.csv/token").await.0, StatusCode::NOT_FOUND);
}
