//! Match keys: the values of a record by which it is found, in the form in which they are compared.

use canonical::schema::{Normalise, OnRecreate};
use canonical::{Alive, EntitySchema, Field, Fields, Record, RecordId};
use icu_normalizer::DecomposingNormalizerBorrowed;
use serde_json::Value;
use unicode_general_category::{GeneralCategory, get_general_category};

/// Ends each part of a key.
const END: char = '\u{1f}';

/// Match keys of a record in comparing form: (key, value). Keys with an empty part, and keys of another scope, are left out.
#[must_use]
pub fn match_values(schema: &EntitySchema, fields: &Fields) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for key in &schema.match_keys {
        if !key.when.iter().all(|condition| condition.holds(fields)) {
            continue;
        }
        let mut whole = String::new();
        let complete = key.fields.iter().all(|field| {
            let part = match fields.get(field.as_str()) {
                Some(Value::String(text)) => comparing(text, key.fold, &key.normalise),
                Some(value @ (Value::Number(_) | Value::Bool(_))) => Some(format!("{value}{END}")),
                _ => None,
            };
            part.map(|part| whole.push_str(&part)).is_some()
        });
        if complete {
            out.push((key.kept_as(), whole));
        }
    }
    out
}

/// By which a record is looked for, at most.
const NAMED_MAX: usize = 256;

/// The match keys of a message whose references lead to these records. One that was merged into another is kept under
/// either's id, wherever it was referred to before and since: all of them are looked for, up to a bound.
#[must_use]
pub fn match_values_named(
    schema: &EntitySchema,
    fields: &Fields,
    references: &[(Field, Vec<RecordId>)],
) -> Vec<(String, String)> {
    let mut all = vec![fields.clone()];
    for (field, names) in references {
        let with = |known: &Fields, name: &RecordId| {
            let mut fields = known.clone();
            fields.insert(field.as_str().to_owned(), Value::String(name.to_string()));
            fields
        };
        // The survivor's own id comes first, in each.
        let each = names.iter().flat_map(|name| all.iter().map(move |known| (known, name)));
        let next: Vec<Fields> = each.take(NAMED_MAX).map(|(known, name)| with(known, name)).collect();
        if !next.is_empty() {
            all = next;
        }
    }
    let mut out = Vec::new();
    for (key, value) in all.iter().flat_map(|fields| match_values(schema, fields)) {
        if !out.contains(&(key.clone(), value.clone())) {
            out.push((key, value));
        }
    }
    out
}

/// The match keys by which a record is found: those of one that stands, of an alias, which keeps its own for ever, and of a
/// deleted one where it may come back by them.
#[must_use]
pub fn kept_keys(schema: &EntitySchema, record: &Record) -> Vec<(String, String)> {
    let found = match record.alive {
        Alive::Live | Alive::Merged { .. } => true,
        Alive::Deleted { .. } => schema.on_recreate == OnRecreate::Revive,
    };
    if found { match_values(schema, &record.fields) } else { Vec::new() }
}

/// A text as a part of a match key, in comparing form. `None`: nothing is left of it.
pub(crate) fn comparing(text: &str, fold: bool, normalise: &[Normalise]) -> Option<String> {
    let mut part = text.trim().to_owned();
    for step in normalise {
        part = normalised(&part, *step);
    }
    if fold {
        part = part.to_lowercase();
    }
    if part.is_empty() {
        return None;
    }
    part.push(END);
    Some(part)
}

fn normalised(text: &str, step: Normalise) -> String {
    match step {
        Normalise::Words => text.split_whitespace().collect::<Vec<_>>().join(" "),
        Normalise::Alphanumeric => text.chars().filter(|c| c.is_alphanumeric()).collect(),
        Normalise::Digits => text.chars().filter(char::is_ascii_digit).collect(),
        Normalise::Accents => {
            let mark = |c: &char| {
                matches!(
                    get_general_category(*c),
                    GeneralCategory::NonspacingMark
                        | GeneralCategory::SpacingMark
                        | GeneralCategory::EnclosingMark
                )
            };
            let apart = DecomposingNormalizerBorrowed::new_nfkd().normalize(text);
            apart.chars().filter(|c| !mark(c)).collect()
        }
        Normalise::Domain => domain(text).unwrap_or_default(),
    }
}

