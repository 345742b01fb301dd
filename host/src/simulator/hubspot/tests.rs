use reqwest::{Client, Method};
use serde_json::json;

use super::*;
use crate::simulator::{Fault, Times};

async fn call(hubspot: &Hubspot, method: &str, path: &str, body: Value) -> (u16, Value) {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let request = Client::new().request(method, format!("{}{path}", hubspot.base_url())).bearer_auth(TOKEN);
    let request = if body.is_null() { request } else { request.json(&body) };
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.expect("a body")).unwrap_or(Value::Null))
}

fn note(properties: Value, contact_id: &str, kind: u64) -> Value {
    json!({
        "properties": properties,
        "associations": [{
            "to": {"id": contact_id},
            "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": kind}],
        }],
    })
}

async fn check(method: &str, path: &str, body: Value, status: u16, message: &str) {
    let hubspot = Hubspot::start().await.expect("a port");
    hubspot.add_contact("Ada@Example.com");
    let (got, answer) = call(&hubspot, method, path, body).await;
    assert_eq!(got, status, "{method} {path}: {answer}");
    assert!(answer.to_string().contains(message), "{method} {path}: {answer}");
}

const CONTACTS: &str = "/crm/v3/objects/contacts";
const NOTES: &str = "/crm/v3/objects/notes";
const AT: &str = "2026-10-01T09:30:00Z";

