//! What is wrong with an expression: where, what, and what would be right.

use std::ops::Range;

/// Why an expression cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The characters it is about, counted from 0. Empty: the place between two.
    pub at: Range<u32>,
    /// What is wrong. It holds names, types and literals of the expression, never a value of a field.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
}

impl Fault {
    pub(crate) fn new(at: &Range<u32>, message: impl Into<String>) -> Self {
        Self { at: at.clone(), message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The line with carets under the place, the message beside them, and the hint below.
    ///
    /// ```text
    /// record.amount + 1
    ///                 ^ expected decimal, found int
    /// hint: `decimal(…)` makes a decimal of a whole number
    /// ```
    #[must_use]
    pub fn show(&self, text: &str) -> String {
        // A control character would break the line under which the carets stand.
        let shown = text.chars().take(crate::limits::CHARACTERS_MAX);
        let mut out: String = shown.map(|c| if c.is_control() { ' ' } else { c }).collect();
        let carets = self.at.end.saturating_sub(self.at.start).max(1) as usize;
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', self.at.start as usize));
        out.extend(std::iter::repeat_n('^', carets));
        out.push(' ');
        out.push_str(&self.message);
        if let Some(hint) = &self.hint {
            out.push_str("\nhint: ");
            out.push_str(hint);
        }
        out
    }
}
