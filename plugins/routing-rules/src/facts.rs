//! What the rules look at.

use jiff::Timestamp;

use crate::pattern;
use crate::settings::When;

/// What is known of a chat and its customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The address of the page on which the customer is.
    pub page_url: Option<String>,
    /// The customer's e-mail address.
    pub email: Option<String>,
    /// The customer's session fields: name and value.
    pub session_fields: Vec<(String, String)>,
    /// Names of the customer's country: its code, its name.
    pub country: Vec<String>,
    /// What the customer wrote: answers of the form before the chat, and messages.
    pub said: Vec<String>,
    /// When the customer came.
    pub at: Timestamp,
}

impl Facts {
    /// Whether all that `when` asks for holds, but for the availability of groups.
    pub fn satisfy(&self, when: &When) -> bool {
        self.page_satisfies(when)
            && self.customer_satisfies(when)
            && when.keywords.none_or(|word| self.said.iter().any(|said| pattern::keyword(word, said)))
            && when.hours.none_or(|hours| hours.contain(self.at))
            && !when.outside_hours.as_slice().iter().any(|hours| hours.contain(self.at))
    }

    fn page_satisfies(&self, when: &When) -> bool {
        let url = self.page_url.as_deref();
        when.page_url.none_or(|wanted| url.is_some_and(|url| pattern::page(wanted, url)))
            && when.page_domain.none_or(|wanted| {
                url.and_then(pattern::host).is_some_and(|host| pattern::domain(wanted, host))
            })
    }

    fn customer_satisfies(&self, when: &When) -> bool {
        let email_domain = self.email.as_deref().and_then(pattern::email_domain);
        when.email_domain.none_or(|wanted| email_domain.is_some_and(|domain| pattern::domain(wanted, domain)))
            && when.country.none_or(|wanted| {
                self.country.iter().any(|name| name.to_lowercase() == wanted.to_lowercase())
            })
            && when
                .session_fields
                .iter()
                .all(|(field, wanted)| wanted.none_or(|pattern| self.has_session_field(field, pattern)))
    }

    fn has_session_field(&self, field: &str, pattern: &str) -> bool {
        self.session_fields
            .iter()
            .any(|(name, value)| name.to_lowercase() == field.to_lowercase() && pattern::glob(pattern, value))
    }
}