#[tokio::test]
async fn contacts_are_found_and_made_once() {
    let by_email = "/crm/v3/objects/contacts/ada%40example.com?idProperty=email&properties=email,nonsense";
    check("GET", by_email, Value::Null, 200, r#""id":"501""#).await;
    check("GET", "/crm/v3/objects/contacts/501", Value::Null, 200, "Ada@Example.com").await;
    let missing = "/crm/v3/objects/contacts/bob%40example.com?idProperty=email";
    check("GET", missing, Value::Null, 404, "resource not found").await;
    check("GET", "/crm/v3/objects/contacts/ada@example.com", Value::Null, 404, "OBJECT_NOT_FOUND").await;
    check("POST", CONTACTS, json!({"properties": {"email": "ADA@example.com"}}), 409, "Existing ID: 501")
        .await;
    check("POST", CONTACTS, json!({"properties": {"email": "bob@example.com"}}), 201, r#""id":"502""#).await;
    check("POST", CONTACTS, json!({"properties": {"email": "bob"}}), 400, "INVALID_EMAIL").await;
    check("POST", CONTACTS, json!({"properties": {"e": "x"}}), 400, "PROPERTY_DOESNT_EXIST").await;
    check("POST", CONTACTS, json!({"properties": {"email": 7}}), 400, "must be a string").await;
    check("POST", CONTACTS, json!({"properties": {"phone": "1"}}), 400, "is required").await;
}

#[tokio::test]
async fn notes_are_taken_strictly() {
    let good = json!({"hs_timestamp": AT, "hs_note_body": "<p>x</p>"});
    check("POST", NOTES, note(good.clone(), "501", 202), 201, "2026-10-01T09:30:00.000Z").await;
    check("POST", NOTES, note(good.clone(), "501", 201), 400, "expected: 0-46").await;
    check("POST", NOTES, note(good, "999", 202), 400, "INVALID_OBJECT_IDS").await;
    let in_ms = json!({"hs_timestamp": "1790847000000", "hs_note_body": "x"});
    check("POST", NOTES, note(in_ms, "501", 202), 201, "hs_timestamp").await;
    let in_seconds = json!({"hs_timestamp": "1790847000", "hs_note_body": "x"});
    check("POST", NOTES, note(in_seconds, "501", 202), 400, "INVALID_DATE").await;
    check("POST", NOTES, note(json!({"hs_note_body": "x"}), "501", 202), 400, "hs_timestamp is required")
        .await;
    let number = json!({"hs_timestamp": 1_790_847_000_000_u64, "hs_note_body": "x"});
    check("POST", NOTES, note(number, "501", 202), 400, "must be a string").await;
    let long = json!({"hs_timestamp": AT, "hs_note_body": "x".repeat(65_537)});
    check("POST", NOTES, note(long, "501", 202), 400, "65536").await;
    check("PATCH", "/crm/v3/objects/notes/7", json!({"properties": {"x": "y"}}), 400, "DOESNT_EXIST").await;
    check("PATCH", "/crm/v3/objects/notes/7", json!({"properties": {}}), 404, "resource not found").await;
}

#[tokio::test]
async fn a_note_is_updated_and_found_through_its_contact() {
    let hubspot = Hubspot::start().await.expect("a port");
    let contact = hubspot.add_contact("ada@example.com").to_string();
    let body = note(json!({"hs_timestamp": AT, "hs_note_body": "first"}), &contact, 202);
    let (_, made) = call(&hubspot, "POST", NOTES, body).await;
    assert!(made.get("associations").is_none());
    let path = format!("{NOTES}/{}", made["id"].as_str().expect("an id"));
    let change = json!({"properties": {"hs_note_body": "second"}});
    assert_eq!(call(&hubspot, "PATCH", &path, change).await.0, 200);
    let notes = hubspot.notes_on("ADA@example.com");
    assert_eq!((notes[0].body(), notes[0].updates), ("second", 1));
    let (_, read) = call(&hubspot, "GET", &format!("{path}?associations=contacts"), Value::Null).await;
    assert_eq!(read["associations"]["contacts"]["results"][0]["id"], contact.as_str());
    let path = format!("/crm/v4/objects/contacts/{contact}/associations/notes");
    let (_, listed) = call(&hubspot, "GET", &path, Value::Null).await;
    assert_eq!(listed["results"][0]["toObjectId"], notes[0].id);
}

#[tokio::test]
async fn the_search_lags_behind_and_has_its_own_limit() {
    let hubspot = Hubspot::start().await.expect("a port");
    hubspot.add_contact("ada@example.com");
    let filter = json!({"propertyName": "email", "operator": "EQ", "value": "ADA@example.com"});
    let search = json!({"filterGroups": [{"filters": [filter]}], "limit": 2});
    let path = format!("{CONTACTS}/search");
    assert_eq!(call(&hubspot, "POST", &path, search.clone()).await.1["total"], 1);
    let own = json!({"propertyName": "customer_no", "operator": "EQ", "value": "7"});
    let by_own = json!({"filterGroups": [{"filters": [own]}]});
    assert_eq!(call(&hubspot, "POST", &path, by_own.clone()).await.0, 400);
    hubspot.add_contact_with(&[("customer_no", "7")]);
    assert_eq!(call(&hubspot, "POST", &path, by_own).await.1["total"], 1);
    hubspot.set_search_lag(Duration::from_secs(3600));
    assert_eq!(call(&hubspot, "POST", &path, search.clone()).await.1["total"], 0);
    hubspot.limit(Some(1), Some(0));
    assert_eq!(call(&hubspot, "POST", &path, search).await.1["policyName"], "SECONDLY");
    assert_eq!(call(&hubspot, "GET", &format!("{CONTACTS}/501"), Value::Null).await.0, 200);
    let (status, over) = call(&hubspot, "GET", &format!("{CONTACTS}/501"), Value::Null).await;
    assert_eq!((status, &over["errorType"]), (429, &json!("RATE_LIMIT")));
    hubspot.set_rate_limit_form(RateLimitForm::Category);
    let (_, over) = call(&hubspot, "GET", &format!("{CONTACTS}/501"), Value::Null).await;
    assert_eq!((&over["category"], over.get("errorType")), (&json!("RATE_LIMITS"), None));
}

#[tokio::test]
async fn a_note_can_be_saved_behind_an_error_and_strangers_are_refused() {
    let hubspot = Hubspot::start().await.expect("a port");
    hubspot.faults().set("notes.create", Fault::ErrorAfterSaving, Times::Next(1));
    let body = json!({"properties": {"hs_timestamp": AT, "hs_note_body": "x"}});
    assert_eq!(call(&hubspot, "POST", NOTES, body).await.0, 500);
    assert_eq!(hubspot.notes().len(), 1);
    let stranger = Client::new().get(format!("{}{CONTACTS}/1", hubspot.base_url())).bearer_auth("x");
    assert_eq!(stranger.send().await.expect("an answer").status().as_u16(), 401);
}
