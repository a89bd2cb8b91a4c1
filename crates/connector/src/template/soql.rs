//! Texts in SOQL, Salesforce's query language.
//!
//! A text stands between single quotes, and a backslash escapes: a doubled quote, as SQL has it, ends the text
//! [doc: SOQL and SOSL Reference, "Quoted String Escape Sequences"].

use std::borrow::Cow;

/// A quoted literal. `%` and `_` stay as they are: they mean something behind `LIKE` only.
///
/// # Errors
/// Control characters without an escape of their own.
pub(super) fn literal(text: &str) -> Result<String, Cow<'static, str>> {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for letter in text.chars() {
        match letter {
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other if other.is_control() => {
                return Err("control characters cannot stand in a SOQL text".into());
            }
            other => out.push(other),
        }
    }
    out.push('\'');
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::literal;

    /// As Salesforce reads it: what the text is, and what follows it.
    fn read(literal: &str) -> Option<(String, &str)> {
        let mut text = String::new();
        let mut letters = literal.strip_prefix('\'')?.char_indices();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\'' => return Some((text, literal.get(at + 2..)?)),
                '\\' => text.push(match letters.next()?.1 {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    same @ ('\'' | '\\' | '"') => same,
                    _ => return None,
                }),
                other => text.push(other),
            }
        }
        None
    }

    proptest! {
        #[test]
        fn a_text_stays_one_text(text in "[' \\\\\"a-zé%_\n\r\t-]{0,30}") {
            let written = literal(&text).unwrap();
            prop_assert_eq!(read(&written), Some((text, "")));
        }
    }

    #[test]
    fn what_has_no_escape_is_refused() {
        assert!(literal("a\u{0}b").is_err() && literal("\u{85}").is_err());
    }
}