/// The domain of an address: `ada@Mail.example.com`, `https://www.example.com/about`, `example.com`.
fn domain(text: &str) -> Option<String> {
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = text.split(['/', '?', '#']).next()?;
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let host = host.split(':').next()?.trim_end_matches('.').to_lowercase();
    let host = host.strip_prefix("www.").unwrap_or(&host);
    let told = host.contains('.') && !host.contains(char::is_whitespace);
    told.then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_by_what_counts() {
        use Normalise::{Accents, Alphanumeric, Digits, Domain, Words};
        let cases: &[(&[Normalise], &str, Option<&str>)] = &[
            (&[], " Ada ", Some("Ada")),
            (&[], " \t", None),
            (&[Words], " Ada \u{a0} King\n", Some("Ada King")),
            (&[Alphanumeric], "DE 123.456-789", Some("DE123456789")),
            (&[Alphanumeric], "---", None),
            (&[Digits], "+49 (171) 12-34", Some("491711234")),
            (&[Digits], "\u{664}\u{665} none", None),
            (&[Accents], "Zo\u{eb} M\u{fc}ller \u{fb01}n", Some("Zoe Muller fin")),
            (&[Accents], "Zoe\u{308}", Some("Zoe")),
            (&[Accents, Alphanumeric], "\u{c5}re & S\u{f8}n", Some("AreS\u{f8}n")),
            (&[Domain], "Ada@Mail.Example.com", Some("mail.example.com")),
            (&[Domain], "https://www.example.com:8080/about?x=a@b", Some("example.com")),
            (&[Domain], "example.com.", Some("example.com")),
            (&[Domain], "user:pass@example.com", Some("example.com")),
            (&[Domain], "localhost", None),
            (&[Domain], "no domain. here", None),
        ];
        for (normalise, text, expected) in cases {
            let found = comparing(text, false, normalise);
            assert_eq!(found.as_deref().map(|found| found.trim_end_matches(END)), *expected, "{text:?}");
        }
        assert_eq!(comparing(" ADA ", true, &[]).as_deref(), Some("ada\u{1f}"));
    }

    /// A record that was merged into another is referred to by either's id, as it was when that was said.
    #[test]
    fn a_reference_in_a_key_is_looked_for_by_all_names() {
        let source = r#"{"name": "number", "fields": ["account", "number"]}"#;
        let mut schema = crate::tests::schema();
        schema.match_keys = vec![serde_json::from_str(source).unwrap()];
        let ids = [1, 2].map(|number| RecordId::from_parts(canonical::Wall(1_000), number));
        let of = |id: RecordId| {
            let fields = [("account", id.to_string()), ("number", "7".to_owned())];
            let fields = fields.map(|(name, text)| (name.to_owned(), Value::from(text)));
            match_values(&schema, &fields.into_iter().collect())
        };
        let said: Fields = [("number".to_owned(), Value::from("7"))].into_iter().collect();
        let account = Field::new("account").unwrap();
        let found = match_values_named(&schema, &said, &[(account, ids.to_vec())]);
        assert_eq!(found, [of(ids[0]), of(ids[1])].concat());
        assert_eq!(match_values_named(&schema, &said, &[]), []);
    }

    /// A key has a scope, and what another definition of its name kept is not found by it.
    #[test]
    fn a_key_is_one_of_the_records_in_its_scope() {
        let source = r#"{"name": "vat", "fields": ["vat"], "fold": true, "when": [{"field": "kind", "equals": "company"}]}"#;
        let scoped: canonical::schema::MatchKey = serde_json::from_str(source).unwrap();
        let plain = canonical::schema::MatchKey { when: Vec::new(), ..scoped.clone() };
        assert_eq!(plain.kept_as(), "vat");
        assert!(scoped.kept_as().starts_with("vat#"), "{}", scoped.kept_as());
        let mut schema = crate::tests::schema();
        schema.match_keys = vec![scoped, plain];
        let of = |kind: &str| {
            let fields =
                [("kind", kind), ("vat", "DE1")].map(|(name, text)| (name.to_owned(), Value::from(text)));
            match_values(&schema, &fields.into_iter().collect()).len()
        };
        assert_eq!((of("company"), of("person")), (2, 1));
    }
}
