//! Texts that are a language to somebody although they do not say so: a value between quotes could end them.
//!
//! `sql:`, `soql:` and `odata:` before a text say which language it is, and each slot needs its encoder. Without, a text is a text;
//! but where a slot stands between quotes of the text's own, somebody will take them for quotes, and what is behind a quote in a
//! value for more than a value.

use super::{Encoder, Language, Slot, Source};

/// A slot in the shape of a text: one whose value may hold a quote, and one whose can't.
const FOREIGN: char = '\u{1}';
const TAME: char = '\u{2}';

/// A text as far as quotes matter.
#[derive(Default)]
pub(super) struct Shape {
    text: String,
    foreign: Vec<Box<str>>,
}

impl Shape {
    /// Adds what stands there as it is.
    pub(super) fn fixed(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds a slot.
    pub(super) fn slot(&mut self, slot: &Slot) {
        if slot.may_quote() {
            self.foreign.push(slot.written.clone());
            self.text.push(FOREIGN);
        } else {
            self.text.push(TAME);
        }
    }

    /// The first slot between quotes whose value may end them.
    pub(super) fn first_quoted(&self) -> Option<&str> {
        let mut open: Option<(char, Option<usize>)> = None;
        let (mut before, mut seen) = (None, 0);
        let mut chars = self.text.chars().peekable();
        while let Some(one) = chars.next() {
            let word = |c: char| c.is_alphanumeric() || c == FOREIGN || c == TAME;
            // `it's`, and `'s` behind a name: nobody's quote.
            let apostrophe = one == '\''
                && before.is_some_and(word)
                && chars.peek().is_some_and(|next| next.is_alphabetic());
            match (one, open) {
                (FOREIGN, _) => {
                    if let Some((_, first @ None)) = &mut open {
                        *first = Some(seen);
                    }
                    seen += 1;
                }
                ('\'' | '"', None) if !apostrophe => open = Some((one, None)),
                (_, Some((quote, first))) if one == quote && !apostrophe => {
                    if let Some(at) = first {
                        return self.foreign.get(at).map(|written| &**written);
                    }
                    open = None;
                }
                _ => {}
            }
            before = Some(one);
        }
        None
    }
}

impl Slot {
    /// Whether what it gives may hold a quote.
    fn may_quote(&self) -> bool {
        self.alternatives.iter().any(|one| {
            let own = matches!(
                one.source,
                Source::Literal(_)
                    | Source::Object
                    | Source::Key
                    | Source::Intent
                    | Source::Expected
                    | Source::Since
                    | Source::Now
            );
            !own && !one.encoders.last().is_some_and(Encoder::has_no_quote)
        })
    }
}

impl Encoder {
    /// Whether what it gives holds no quote of somebody else's, or its author says that it is no more than a text.
    fn has_no_quote(&self) -> bool {
        let languages = [Language::Sql, Language::Soql, Language::Odata];
        matches!(self, Self::Text | Self::Base64 | Self::JsonNumber | Self::Moment(_) | Self::Epoch(_))
            || languages.into_iter().any(|language| self.is_safe_in(language))
    }
}
