//! One row against one field.

use canonical::{FieldSpec, FieldType};
use connector::{FieldKind, FieldSeen};
use mapping::{Lookup, RowSource};
use serde_json::Value;

/// Most values that are told.
const TOLD_MAX: usize = 5;

/// What does not fit.
pub(super) struct Flaw {
    /// The row's key that is meant.
    pub(super) key: &'static str,
    /// Whether it will break, else it may.
    pub(super) breaks: bool,
    pub(super) what: String,
    pub(super) hint: String,
}

/// All that does not fit. What goes through a transform or an expression has no type and no length that could be known here.
pub(super) fn flaws(
    row: &RowSource,
    spec: Option<&FieldSpec>,
    table: Option<&Lookup>,
    field: &FieldSeen,
) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    flaws.extend(read_only(row, field));
    let plain = row.transform.is_empty() && row.expr.is_none() && row.reference.is_none();
    let same = spec.filter(|_| plain && row.lookup.is_none());
    flaws.extend(same.and_then(|spec| kind(row, spec, field)));
    flaws.extend(same.and_then(|spec| length(row, spec, field)));
    flaws.extend(values(row, same, table.filter(|_| plain), field));
    flaws
}

fn read_only(row: &RowSource, field: &FieldSeen) -> Option<Flaw> {
    (row.direction.writes() && field.writable == Some(false)).then(|| Flaw {
        key: "path",
        breaks: true,
        what: format!("`{}` cannot be written there", field.path),
        hint: "let the row only read (`direction: in`), or have the right to write it granted at the vendor"
            .to_owned(),
    })
}

fn kind(row: &RowSource, spec: &FieldSpec, field: &FieldSeen) -> Option<Flaw> {
    let writes = row.direction.writes() && !takes(field.kind, &spec.kind);
    let reads = row.direction.reads() && !gives(field.kind, &spec.kind);
    let numbers = matches!(field.kind, FieldKind::Integer | FieldKind::Decimal)
        && matches!(spec.kind, FieldType::Integer | FieldType::Decimal);
    (writes || reads).then(|| {
        let vendor = if field.vendor_type.is_empty() {
            field.kind.name().to_owned()
        } else {
            format!("{}, in the vendor's word {}", field.kind.name(), field.vendor_type)
        };
        Flaw {
            key: "path",
            // Many a number without decimals is called a decimal one.
            breaks: !numbers,
            what: format!("`{}` holds another type: {vendor}; the field is {}", field.path, spec.kind.word()),
            hint: "add a `transform` that makes the one of the other, or map another field".to_owned(),
        }
    })
}

/// Whether a system's field takes what a record's field holds.
fn takes(theirs: FieldKind, ours: &FieldType) -> bool {
    use FieldKind as K;
    match ours {
        _ if theirs == K::Other => true,
        FieldType::Any | FieldType::Reference(_) => true,
        FieldType::Text => matches!(theirs, K::Text | K::Choice | K::Reference),
        FieldType::Integer => matches!(theirs, K::Integer | K::Decimal),
        FieldType::Decimal => theirs == K::Decimal,
        FieldType::Boolean => theirs == K::Boolean,
        FieldType::Date => theirs == K::Date,
        FieldType::Time => theirs == K::Time,
        FieldType::List { .. } => matches!(theirs, K::List | K::Object),
    }
}

/// Whether a record's field takes what a system's field holds.
fn gives(theirs: FieldKind, ours: &FieldType) -> bool {
    use FieldKind as K;
    match ours {
        _ if theirs == K::Other => true,
        FieldType::Any | FieldType::Reference(_) => true,
        FieldType::Text => matches!(theirs, K::Text | K::Choice | K::Reference | K::Date | K::Time),
        FieldType::Integer => theirs == K::Integer,
        FieldType::Decimal => matches!(theirs, K::Integer | K::Decimal),
        FieldType::Boolean => theirs == K::Boolean,
        FieldType::Date => theirs == K::Date,
        FieldType::Time => theirs == K::Time,
        FieldType::List { .. } => matches!(theirs, K::List | K::Object),
    }
}

fn length(row: &RowSource, spec: &FieldSpec, field: &FieldSeen) -> Option<Flaw> {
    let most = field.chars_max?;
    if !row.direction.writes() || spec.kind != FieldType::Text {
        return None;
    }
    let longest = spec.choices.as_ref().map(|choices| {
        choices.iter().filter_map(Value::as_str).map(|text| text.chars().count()).max().unwrap_or_default()
    });
    let longest = longest.or(spec.chars_max)?;
    (u64::try_from(longest).is_ok_and(|longest| longest > most)).then(|| Flaw {
        key: "path",
        breaks: false,
        what: format!("`{}` takes {most} characters, and the field may have {longest}", field.path),
        hint: "lower the field's `maxLength`, or cut it off here with a `transform`".to_owned(),
    })
}

/// Values that are written and not taken, or come in and are none of the record's.
fn values(row: &RowSource, same: Option<&FieldSpec>, table: Option<&Lookup>, field: &FieldSeen) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    if let Some(Value::String(constant)) = &row.constant {
        let long = field.chars_max.is_some_and(|most| constant.chars().count() as u64 > most);
        if long {
            flaws.push(Flaw {
                key: "constant",
                breaks: true,
                what: format!("`{}` takes {} characters", field.path, field.chars_max.unwrap_or_default()),
                hint: "write a shorter text".to_owned(),
            });
        }
    }
    let Some(known) = &field.values else { return flaws };
    let lacks = |value: &&str| !known.iter().any(|one| one == value);
    let (key, written): (_, Vec<&str>) = match (&row.constant, same, table, &row.lookup) {
        (Some(constant), ..) => ("constant", constant.as_str().into_iter().collect()),
        (None, Some(spec), ..) => ("path", spec.choices.iter().flatten().filter_map(Value::as_str).collect()),
        (None, None, Some(table), Some(used)) => (
            "lookup",
            table.values(&used.from).into_iter().flatten().filter(|cell| !cell.is_empty()).collect(),
        ),
        _ => return flaws,
    };
    let refused: Vec<&str> = written.iter().copied().filter(lacks).collect();
    if row.direction.writes() && !refused.is_empty() {
        flaws.push(Flaw {
            key,
            breaks: true,
            what: format!("`{}` does not take {}", field.path, listed(&refused)),
            hint: format!("it takes {}", listed(&known.iter().map(String::as_str).collect::<Vec<_>>())),
        });
    }
    let choices = same.and_then(|spec| spec.choices.as_ref());
    let strange: Vec<&str> = match (choices, table, &row.lookup) {
        (Some(_), ..) | (None, Some(_), Some(_)) => {
            known.iter().map(String::as_str).filter(|value| !written.contains(value)).collect()
        }
        _ => Vec::new(),
    };
    if row.direction.reads() && !strange.is_empty() {
        flaws.push(Flaw {
            key,
            breaks: false,
            what: format!("`{}` may hold {}, which the record does not know", field.path, listed(&strange)),
            hint: "add them to the field's `enum` or to the table, or take them away at the vendor"
                .to_owned(),
        });
    }
    flaws
}

fn listed(values: &[&str]) -> String {
    let told: Vec<String> = values.iter().take(TOLD_MAX).map(|value| format!("`{value}`")).collect();
    match values.len().saturating_sub(TOLD_MAX) {
        0 => told.join(", "),
        more => format!("{} and {more} more", told.join(", ")),
    }
}
