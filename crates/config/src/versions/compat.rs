//! Whether what was written under one version of a schema can be read under another, and why not.
//!
//! *Backward*: the newer version reads what the older one wrote; *forward*: the older one reads what the newer one writes.
//! Both are one question with the roles exchanged. Writers are closed: they write what their schema names. Readers are open:
//! what theirs does not name is kept and not looked at. Whoever reads brings values into the normal form of its types, so
//! that a whole number is read as a decimal.
//!
//! Version after version is judged, each with the one before it. That is enough: what reads the one before reads all
//! before that, too, as long as none of the steps was made under `none`.

use canonical::Field;
use canonical::schema::Compatibility;
use canonical::value::normal;

use super::meaning::{EntityMeaning, FieldMeaning};

/// Something that may not be changed so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Breach {
    /// Where in the newer file.
    pub(crate) at: Vec<String>,
    /// What, and for whom it is wrong.
    pub(crate) what: String,
    /// What would be right.
    pub(crate) hint: String,
}

/// A version of a schema with its number.
#[derive(Clone, Copy)]
pub(crate) struct Numbered<'a> {
    pub(crate) number: u32,
    pub(crate) meaning: &'a EntityMeaning,
}

/// What keeps `is` from following on `was` under a mode. `carried`: `was` as it comes out of the newer file's upcasters.
pub(crate) fn breaches(
    was: Numbered<'_>,
    carried: &EntityMeaning,
    is: Numbered<'_>,
    mode: Compatibility,
) -> Vec<Breach> {
    let mut out = names(was, is);
    if mode.is_backward() {
        let old = Roles { writer: was.number, reader: is.number, mode: "backward" };
        out.extend(unread(carried, is.meaning, &old));
        out.extend(forgotten(was, is));
    }
    if mode.is_forward() {
        let new = Roles { writer: is.number, reader: was.number, mode: "forward" };
        out.extend(unread(is.meaning, was.meaning, &new));
    }
    out
}

/// Steps from versions before that, without which what was written under them is not read.
fn forgotten(was: Numbered<'_>, is: Numbered<'_>) -> Vec<Breach> {
    let gone = was.meaning.upcast.iter().map(|step| step.from);
    let gone = gone.filter(|from| !is.meaning.upcast.iter().any(|step| step.from == *from));
    let breach = |from| Breach {
        at: vec!["upcast".to_owned()],
        what: format!(
            "the step from version {from} is gone: what was written under it would not be read (backward)"
        ),
        hint: format!("keep the steps that version {} has, and add `from: {}`", was.number, was.number),
    };
    gone.map(breach).collect()
}

/// What holds in every mode: a name stands for one thing for ever.
fn names(was: Numbered<'_>, is: Numbered<'_>) -> Vec<Breach> {
    let (old, new) = (was.meaning, is.meaning);
    let mut out = Vec::new();
    for (name, before) in &old.fields {
        match new.fields.get(name) {
            Some(after) if !after.kind.0.reads(&before.kind.0) && !before.kind.0.reads(&after.kind.0) => {
                out.push(Breach {
                    at: property(name, "type"),
                    what: format!(
                        "the field `{name}` was {} and would be {}: records hold values of the former type",
                        before.kind.0, after.kind.0
                    ),
                    hint: format!(
                        "add another field, fill it in an `upcast` from version {}, and retire `{name}`",
                        was.number
                    ),
                });
            }
            None if !new.retired.contains(name) => out.push(Breach {
                at: vec!["schema".to_owned(), "properties".to_owned()],
                what: format!("the field `{name}` of version {} is gone, and its name is not retired", was.number),
                hint: "add it to `retired`: records and events still hold values under it, and no other field may"
                    .to_owned(),
            }),
            _ => {}
        }
    }
    for name in old.retired.difference(&new.retired) {
        let back = new.fields.contains_key(name);
        let at = if back { property(name, "") } else { vec!["retired".to_owned()] };
        let what = match back {
            true => {
                format!("`{name}` was retired by version {} and would come back as another field", was.number)
            }
            false => format!("`{name}` was retired by version {} and is not any more", was.number),
        };
        let hint = match back {
            true => "give the field another name, and leave this one in `retired`",
            false => "put it back into `retired`: records and events may still hold values under it",
        };
        out.push(Breach { at, what, hint: hint.to_owned() });
    }
    out
}

/// Who wrote and who reads.
struct Roles {
    writer: u32,
    reader: u32,
    mode: &'static str,
}

impl Roles {
    fn breach(&self, at: Vec<String>, why: &str, hint: impl Into<String>) -> Breach {
        let Self { writer, reader, mode } = self;
        let what = format!("{why}: what version {writer} wrote is not read by version {reader} ({mode})");
        Breach { at, what, hint: hint.into() }
    }

