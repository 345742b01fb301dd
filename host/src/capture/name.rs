//! How a captured webhook's file is called.

use jiff::Timestamp;

/// The longest event type in a name, in characters: file systems take 255 bytes in all.
const TYPE_CHARS_MAX: usize = 64;

/// What `chatplug send` knows a webhook by that came with a signature, and has no secret in its body.
pub const SIGNED: &str = ".signed.json";

/// A name that sorts by time, then by the number that the webhook has since the start. The event type comes from outside:
/// only letters, digits and `_` of it stay.
pub(super) fn name(received_at_ms: i64, number: u64, event_type: &str, signed: bool) -> String {
    let time = Timestamp::from_millisecond(received_at_ms).unwrap_or_default().strftime("%Y%m%dT%H%M%S.%3fZ");
    let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let event_type: String = event_type.chars().take(TYPE_CHARS_MAX).map(safe).collect();
    let ending = if signed { SIGNED } else { ".json" };
    format!("{time}-{number:06}-{event_type}{ending}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOON_MS: i64 = 1_780_315_200_000;

    fn check(after_noon_ms: i64, number: u64, event_type: &str, signed: bool, expected: &str) {
        assert_eq!(name(NOON_MS + after_noon_ms, number, event_type, signed), expected);
    }

    #[test]
    fn a_name_tells_time_number_type_and_what_was_signed() {
        check(0, 1, "incoming_chat", false, "20260601T120000.000Z-000001-incoming_chat.json");
        check(7, 42, "chat_deactivated", true, "20260601T120000.007Z-000042-chat_deactivated.signed.json");
        check(61_500, 1_234_567, "x", false, "20260601T120101.500Z-1234567-x.json");
        check(0, 1, "livechat.timer", false, "20260601T120000.000Z-000001-livechat_timer.json");
        check(0, 1, "../../etc/passwd", false, "20260601T120000.000Z-000001-______etc_passwd.json");
        check(0, 1, "naïve\u{202e}\n\0", false, "20260601T120000.000Z-000001-na_ve___.json");
        check(0, 1, "", false, "20260601T120000.000Z-000001-.json");
        check(
            0,
            1,
            &"x".repeat(300),
            true,
            &format!("20260601T120000.000Z-000001-{}.signed.json", "x".repeat(64)),
        );
    }

    proptest! {
        #[test]
        fn names_are_safe_and_sort_by_time_and_number(
            earlier_ms in 0..4_000_000_000_000_i64, after_ms in 0..100_000_i64,
            number in 0..900_000_u64, more in 1..90_000_u64, earlier_type in ".*", later_type in ".*", signed in any::<bool>(),
        ) {
            let earlier = name(earlier_ms, number, &earlier_type, signed);
            let later = name(earlier_ms + after_ms, number + more, &later_type, !signed);
            prop_assert!(earlier < later, "{earlier} {later}");
            let is_safe = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
            prop_assert!(earlier.chars().all(is_safe) && earlier.len() < 128, "{earlier}");
        }

        #[test]
        fn no_clock_is_too_odd(received_at_ms in any::<i64>()) {
            prop_assert!(name(received_at_ms, 1, "x", false).ends_with("-000001-x.json"));
        }
    }
}
