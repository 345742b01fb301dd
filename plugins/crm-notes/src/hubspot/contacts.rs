//! HubSpot's contacts.

use chatplug_sdk::http::{self, Effect};
use chatplug_sdk::prelude::*;

use super::answer::Answer;
use super::{CONNECTION, OBJECTS, send};
use crate::conversation::Customer;
use crate::settings::{Settings, WithoutEmail};
use crate::text::one_line;

/// By what a contact is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// The e-mail address.
    Email(String),
    /// The phone number, in either of HubSpot's two properties for it.
    Phone(String),
    /// A property of the operator's own.
    Property {
        /// Its name.
        name: String,
        /// The customer's value.
        value: String,
    },
}

impl Key {
    /// What the settings look this customer up by; `None` if the customer lacks it.
    pub fn of(customer: &Customer, settings: &Settings) -> Option<Key> {
        if let Some(email) = &customer.email {
            return Some(Key::Email(email.clone()));
        }
        match settings.without_email {
            WithoutEmail::Skip => None,
            WithoutEmail::Phone => customer.phone.as_ref().map(|phone| Key::Phone(one_line(phone, 50))),
            WithoutEmail::ExternalId => {
                let place = settings.external_id.as_ref()?;
                let (_, value) =
                    customer.session_fields.iter().find(|(name, _)| *name == place.session_field)?;
                let value = one_line(value, 200);
                (!value.is_empty()).then(|| Key::Property { name: place.property.clone(), value })
            }
        }
    }

    /// Its name, for the log.
    pub fn name(&self) -> &str {
        match self {
            Key::Email(_) => "e-mail address",
            Key::Phone(_) => "phone number",
            Key::Property { name, .. } => name,
        }
    }
}

/// What a look-up found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// One contact: its id.
    One(String),
    /// None.
    Nobody,
    /// Several: which one is meant can't be told.
    Several(u64),
}

/// Looks a contact up.
pub fn find(key: &Key) -> Result<Found, Failure> {
    let doing = format!("looking for the contact by {}", key.name());
    let request = match key {
        Key::Email(email) => http::get(CONNECTION, format!("{OBJECTS}/contacts/{}", http::segment(email)))
            .query("idProperty", "email")
            .query("properties", "email"),
        _ => http::post_json(CONNECTION, format!("{OBJECTS}/contacts/search"), &search(key))
            .effect(Effect::Read),
    };
    let Answer::Done(body) = send(&doing, request)? else { return Ok(Found::Nobody) };
    found(&body).ok_or_else(|| Failure::retry(format!("{doing}: HubSpot's answer names no id")))
}

/// Creates a contact; `None` if HubSpot refuses the address. One that exists already is found.
pub fn create(email: &str, name: Option<&str>) -> Result<Option<String>, Failure> {
    let doing = "creating the contact";
    let request = http::post_json(CONNECTION, format!("{OBJECTS}/contacts"), &properties(email, name))
        // A second one with this address is refused, which says where the first is.
        .effect(Effect::Repeatable)
        .once("contact");
    match send(doing, request)? {
        Answer::Done(body) => {
            id(&body).map(Some).ok_or_else(|| Failure::retry("HubSpot named no id for the new contact"))
        }
        Answer::Exists(Some(id)) => Ok(Some(id)),
        Answer::BadEmail => Ok(None),
        Answer::Exists(None) => match find(&Key::Email(email.to_owned()))? {
            Found::One(id) => Ok(Some(id)),
            _ => Err(Failure::retry("HubSpot says that the contact exists, but doesn't show it yet")),
        },
        Answer::Missing => {
            Err(Failure::reject(format!("{doing}: HubSpot answered 404; check the connection's base_url")))
        }
    }
}

/// The id of an object; HubSpot writes them as text of digits, in some places as numbers.
pub fn id(object: &Value) -> Option<String> {
    let id = object.get("id")?;
    let id = id.as_str().map(str::to_owned).or_else(|| id.as_u64().map(|id| id.to_string()))?;
    (!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())).then_some(id)
}

fn search(key: &Key) -> Value {
    let equal = |name: &str, value: &str| json!({"filters": [{"propertyName": name, "operator": "EQ", "value": value}]});
    let groups = match key {
        Key::Email(email) => vec![equal("email", email)],
        Key::Phone(phone) => vec![equal("phone", phone), equal("mobilephone", phone)],
        Key::Property { name, value } => vec![equal(name, value)],
    };
    json!({"filterGroups": groups, "properties": ["email"], "limit": 2})
}

