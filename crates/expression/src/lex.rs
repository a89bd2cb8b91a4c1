//! Characters to words. What CEL has and this has not is refused where it stands.

use std::iter::Peekable;
use std::ops::Range;
use std::str::Chars;

use canonical::Decimal;

use crate::fault::Fault;

/// One word, and the characters it was read from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Word {
    pub(crate) at: Range<u32>,
    pub(crate) what: Lexeme,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Lexeme {
    Name(String),
    /// Up to 2^63, which only a minus before it makes a whole number.
    Int(u64),
    Decimal(Decimal),
    Text(String),
    Sign(&'static str),
    End,
}

/// Longest first.
const SIGNS: [&str; 22] = [
    "||", "&&", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",", "(", ")",
    "[", "]",
];

/// All words of a text, the end included.
pub(crate) fn words(text: &str) -> Result<Vec<Word>, Fault> {
    let mut lexer = Lexer { rest: text.chars().peekable(), at: 0 };
    let mut words = Vec::new();
    loop {
        let word = lexer.word()?;
        let end = word.what == Lexeme::End;
        words.push(word);
        if end {
            return Ok(words);
        }
    }
}

struct Lexer<'a> {
    rest: Peekable<Chars<'a>>,
    at: u32,
}

impl Lexer<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        self.at += 1;
        Some(c)
    }

    fn take(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let mut out = String::new();
        while let Some(c) = self.rest.next_if(|c| wanted(*c)) {
            self.at += 1;
            out.push(c);
        }
        out
    }

    fn ahead(&self) -> String {
        self.rest.clone().take(3).collect()
    }

    fn word(&mut self) -> Result<Word, Fault> {
        self.take(|c| c == ' ' || c == '\t');
        let start = self.at;
        let what = match self.rest.peek() {
            None => Lexeme::End,
            Some('"' | '\'') => self.text()?,
            Some(c) if c.is_ascii_digit() => self.number()?,
            Some(c) if c.is_ascii_alphabetic() || *c == '_' => {
                let name = self.take(|c| c.is_ascii_alphanumeric() || c == '_');
                if matches!(self.rest.peek(), Some('"' | '\'')) {
                    let message = format!("there is no `{name}` before a text");
                    let hint =
                        "there are no bytes and no raw texts: write a plain text, `\\\\` for a backslash";
                    return Err(Fault::new(&(start..self.at), message).hint(hint));
                }
                Lexeme::Name(name)
            }
            Some(_) => self.sign()?,
        };
        Ok(Word { at: start..self.at, what })
    }

    fn sign(&mut self) -> Result<Lexeme, Fault> {
        let ahead = self.ahead();
        if !ahead.starts_with("//")
            && let Some(sign) = SIGNS.into_iter().find(|sign| ahead.starts_with(sign))
        {
            for _ in sign.chars() {
                self.next();
            }
            return Ok(Lexeme::Sign(sign));
        }
        let start = self.at;
        let c = self.next().unwrap_or_default();
        let (message, hint) = match c {
            '\n' | '\r' => ("an expression is one line".to_owned(), "write it without line breaks"),
            '/' => ("there are no comments".to_owned(), "say it in the mapping file, after `#`"),
            '=' => ("`=` compares nothing".to_owned(), "use `==`"),
            '&' => ("`&` is no operator".to_owned(), "use `&&`"),
            '|' => ("`|` is no operator".to_owned(), "use `||`"),
            '{' | '}' => ("there are no maps and no messages".to_owned(), "use a lookup table"),
            '“' | '”' | '„' | '‘' | '’' | '`' => {
                (format!("`{c}` opens no text"), "use straight quotes: \"text\" or 'text'")
            }
            _ => {
                let message = format!("{c:?} has no meaning here");
                return Err(Fault::new(&(start..self.at), message));
            }
        };
        Err(Fault::new(&(start..self.at), message).hint(hint))
    }

    fn number(&mut self) -> Result<Lexeme, Fault> {
        let start = self.at;
        let mut text = self.take(|c| c.is_ascii_digit());
        let mut decimal = false;
        let ahead = self.ahead();
        let mut later = ahead.chars();
        if later.next() == Some('.') && later.next().is_some_and(|c| c.is_ascii_digit()) {
            decimal = true;
            self.next();
            text.push('.');
            text.push_str(&self.take(|c| c.is_ascii_digit()));
        }
        let tail = self.take(|c| c.is_ascii_alphanumeric() || c == '_');
        let fault = |at: u32, message: String, hint: &str| Err(Fault::new(&(start..at), message).hint(hint));
        if !tail.is_empty() {
            let hint = match tail.as_str() {
                "u" | "U" => "there are no unsigned numbers: drop the `u`",
                tail if tail.starts_with(['e', 'E']) => "write it out, without an exponent",
                tail if tail.starts_with(['x', 'X']) => "write it in digits from 0 to 9",
                _ => "a name starts with a letter or `_`",
            };
            return fault(self.at, format!("`{text}{tail}` is no number"), hint);
        }
        if decimal {
            return match Decimal::from_str_exact(&text) {
                Ok(value) => Ok(Lexeme::Decimal(value)),
                Err(_) => fault(self.at, "this decimal is too long".to_owned(), "at most 28 digits"),
            };
        }
        match text.parse::<u64>() {
            Ok(value) if value <= 1 << 63 => Ok(Lexeme::Int(value)),
            _ => fault(self.at, "this whole number is too large".to_owned(), "at most 9223372036854775807"),
        }
    }

    fn text(&mut self) -> Result<Lexeme, Fault> {
        let start = self.at;
        let ahead = self.ahead();
        let quote = self.next().unwrap_or('"');
        if ahead.chars().count() == 3 && ahead.chars().all(|c| c == quote) {
            let hint = "an expression is one line: use one quote at each end";
            return Err(Fault::new(&(start..start + 3), "there are no texts in triple quotes").hint(hint));
        }
        let mut out = String::new();
        loop {
            match self.next() {
                None | Some('\n' | '\r') => {
                    let hint = format!("close it with {quote}");
                    return Err(Fault::new(&(start..start + 1), "this text does not end").hint(hint));
                }
                Some(c) if c == quote => return Ok(Lexeme::Text(out)),
                Some('\\') => out.push(self.escape()?),
                Some(c) => out.push(c),
            }
        }
    }

    /// What stands after a backslash.
    fn escape(&mut self) -> Result<char, Fault> {
        let start = self.at - 1;
        let c = self.next();
        let digits = match c {
            Some(c @ ('\\' | '"' | '\'')) => return Ok(c),
            Some('n') => return Ok('\n'),
            Some('r') => return Ok('\r'),
            Some('t') => return Ok('\t'),
            Some('u') => 4,
            Some('U') => 8,
            _ => 0,
        };
        let mut code = 0_u32;
        let mut read = 0;
        while read < digits
            && let Some(digit) = self.rest.peek().and_then(|c| c.to_digit(16))
        {
            self.next();
            code = code.saturating_mul(16).saturating_add(digit);
            read += 1;
        }
        match char::from_u32(code) {
            Some(c) if digits > 0 && read == digits => Ok(c),
            _ => {
                let hint = "use \\\\ \\\" \\' \\n \\r \\t \\u20AC \\U0001F600";
                Err(Fault::new(&(start..self.at), "this escape means nothing").hint(hint))
            }
        }
    }
}