    /// The place is in the newer file, whichever role that has.
    fn is_backward(&self) -> bool {
        self.mode == "backward"
    }
}

/// What of `writer`'s records `reader` could not take.
fn unread(writer: &EntityMeaning, reader: &EntityMeaning, roles: &Roles) -> Vec<Breach> {
    let mut out = Vec::new();
    for (name, reads) in &reader.fields {
        if let Some(wrote) = writer.fields.get(name) {
            values(name, wrote, reads, roles, &mut out);
        }
        if reader.required.contains(name) && !writer.required.contains(name) {
            let why = match writer.fields.contains_key(name) {
                true => format!("`{name}` is required, and was not"),
                false => format!("`{name}` is new and required"),
            };
            let (why, hint) = if roles.is_backward() {
                (
                    why,
                    format!(
                        "do not require it, or say what older records have: `upcast: [{{from: {}, rows: [{{field: {name}, default: …}}]}}]`",
                        roles.writer
                    ),
                )
            } else {
                (format!("`{name}` is not required any more"), "go on requiring it".to_owned())
            };
            out.push(roles.breach(vec!["schema".to_owned(), "required".to_owned()], &why, hint));
        }
    }
    out
}

/// What of a field's values the reader could not take.
fn values(name: &Field, wrote: &FieldMeaning, reads_as: &FieldMeaning, roles: &Roles, out: &mut Vec<Breach>) {
    let mut breach = |keyword: &str, why: String, hint: &str| {
        out.push(roles.breach(property(name, keyword), &why, hint));
    };
    let wider = if roles.is_backward() { "keep what there was" } else { "keep to what there was" };
    if !reads_as.kind.0.reads(&wrote.kind.0) {
        // Where neither reads the other, the name itself is wrong, and that has been said.
        if wrote.kind.0.reads(&reads_as.kind.0) {
            let why = format!("`{name}` holds {}, and is read as {}", wrote.kind.0, reads_as.kind.0);
            breach("type", why, "add another field, and fill it in an `upcast`");
        }
        return;
    }
    let unknown = match (&reads_as.choices, &wrote.choices) {
        (None, _) => None,
        (Some(_), None) => Some(format!("`{name}` holds any value, and is read as one of a list")),
        (Some(known), Some(written)) => {
            let taken = |value: &&serde_json::Value| {
                normal(&reads_as.kind.0, (*value).clone()).is_ok_and(|value| known.contains(&value))
            };
            let lacking: Vec<String> =
                written.iter().filter(|value| !taken(value)).map(ToString::to_string).collect();
            (!lacking.is_empty())
                .then(|| format!("`{name}` holds {}, which the other list lacks", lacking.join(", ")))
        }
    };
    if let Some(why) = unknown {
        breach("enum", why, wider);
    }
    if let Some(most) = reads_as.chars_max.filter(|most| longest(wrote).is_none_or(|longest| longest > *most))
    {
        let up_to = longest(wrote)
            .map_or_else(|| "any number of characters".to_owned(), |most| format!("{most} characters"));
        breach("maxLength", format!("`{name}` holds up to {up_to}, and {most} are read"), wider);
    }
    if reads_as.email && !wrote.email {
        breach("format", format!("`{name}` holds any text, and is read as an address"), wider);
    }
    if reads_as.pii < wrote.pii {
        let why = format!(
            "`{name}` was kept as `{}` and would be shown as `{}`",
            word(wrote.pii),
            word(reads_as.pii)
        );
        let hint = "keep the stricter class: what was taken in under it may be in old records and events";
        out.push(roles.breach(vec!["fields".to_owned(), name.to_string(), "pii".to_owned()], &why, hint));
    }
}

/// The longest text that is written, where there is a bound.
fn longest(wrote: &FieldMeaning) -> Option<usize> {
    let listed = wrote.choices.as_ref().map(|choices| {
        choices.iter().filter_map(|value| Some(value.as_str()?.chars().count())).max().unwrap_or_default()
    });
    listed.or(wrote.chars_max)
}

const fn word(class: canonical::PiiClass) -> &'static str {
    match class {
        canonical::PiiClass::None => "none",
        canonical::PiiClass::Basic => "basic",
        canonical::PiiClass::Sensitive => "sensitive",
    }
}

fn property(name: &Field, keyword: &str) -> Vec<String> {
    let path = ["schema", "properties", name.as_str(), keyword];
    path.into_iter().filter(|key| !key.is_empty()).map(str::to_owned).collect()
}
