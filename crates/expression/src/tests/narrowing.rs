//! Where asking makes a value known not to be null, and where it does not.

use super::support::{World, faults, text};

fn compiles(text: &str) -> bool {
    World::default().compile(text, &self::text().or_null()).is_ok()
}

#[test]
fn asking_lets_know() {
    for fine in [
        "record.email != null ? upper(record.email) : ''",
        "record.email == null ? '' : upper(record.email)",
        "null == record.email ? '' : upper(record.email)",
        "has(record.email) ? upper(record.email) : ''",
        "!has(record.email) ? '' : upper(record.email)",
        "!(record.email == null) ? upper(record.email) : ''",
        "record.email != null && record.nickname != null ? record.email + record.nickname : ''",
        "record.email == null || record.nickname == null ? '' : record.email + record.nickname",
        "record.email != null && size(record.email) > 3 ? 'long' : 'short'",
        "record.email == null || size(record.email) < 3 ? 'short' : 'long'",
        "(record.email != null ? size(record.email) > 3 : false) ? upper(record.email) : ''",
        "record.email != null ? join(record.tags.map(t, record.email + t), ' ') : ''",
        "(has(record.email) && has(record.nickname)) || has(record.email) ? upper(record.email) : ''",
        "has(record.parent) ? link(record.parent, 'companies') : null",
    ] {
        assert!(compiles(fine), "{fine}");
    }
}

#[test]
fn what_was_not_asked_is_not_known() {
    for wrong in [
        "upper(record.email)",
        "record.email == null ? upper(record.email) : ''",
        "record.email != null || record.active ? upper(record.email) : ''",
        "!(record.email != null && record.active) ? upper(record.email) : ''",
        "record.nickname != null ? upper(record.email) : ''",
        "(record.email != null ? true : record.active) ? upper(record.email) : ''",
        "has(record.email) || has(record.nickname) ? upper(record.email) : ''",
        "upper(record.email) == 'X' && record.email != null ? '' : ''",
        "link(record.parent, 'companies')",
        "coalesce(record.email, null) != null ? upper(coalesce(record.email, null)) : ''",
    ] {
        let found = faults(wrong);
        let hint = found.first().and_then(|fault| fault.hint.clone()).unwrap_or_default();
        assert!(hint.contains("it may be null"), "{wrong}: {found:?}");
    }
}