fn found(body: &Value) -> Option<Found> {
    let Some(results) = body.get("results").and_then(Value::as_array) else {
        return id(body).map(Found::One);
    };
    match results.as_slice() {
        [] => Some(Found::Nobody),
        [one] => id(one).map(Found::One),
        several => {
            let counted = u64::try_from(several.len()).unwrap_or(u64::MAX);
            Some(Found::Several(body.get("total").and_then(Value::as_u64).unwrap_or(counted)))
        }
    }
}

fn properties(email: &str, name: Option<&str>) -> Value {
    let mut properties = json!({"email": email});
    let name = name.map(|name| one_line(name, 100)).unwrap_or_default();
    // Contacts are exported to spreadsheets, where these would begin a formula.
    let name = name.trim_start_matches(['=', '+', '-', '@', ' ']);
    let (first, last) = name.split_once(' ').unwrap_or((name, ""));
    for (property, value) in
        [("firstname", first), ("lastname", last.trim_start_matches(['=', '+', '-', '@', ' ']))]
    {
        if !value.is_empty() {
            properties[property] = json!(value);
        }
    }
    json!({"properties": properties})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::ExternalId;

    #[test]
    fn a_customer_is_looked_up_as_the_settings_say() {
        let settings = |without_email| Settings {
            without_email,
            external_id: Some(ExternalId { session_field: "crm".into(), property: "crm_id".into() }),
            ..Settings::default()
        };
        let nobody = Customer::default();
        let known = Customer {
            phone: Some(" +48 123 ".into()),
            session_fields: vec![("crm".into(), "77".into())],
            ..Customer::default()
        };
        let with_email = Customer { email: Some("a@x".into()), ..known.clone() };
        let property = Key::Property { name: "crm_id".into(), value: "77".into() };
        for (customer, without_email, expected) in [
            (&with_email, WithoutEmail::Phone, Some(Key::Email("a@x".into()))),
            (&known, WithoutEmail::Skip, None),
            (&known, WithoutEmail::Phone, Some(Key::Phone("+48 123".into()))),
            (&known, WithoutEmail::ExternalId, Some(property)),
            (&nobody, WithoutEmail::Phone, None),
            (&nobody, WithoutEmail::ExternalId, None),
        ] {
            assert_eq!(Key::of(customer, &settings(without_email)), expected, "{customer:?}");
        }
    }

    #[test]
    fn what_was_found_is_one_or_several_or_nobody() {
        for (body, expected) in [
            (json!({"id": "501", "properties": {}}), Some(Found::One("501".into()))),
            (json!({"total": 0, "results": []}), Some(Found::Nobody)),
            (json!({"total": 1, "results": [{"id": "7"}]}), Some(Found::One("7".into()))),
            (json!({"total": 3, "results": [{"id": "7"}, {"id": "8"}]}), Some(Found::Several(3))),
            (json!({"id": "../8"}), None),
            (Value::Null, None),
        ] {
            assert_eq!(found(&body), expected, "{body}");
        }
    }

    #[test]
    fn a_new_contact_has_a_name_that_is_no_formula() {
        for (name, expected) in [
            (
                Some("Ada Lovelace King"),
                json!({"email": "a@x", "firstname": "Ada", "lastname": "Lovelace King"}),
            ),
            (Some("Ada"), json!({"email": "a@x", "firstname": "Ada"})),
            (Some("=HYPERLINK(1) =2"), json!({"email": "a@x", "firstname": "HYPERLINK(1)", "lastname": "2"})),
            (Some("\u{202E} @@ "), json!({"email": "a@x"})),
            (None, json!({"email": "a@x"})),
        ] {
            assert_eq!(properties("a@x", name), json!({"properties": expected}), "{name:?}");
        }
    }

    #[test]
    fn a_phone_number_is_searched_in_both_properties() {
        let search = search(&Key::Phone("+48".into()));
        assert_eq!(search["filterGroups"].as_array().map(Vec::len), Some(2));
        assert_eq!(search["filterGroups"][1]["filters"][0]["propertyName"], "mobilephone");
    }
}
