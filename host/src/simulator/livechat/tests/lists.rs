use super::*;

async fn ended(livechat: &Livechat, customer: &str) -> Happening {
    let opening = Opening { first_message: Some("where is it?".into()), ..Opening::by(customer) };
    let told = livechat.start_chat(&opening).expect("a chat");
    livechat.end_chat(&told.chat_id, &EndedBy::Router).expect("an end")
}

async fn report(livechat: &Livechat, path: &str, body: Value) -> (u16, Value) {
    call_as(livechat, &pat(), &format!("/v3.6/reports/{path}"), &body).await
}

#[tokio::test]
async fn archives_hold_the_threads_that_have_ended_page_by_page() {
    let (livechat, active) = opened().await;
    for number in 0..12 {
        ended(&livechat, &format!("Customer {number}")).await;
    }
    let (status, first) = call(&livechat, "list_archives", json!({})).await;
    assert_eq!((status, &first["found_chats"]), (200, &json!(12)), "{first}");
    assert_eq!(first["chats"].as_array().map(Vec::len), Some(10));
    assert!(first["chats"].as_array().is_some_and(|all| all.iter().all(|chat| chat["id"] != active.chat_id)));
    let next = json!({"page_id": first["next_page_id"]});
    let (_, last) = call(&livechat, "list_archives", next.clone()).await;
    assert_eq!(last["chats"].as_array().map(Vec::len), Some(2));
    assert!(last["next_page_id"].is_null() && last["previous_page_id"].is_string());
    let mut both = next;
    both["limit"] = json!(10);
    let (status, refused) = call(&livechat, "list_archives", both).await;
    assert_eq!((status, &refused["error"]["type"]), (422, &json!("validation")));

    let mut filters = json!({"from": "2026-01-01T00:00:00.000000+01:00", "query": "where", "group_ids": [1]});
    assert_eq!(call(&livechat, "list_archives", json!({"filters": filters})).await.1["found_chats"], 12);
    filters["agents"] = json!({"values": ["olga@example.com"]});
    assert_eq!(call(&livechat, "list_archives", json!({"filters": filters})).await.1["found_chats"], 0);
    for filters in [
        json!({"from": "2026-01-01"}),
        json!({"from": "2026-01-01T00:00:00Z"}),
        json!({"from": "2026-01-01T00:00:00.000+01:00"}),
        json!({"agents": ["olga@example.com"]}),
        json!({"thread_ids": ["A"], "query": "x"}),
        json!({"surprise": 1}),
    ] {
        let (status, answer) = call(&livechat, "list_archives", json!({"filters": filters})).await;
        assert_eq!(status, 422, "{filters}: {answer}");
    }
}

#[tokio::test]
async fn what_was_said_beyond_the_history_of_the_plan_is_not_told() {
    let (livechat, _) = opened().await;
    livechat.stop_clock_at("2026-06-01T12:00:00Z".parse().expect("a time"));
    let old = ended(&livechat, "Old").await;
    livechat.stop_clock_at("2026-06-01T12:00:01Z".parse().expect("a time"));
    let new = ended(&livechat, "New").await;
    livechat.cut_history_before("2026-06-01T12:00:01Z".parse().expect("a time"));
    let thread = async |told: &Happening| {
        let ids = json!({"filters": {"thread_ids": [told.thread_id]}});
        let (_, listed) = call(&livechat, "list_archives", ids).await;
        let (_, got) = call(&livechat, "get_chat", json!({"chat_id": told.chat_id})).await;
        assert_eq!(listed["chats"][0]["thread"], got["thread"]);
        got["thread"].clone()
    };
    let (old, new) = (thread(&old).await, thread(&new).await);
    assert!(old["restricted_access"].is_string() && old["events"].is_null(), "{old}");
    assert!(old["created_at"].is_string() && old["user_ids"].is_array(), "{old}");
    assert!(new["restricted_access"].is_null() && new["events"].is_array(), "{new}");
}

#[tokio::test]
async fn reports_leave_out_what_is_0_and_want_both_ends() {
    let (livechat, _) = opened().await;
    let rated = ended(&livechat, "Mia").await;
    livechat.rate(&rated.chat_id, 1).expect("a rating");
    let (status, totals) = report(&livechat, "chats/total_chats", json!({})).await;
    assert_eq!((status, &totals["total"]), (200, &json!(2)), "{totals}");
    let (_, ratings) = report(&livechat, "chats/ratings", json!({"timezone": "Europe/Warsaw"})).await;
    let bucket = ratings["records"].as_object().and_then(|all| all.values().next()).expect("a day");
    assert_eq!(bucket, &json!({"chats": 2, "good": 1}));
    let span = json!({"from": "2026-01-01T00:00:00.000000+00:00", "to": "2026-01-02T00:00:00.000000+00:00"});
    let (_, none) = report(&livechat, "chats/total_chats", json!({"filters": span})).await;
    assert_eq!((&none["total"], &none["records"]), (&Value::Null, &json!({})));
    for body in [
        json!({"filters": {"from": span["from"]}}),
        json!({"filters": {}}),
        json!({"distribution": "week"}),
        json!({"timezone": "Mars/Base"}),
        json!({"filters": {"from": span["from"], "to": span["to"], "group_ids": [1]}}),
    ] {
        assert_eq!(report(&livechat, "chats/ratings", body.clone()).await.0, 422, "{body}");
    }
    assert_eq!(report(&livechat, "agents/availability", json!({"distribution": "month"})).await.0, 422);
    assert_eq!(report(&livechat, "chats/moods", json!({})).await.0, 404);
}

