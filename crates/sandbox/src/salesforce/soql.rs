//! The part of SOQL that integrations poll with: one object, fields of it and of its parents, comparisons joined by AND,
//! OR and NOT, an order, LIMIT and OFFSET.

use crate::system::parse_iso;

/// A parsed query.
#[derive(Debug)]
pub(super) struct Query {
    /// Paths over parents, such as `Account.Name`; none stands for `COUNT()`.
    pub(super) fields: Vec<String>,
    pub(super) object: String,
    pub(super) condition: Option<Condition>,
    pub(super) order: Vec<Order>,
    pub(super) limit: Option<usize>,
    pub(super) offset: usize,
}

/// One key of the order.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) field: String,
    pub(super) descending: bool,
    pub(super) nulls_last: bool,
}

/// What must hold.
#[derive(Debug)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Compare { field: String, operator: Operator, value: Literal },
    In { field: String, values: Vec<Literal>, negated: bool },
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A value in a query.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Null,
    Flag(bool),
    Number(f64),
    Text(String),
    /// Milliseconds.
    Moment(u64),
    Day(String),
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Sign(&'static str),
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

const SIGNS: [(&str, Option<Operator>); 10] = [
    ("!=", Some(Operator::Unequal)),
    ("<>", Some(Operator::Unequal)),
    (">=", Some(Operator::GreaterOrEqual)),
    ("<=", Some(Operator::LessOrEqual)),
    (">", Some(Operator::Greater)),
    ("<", Some(Operator::Less)),
    ("=", Some(Operator::Equal)),
    ("(", None),
    (")", None),
    (",", None),
];

impl Query {
    pub(super) fn parse(soql: &str) -> Result<Self, String> {
        let mut parser = Parser { tokens: tokens(soql)?, at: 0 };
        parser.expect("SELECT")?;
        let fields = parser.fields()?;
        parser.expect("FROM")?;
        let object = parser.word()?;
        let condition = if parser.take("WHERE") { Some(parser.any()?) } else { None };
        let order = parser.order()?;
        let limit = if parser.take("LIMIT") { Some(parser.count()?) } else { None };
        let offset = if parser.take("OFFSET") { parser.count()? } else { 0 };
        match parser.tokens.get(parser.at) {
            None => Ok(Self { fields, object, condition, order, limit, offset }),
            Some(_) => Err(parser.unexpected()),
        }
    }

    /// The earliest SystemModstamp that a row can have and match.
    pub(super) fn since(&self) -> u64 {
        self.condition.as_ref().map_or(0, Condition::since)
    }
}

impl Condition {
    fn since(&self) -> u64 {
        match self {
            Self::All(parts) => parts.iter().map(Self::since).max().unwrap_or(0),
            Self::Any(parts) => parts.iter().map(Self::since).min().unwrap_or(0),
            Self::Compare { field, operator, value: Literal::Moment(at) }
                if field.eq_ignore_ascii_case("SystemModstamp")
                    && matches!(operator, Operator::Greater | Operator::GreaterOrEqual | Operator::Equal) =>
            {
                *at
            }
            _ => 0,
        }
    }
}

impl Parser {
    fn take(&mut self, keyword: &str) -> bool {
        let found =
            matches!(self.tokens.get(self.at), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword));
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, keyword: &str) -> Result<(), String> {
        if self.take(keyword) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(found);
        found
    }

    fn need(&mut self, sign: &str) -> Result<(), String> {
        if self.sign(sign) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn word(&mut self) -> Result<String, String> {
        match self.tokens.get(self.at) {
            Some(Token::Word(word)) => {
                self.at += 1;
                Ok(word.clone())
            }
            _ => Err(self.unexpected()),
        }
    }

    fn count(&mut self) -> Result<usize, String> {
        let word = self.word()?;
        word.parse().map_err(|_| self.unexpected())
    }

    fn fields(&mut self) -> Result<Vec<String>, String> {
        if self.take("COUNT") {
            self.need("(")?;
            self.need(")")?;
            return Ok(Vec::new());
        }
        let mut fields = vec![self.word()?];
        while self.sign(",") {
            fields.push(self.word()?);
        }
        Ok(fields)
    }

    fn order(&mut self) -> Result<Vec<Order>, String> {
        let mut order = Vec::new();
        if !self.take("ORDER") {
            return Ok(order);
        }
        self.expect("BY")?;
        loop {
            let field = self.word()?;
            let descending = self.take("DESC");
            if !descending {
                self.take("ASC");
            }
            // Nulls come first unless said [doc].
            let mut nulls_last = false;
            if self.take("NULLS") {
                nulls_last = self.take("LAST");
                if !nulls_last {
                    self.expect("FIRST")?;
                }
            }
            order.push(Order { field, descending, nulls_last });
            if !self.sign(",") {
                return Ok(order);
            }
        }
    }

    /// AND and OR may not stand side by side without brackets [doc].
    fn any(&mut self) -> Result<Condition, String> {
        let first = self.unit()?;
        for (word, other) in [("AND", "OR"), ("OR", "AND")] {
            if !self.take(word) {
                continue;
            }
            let mut parts = vec![first, self.unit()?];
            while self.take(word) {
                parts.push(self.unit()?);
            }
            if self.take(other) {
                self.at -= 1;
                return Err(self.unexpected());
            }
            return Ok(if word == "AND" { Condition::All(parts) } else { Condition::Any(parts) });
        }
        Ok(first)
    }

    fn unit(&mut self) -> Result<Condition, String> {
        if self.take("NOT") {
            return Ok(Condition::Not(Box::new(self.unit()?)));
        }
        if self.sign("(") {
            let inner = self.any()?;
            self.need(")")?;
            return Ok(inner);
        }
        let field = self.word()?;
        let negated = self.take("NOT");
        if self.take("IN") {
            self.need("(")?;
            let mut values = vec![self.literal()?];
            while self.sign(",") {
                values.push(self.literal()?);
            }
            self.need(")")?;
            return Ok(Condition::In { field, values, negated });
        }
        if negated {
            return Err(self.unexpected());
        }
        let found = SIGNS
            .iter()
            .find_map(|(sign, operator)| Some((*sign, (*operator)?)).filter(|(s, _)| self.sign(s)));
        match found {
            Some((_, operator)) => Ok(Condition::Compare { field, operator, value: self.literal()? }),
            None => Err(self.unexpected()),
        }
    }

    fn literal(&mut self) -> Result<Literal, String> {
        let token = self.tokens.get(self.at).cloned();
        let literal = match token {
            Some(Token::Quoted(text)) => Some(Literal::Text(text)),
            Some(Token::Word(word)) => plain(&word),
            _ => None,
        };
        let literal = literal.ok_or_else(|| self.unexpected())?;
        self.at += 1;
        Ok(literal)
    }

    /// As the vendor says it [seen].
    fn unexpected(&self) -> String {
        match self.tokens.get(self.at) {
            Some(Token::Word(word)) => format!("unexpected token: '{word}'"),
            Some(Token::Quoted(_)) => "unexpected token: a quoted text".to_owned(),
            Some(Token::Sign(sign)) => format!("unexpected token: '{sign}'"),
            None => "unexpected token: '<EOF>'".to_owned(),
        }
    }
}

/// A literal without quotes.
fn plain(word: &str) -> Option<Literal> {
    match word.to_lowercase().as_str() {
        "null" => return Some(Literal::Null),
        "true" => return Some(Literal::Flag(true)),
        "false" => return Some(Literal::Flag(false)),
        _ => {}
    }
    if let Ok(number) = word.parse() {
        return Some(Literal::Number(number));
    }
    if word.len() == 10 && word.parse::<jiff::civil::Date>().is_ok() {
        return Some(Literal::Day(word.to_owned()));
    }
    // A moment has a zone [doc].
    word.contains('T').then(|| parse_iso(word)).flatten().map(Literal::Moment)
}

fn tokens(soql: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = soql.trim_start();
    while let Some(letter) = rest.chars().next() {
        if letter == '\'' {
            let (text, after) = quoted(rest)?;
            tokens.push(Token::Quoted(text));
            rest = after;
        } else if let Some((sign, _)) = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign)) {
            tokens.push(Token::Sign(sign));
            rest = rest.strip_prefix(sign).unwrap_or_default();
        } else {
            let part = |letter: char| letter.is_alphanumeric() || "_.-:+".contains(letter);
            let end = rest.find(|letter| !part(letter)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            if word.is_empty() {
                return Err(format!("unexpected token: '{letter}'"));
            }
            tokens.push(Token::Word(word.to_owned()));
            rest = after;
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

/// A quoted text, its escapes undone, and what follows it. Only these may stand behind a backslash [doc].
fn quoted(rest: &str) -> Result<(String, &str), String> {
    let mut text = String::new();
    let mut letters = rest.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\'' => return Ok((text, rest.get(at + 1..).unwrap_or_default())),
            '\\' => match letters.next() {
                Some((_, 'n' | 'N')) => text.push('\n'),
                Some((_, 'r' | 'R')) => text.push('\r'),
                Some((_, 't' | 'T')) => text.push('\t'),
                Some((_, same @ ('\'' | '"' | '\\'))) => text.push(same),
                _ => return Err("Illegal string literal: invalid escape".to_owned()),
            },
            _ => text.push(letter),
        }
    }
    Err("unexpected char: '''".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_query_is_refused_where_it_breaks() {
        for (soql, wanted) in [
            ("", "<EOF>"),
            ("SELECT FROM Contact", "'Contact'"),
            ("SELECT Id FROM Contact WHERE", "<EOF>"),
            ("SELECT Id FROM Contact WHERE Id", "<EOF>"),
            ("SELECT Id FROM Contact WHERE Id = 'a", "'''"),
            ("SELECT Id FROM Contact WHERE Id = 'a\\b'", "escape"),
            ("SELECT Id FROM Contact WHERE A = 1 AND B = 2 OR C = 3", "'OR'"),
            ("SELECT Id FROM Contact LIMIT x", "<EOF>"),
            ("SELECT Id FROM Contact; DELETE", "';'"),
            ("SELECT Id FROM Contact WHERE Id = 'a' OR 'b'", "quoted"),
            ("SELECT Id FROM Contact WHERE A = 2026-11-22T11:20:05", "2026"),
        ] {
            let why = Query::parse(soql).unwrap_err();
            assert!(why.contains(wanted), "{soql}: {why}");
        }
    }

    #[test]
    fn the_earliest_stamp_is_known() {
        let since =
            |condition: &str| Query::parse(&format!("SELECT Id FROM A WHERE {condition}")).unwrap().since();
        let (early, late) = ("1970-01-01T00:00:01Z", "1970-01-01T00:00:02.000+00:00");
        assert_eq!(
            since(&format!("SystemModstamp >= {early} AND (SystemModstamp > {late} OR Id > 'x')")),
            1_000
        );
        assert_eq!(since(&format!("SystemModstamp >= {early} AND SystemModstamp > {late}")), 2_000);
        assert_eq!(since(&format!("SystemModstamp < {late}")), 0);
        assert_eq!(since(&format!("NOT (SystemModstamp > {late})")), 0);
    }
}
