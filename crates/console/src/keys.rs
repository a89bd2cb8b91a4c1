//! Keys in addresses: a delivery's identity as one opaque word. Whose it is stays out of it, so that no key reaches
//! into another tenant.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use canonical::{EventId, MessageId, RecordId, RouteId, Tenant};
use ledger::{ObligationKey, Subject};

const PREFIX: &str = "dlv_";
const RECORD: u8 = 0;
const EVENT: u8 = 1;

/// What a dead letter is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Letter {
    /// A delivery.
    Delivery(ObligationKey),
    /// A message.
    Message(MessageId),
}

/// A delivery's key as shown.
pub(crate) fn shown(key: &ObligationKey) -> String {
    let (kind, id) = match &key.subject {
        Subject::Record(record) => (RECORD, record.as_bytes()),
        Subject::Event(event) => (EVENT, event.as_bytes()),
    };
    let mut bytes = vec![kind];
    bytes.extend_from_slice(id);
    bytes.extend_from_slice(key.route.as_str().as_bytes());
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// The delivery that a shown key names within `tenant`. `None` when the text is none.
pub(crate) fn read(tenant: &Tenant, text: &str) -> Option<ObligationKey> {
    let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
    let (kind, rest) = bytes.split_first()?;
    let (id, route) = rest.split_first_chunk::<16>()?;
    let route = std::str::from_utf8(route).ok().filter(|route| !route.is_empty())?;
    // The ids' own reading of sixteen bytes goes through their text.
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let subject = match *kind {
        RECORD => Subject::Record(hex.parse::<RecordId>().ok()?),
        EVENT => Subject::Event(hex.parse::<EventId>().ok()?),
        _ => return None,
    };
    Some(ObligationKey { tenant: tenant.clone(), route: RouteId::from(route), subject })
}

/// What a dead letter's key names.
pub(crate) fn letter(tenant: &Tenant, text: &str) -> Option<Letter> {
    if text.starts_with("msg_") {
        return text.parse().ok().map(Letter::Message);
    }
    read(tenant, text).map(Letter::Delivery)
}

#[cfg(test)]
mod tests {
    //! Keys come back as they went, and nothing else is one.
    use super::*;

    #[test]
    fn keys_come_back() {
        let tenant = Tenant::new("acme").unwrap();
        let record = "rec_0198c0de00007000800000000000000a".parse().unwrap();
        let event = "evt_0198c0de00007000800000000000000b".parse().unwrap();
        for subject in [Subject::Record(record), Subject::Event(event)] {
            for route in ["r", "contact.crm", "umläut/with space"] {
                let key = ObligationKey { tenant: tenant.clone(), route: RouteId::from(route), subject };
                let text = shown(&key);
                assert!(
                    text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')),
                    "{text}"
                );
                assert_eq!(read(&tenant, &text), Some(key.clone()));
                assert_eq!(letter(&tenant, &text), Some(Letter::Delivery(key)));
            }
        }
        let message: MessageId = "msg_0198c0de00007000800000000000000c".parse().unwrap();
        assert_eq!(letter(&tenant, &message.to_string()), Some(Letter::Message(message)));
    }

    #[test]
    fn other_texts_are_no_keys() {
        let tenant = Tenant::new("acme").unwrap();
        for text in [
            "",
            "dlv_",
            "dlv_AA",
            "dlv_AAAAAAAAAAAAAAAAAAAAAAA",
            "AAAA",
            "dlv_====",
            "msg_",
            "msg_x",
            "rec_1",
        ] {
            assert_eq!(letter(&tenant, text), None, "{text}");
        }
        let odd = format!("dlv_{}", URL_SAFE_NO_PAD.encode([[7_u8; 17].as_slice(), b"route"].concat()));
        assert_eq!(letter(&tenant, &odd), None, "a subject of an unknown kind");
    }
}