#[tokio::test]
async fn who_waited_in_the_queue_and_who_gave_up_is_counted_with_how_long() {
    let livechat = Livechat::start().await.expect("a port");
    let at = |second: i64| Timestamp::from_second(1_780_308_000 + second).expect("a time");
    let queue = |name: &str, second: i64| {
        livechat.stop_clock_at(at(second));
        livechat.start_chat(&Opening { group_id: 3, ..Opening::by(name) }).expect("a chat").chat_id
    };
    let taken = [queue("Ann", 0), queue("Ben", 10)];
    let (gone, moved) = (queue("Cleo", 20), queue("Dan", 20));
    queue("Eve", 40);
    livechat.stop_clock_at(at(100));
    for chat_id in &taken {
        livechat.agent_joins(chat_id, "smith@example.com").expect("somebody comes");
    }
    livechat.end_chat(&gone, &EndedBy::Customer).expect("an end");
    // Smith is there, so nobody waits any more; ending it later is no giving up.
    livechat.agent_transfers(&moved, "olga@example.com", 1).expect("a transfer");
    livechat.end_chat(&moved, &EndedBy::Customer).expect("an end");
    let day = json!({"from": "2026-06-01T00:00:00.000000+00:00", "to": "2026-06-01T23:59:59.999999+00:00"});
    let (status, told) = report(&livechat, "chats/queued_visitors", json!({"filters": day})).await;
    assert_eq!(status, 200, "{told}");
    let expected = json!({
        "queued": {"count": 3, "min": 80.0, "max": 100.0, "avg": 90.0},
        "left_queue": {"count": 1, "min": 80.0, "max": 80.0, "avg": 80.0},
    });
    assert_eq!(told["records"]["2026-06-01"], expected, "who still waits isn't counted");
}

#[tokio::test]
async fn agents_and_customers_are_changed_within_bounds() {
    let (livechat, _) = opened().await;
    let customer = Opening::by("Dana").customer_id;
    for (action, body, status) in [
        (
            "set_routing_status",
            json!({"status": "not_accepting_chats", "agent_id": "smith@example.com"}),
            200,
        ),
        ("set_routing_status", json!({"status": "offline", "agent_id": "smith@example.com"}), 422),
        ("set_routing_status", json!({"status": "offline", "agent_id": BOT_ID}), 200),
        ("set_routing_status", json!({"agent_id": BOT_ID}), 422),
        ("update_customer", json!({"id": customer, "name": "D."}), 200),
        ("update_customer", json!({"id": customer}), 422),
        ("update_customer", json!({"id": customer, "phone_number": "123"}), 422),
        ("update_customer", json!({"id": customer, "session_fields": [{"a": 1, "b": 2}]}), 422),
        ("ban_customer", json!({"id": customer, "ban": {"days": 2}}), 200),
        ("ban_customer", json!({"id": customer, "days": 2}), 422),
        ("ban_customer", json!({"id": "nobody", "ban": {"days": 2}}), 404),
    ] {
        assert_eq!(call(&livechat, action, body.clone()).await.0, status, "{action} {body}");
    }
    assert_eq!(livechat.customer(&customer).expect("a customer")["name"], "D.");
    assert_eq!(livechat.banned_for(&customer), Some(2));
    assert_eq!(
        configure(&livechat, "get_agent", json!({"id": "smith@example.com"})).await.1["name"],
        "Agent Smith"
    );
    assert_eq!(configure(&livechat, "get_agent", json!({"id": BOT_ID})).await.0, 404);
}

#[tokio::test]
async fn the_older_api_takes_its_own_key_and_parameters_only() {
    let (livechat, _) = opened().await;
    let told = ended(&livechat, "Mia").await;
    let get = async |path: &str, user: &str, password: &str| {
        let request = Client::new().get(format!("{}{path}", livechat.base_url()));
        let answer = request.basic_auth(user, Some(password)).header("X-API-Version", "2").send().await;
        let answer = answer.expect("an answer");
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap_or_default())
    };
    assert_eq!(get("/agents", V2_LOGIN, PAT).await.0, 401);
    assert_eq!(get("/agents", ACCOUNT_ID, PAT).await.0, 401);
    let (status, agents) = get("/agents", V2_LOGIN, V2_KEY).await;
    assert_eq!((status, agents.as_array().map(Vec::len)), (200, Some(4)), "no bots");
    let (_, chats) = get("/chats?page=1", V2_LOGIN, V2_KEY).await;
    assert_eq!((&chats["total"], &chats["chats"][0]["id"]), (&json!(1), &json!(told.thread_id)));
    let (_, one) = get(&format!("/chats/{}", told.thread_id), V2_LOGIN, V2_KEY).await;
    assert_eq!(one, chats["chats"][0]);
    let day = one["started_timestamp"].as_i64().expect("a time");
    let day = jiff::Timestamp::from_second(day).expect("a time").strftime("%Y-%m-%d").to_string();
    let (_, hours) =
        get(&format!("/reports/chats/total_chats?date_from={day}&date_to={day}"), V2_LOGIN, V2_KEY).await;
    let bucket = hours.as_object().and_then(|all| all.keys().next()).expect("a bucket");
    assert!(bucket.ends_with(":00"), "one day comes by hours: {bucket}");
    for path in [
        "/chats?limit=5",
        "/chats?date_from=today",
        "/chats?page=0",
        "/reports/chats/total_chats?group_by=week",
    ] {
        assert_eq!(get(path, V2_LOGIN, V2_KEY).await.0, 400, "{path}");
    }
    for path in ["/chats/NOPE", "/agents/nobody", "/reports/chats/moods?x=1", "/visitors"] {
        let status = get(path, V2_LOGIN, V2_KEY).await.0;
        assert!(matches!(status, 400 | 404), "{path}: {status}");
    }
}
