//! Phrases: texts with names in braces that are filled when a request is proven: `{method}`, `{secret.user}`.
//!
//! They are for what only egress knows: secrets, the moment, the bytes that go out. A brace is written `{{`, `}}`.

/// A text with names in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Phrase {
    pieces: Vec<Piece>,
}

/// A part of a phrase.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Piece {
    /// Stands as it is.
    Fixed(String),
    /// Is filled.
    Named(String),
}

impl Phrase {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with its braces.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut pieces = Vec::new();
        let mut fixed = String::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '{' | '}' if chars.peek() == Some(&c) => {
                    chars.next();
                    fixed.push(c);
                }
                '{' => {
                    let mut name = String::new();
                    loop {
                        match chars.next() {
                            Some('}') => break,
                            Some('{') | None => return Err("a `{` without its `}`: write `{{` for a brace"),
                            Some(other) => name.push(other),
                        }
                    }
                    if !fixed.is_empty() {
                        pieces.push(Piece::Fixed(std::mem::take(&mut fixed)));
                    }
                    pieces.push(Piece::Named(name.trim().to_owned()));
                }
                '}' => return Err("a `}` without its `{`: write `}}` for a brace"),
                other => fixed.push(other),
            }
        }
        if !fixed.is_empty() {
            pieces.push(Piece::Fixed(fixed));
        }
        Ok(Self { pieces })
    }

    /// Its parts, in their order.
    pub fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.pieces.iter()
    }

    /// The names in it, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Named(name) => Some(name.as_str()),
            Piece::Fixed(_) => None,
        })
    }

    /// The text with each name filled in.
    ///
    /// # Errors
    /// What `fill` says of a name.
    pub fn fill<E>(&self, mut fill: impl FnMut(&str) -> Result<String, E>) -> Result<String, E> {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Fixed(text) => out.push_str(text),
                Piece::Named(name) => out.push_str(&fill(name)?),
            }
        }
        Ok(out)
    }

    /// The phrase as it is written, with those names filled in that `fill` knows.
    #[must_use]
    pub fn partly(&self, mut fill: impl FnMut(&str) -> Option<String>) -> String {
        let mut out = String::new();
        for piece in &self.pieces {
            let filled = match piece {
                Piece::Fixed(text) => Some(text.clone()),
                Piece::Named(name) => fill(name),
            };
            match (filled, piece) {
                (None, Piece::Named(name)) => out.extend(["{", name, "}"]),
                (filled, _) => {
                    let text = filled.unwrap_or_default();
                    out.push_str(&text.replace('{', "{{").replace('}', "}}"));
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    //! Braces, names, and what is filled.

    use super::*;

    #[test]
    fn names_are_filled_and_braces_stay() {
        let phrase = Phrase::parse("{a}:{{x}}:{ b }").unwrap();
        assert_eq!(phrase.names().collect::<Vec<_>>(), ["a", "b"]);
        let filled = phrase.fill(|name| Ok::<_, ()>(format!("<{name}{{>")));
        assert_eq!(filled, Ok("<a{>:{x}:<b{>".to_owned()));
        let partly = phrase.partly(|name| (name == "a").then(|| "1{".to_owned()));
        assert_eq!(partly, "1{{:{{x}}:{b}");
        let again = Phrase::parse(&partly).unwrap().fill(|_| Ok::<_, ()>("2".to_owned()));
        assert_eq!(again, Ok("1{:{x}:2".to_owned()));
    }

    #[test]
    fn a_brace_alone_is_a_mistake() {
        for text in ["{a", "a}", "{a{b}"] {
            assert!(Phrase::parse(text).is_err(), "{text}");
        }
    }
}
