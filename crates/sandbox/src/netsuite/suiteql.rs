//! The narrow part of SuiteQL that integrations poll with: one table, comparisons joined by AND and OR, one order.

use std::cmp::Ordering;

use crate::system::{parse_iso, stamp};

/// A parsed query.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) columns: Vec<Column>,
    /// Lower case.
    pub(super) table: String,
    condition: Option<Condition>,
    pub(super) order: Vec<Order>,
}

/// What is selected.
#[derive(Debug)]
pub(super) enum Column {
    All,
    One { name: String, format: Option<String>, label: String },
}

/// One key of the order.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) column: String,
    pub(super) descending: bool,
}

/// A value of a row or of the query.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Datum {
    Null,
    /// Milliseconds.
    Time(u64),
    Text(String),
}

#[derive(Debug)]
enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Compare { column: String, operator: String, value: Datum },
    In { column: String, values: Vec<Datum>, negated: bool },
    Null { column: String, negated: bool },
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Sign(String),
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Datum {
    /// Times as times, numbers as numbers, the rest as text; nulls last.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Null, Self::Null) => Ordering::Equal,
            (Self::Null, _) => Ordering::Greater,
            (_, Self::Null) => Ordering::Less,
            (Self::Time(left), Self::Time(right)) => left.cmp(right),
            (Self::Time(left), Self::Text(right)) => {
                moment(right).map_or(Ordering::Less, |right| left.cmp(&right))
            }
            (Self::Text(left), Self::Time(right)) => {
                moment(left).map_or(Ordering::Greater, |left| left.cmp(right))
            }
            (Self::Text(left), Self::Text(right)) => match (left.parse::<f64>(), right.parse::<f64>()) {
                (Ok(left), Ok(right)) => left.total_cmp(&right),
                _ => left.cmp(right),
            },
        }
    }
}

impl Query {
    pub(super) fn parse(sql: &str) -> Result<Self, String> {
        let mut parser = Parser { tokens: tokens(sql)?, at: 0 };
        parser.expect("SELECT")?;
        let columns = parser.columns()?;
        parser.expect("FROM")?;
        let table = parser.word()?.to_lowercase();
        let condition = if parser.take("WHERE") { Some(parser.any()?) } else { None };
        let mut order = Vec::new();
        if parser.take("ORDER") {
            parser.expect("BY")?;
            loop {
                let column = parser.column()?;
                let descending = parser.take("DESC");
                if !descending {
                    parser.take("ASC");
                }
                order.push(Order { column, descending });
                if !parser.sign(",") {
                    break;
                }
            }
        }
        match parser.tokens.get(parser.at) {
            None => Ok(Self { columns, table, condition, order }),
            Some(token) => Err(format!("Unexpected {token:?} at the end of the query.")),
        }
    }

    /// Whether a row matches; the row is asked for lower-case column names.
    pub(super) fn holds(&self, row: &dyn Fn(&str) -> Datum) -> bool {
        self.condition.as_ref().is_none_or(|condition| condition.holds(row))
    }

    /// The earliest last change a row can have and match.
    pub(super) fn since(&self) -> u64 {
        self.condition.as_ref().map_or(0, Condition::since)
    }
}

impl Condition {
    fn holds(&self, row: &dyn Fn(&str) -> Datum) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(row)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(row)),
            Self::Null { column, negated } => (row(column) == Datum::Null) != *negated,
            Self::In { column, values, negated } => {
                let held = row(column);
                held != Datum::Null && values.iter().any(|value| held.compare(value).is_eq()) != *negated
            }
            Self::Compare { column, operator, value } => {
                let held = row(column);
                if held == Datum::Null || *value == Datum::Null {
                    return false;
                }
                let order = held.compare(value);
                match operator.as_str() {
                    "=" => order.is_eq(),
                    ">" => order.is_gt(),
                    ">=" => order.is_ge(),
                    "<" => order.is_lt(),
                    "<=" => order.is_le(),
                    _ => order.is_ne(),
                }
            }
        }
    }

    fn since(&self) -> u64 {
        match self {
            Self::All(parts) => parts.iter().map(Self::since).max().unwrap_or(0),
            Self::Any(parts) => parts.iter().map(Self::since).min().unwrap_or(0),
            Self::Compare { column, operator, value: Datum::Time(at) }
                if matches!(column.as_str(), "lastmodifieddate" | "lastmodified")
                    && operator.starts_with(['>', '=']) =>
            {
                // Rows show whole seconds, the shelf counts milliseconds.
                at / 1000 * 1000
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
        if self.take(keyword) { Ok(()) } else { Err(self.unexpected(keyword)) }
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Sign(found)) if found == sign);
        self.at += usize::from(found);
        found
    }

    fn need(&mut self, sign: &str) -> Result<(), String> {
        if self.sign(sign) { Ok(()) } else { Err(self.unexpected(sign)) }
    }

    fn word(&mut self) -> Result<String, String> {
        match self.tokens.get(self.at) {
            Some(Token::Word(word)) => {
                self.at += 1;
                Ok(word.clone())
            }
            _ => Err(self.unexpected("a name")),
        }
    }

    fn quoted(&mut self) -> Result<String, String> {
        match self.tokens.get(self.at) {
            Some(Token::Quoted(text)) => {
                self.at += 1;
                Ok(text.clone())
            }
            _ => Err(self.unexpected("a quoted text")),
        }
    }

    /// A column name without its table, lower case.
    fn column(&mut self) -> Result<String, String> {
        let word = self.word()?.to_lowercase();
        Ok(word.rsplit('.').next().unwrap_or(&word).to_owned())
    }

    fn columns(&mut self) -> Result<Vec<Column>, String> {
        let mut columns = Vec::new();
        loop {
            columns.push(if self.sign("*") {
                Column::All
            } else if self.take("TO_CHAR") {
                self.need("(")?;
                let name = self.column()?;
                self.need(",")?;
                let format = self.quoted()?;
                self.need(")")?;
                let label = if self.take("AS") { self.column()? } else { "expr1".to_owned() };
                Column::One { name, format: Some(format), label }
            } else {
                let name = self.column()?;
                let label = if self.take("AS") { self.column()? } else { name.clone() };
                Column::One { name, format: None, label }
            });
            if !self.sign(",") {
                return Ok(columns);
            }
        }
    }

    fn any(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.all()?];
        while self.take("OR") {
            parts.push(self.all()?);
        }
        Ok(Condition::Any(parts))
    }

    fn all(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.unit()?];
        while self.take("AND") {
            parts.push(self.unit()?);
        }
        Ok(Condition::All(parts))
    }

    fn unit(&mut self) -> Result<Condition, String> {
        if self.sign("(") {
            let inner = self.any()?;
            self.need(")")?;
            return Ok(inner);
        }
        let column = self.column()?;
        if self.take("IS") {
            let negated = self.take("NOT");
            self.expect("NULL")?;
            return Ok(Condition::Null { column, negated });
        }
        let negated = self.take("NOT");
        if self.take("IN") {
            self.need("(")?;
            let mut values = vec![self.value()?];
            while self.sign(",") {
                values.push(self.value()?);
            }
            self.need(")")?;
            return Ok(Condition::In { column, values, negated });
        }
        for operator in [">=", "<=", "<>", "!=", "=", ">", "<"] {
            if self.sign(operator) {
                return Ok(Condition::Compare {
                    column,
                    operator: operator.to_owned(),
                    value: self.value()?,
                });
            }
        }
        Err(self.unexpected("a comparison"))
    }

    fn value(&mut self) -> Result<Datum, String> {
        for function in ["TO_TIMESTAMP", "TO_DATE"] {
            if self.take(function) {
                self.need("(")?;
                let text = self.quoted()?;
                let format = if self.sign(",") { Some(self.quoted()?) } else { None };
                self.need(")")?;
                let read = match &format {
                    Some(format) => read_time(&text, format),
                    None => moment(&text),
                };
                return read
                    .map(Datum::Time)
                    .ok_or_else(|| format!("'{text}' is no date in the format {format:?}."));
            }
        }
        match self.tokens.get(self.at) {
            Some(Token::Quoted(text)) | Some(Token::Word(text)) => {
                self.at += 1;
                Ok(Datum::Text(text.clone()))
            }
            _ => Err(self.unexpected("a value")),
        }
    }

    fn unexpected(&self, wanted: &str) -> String {
        match self.tokens.get(self.at) {
            Some(token) => format!("Expected {wanted}, found {token:?}."),
            None => format!("Expected {wanted}, found the end of the query."),
        }
    }
}

fn tokens(sql: &str) -> Result<Vec<Token>, String> {
    let letters: Vec<char> = sql.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&letter) = letters.get(at) {
        let start = at;
        at += 1;
        if letter.is_whitespace() {
            continue;
        }
        if letter == '\'' {
            let mut text = String::new();
            loop {
                match (letters.get(at), letters.get(at + 1)) {
                    (Some('\''), Some('\'')) => {
                        text.push('\'');
                        at += 2;
                    }
                    (Some('\''), _) => break,
                    (Some(letter), _) => {
                        text.push(*letter);
                        at += 1;
                    }
                    (None, _) => return Err("A quoted text does not end.".to_owned()),
                }
            }
            at += 1;
            tokens.push(Token::Quoted(text));
        } else if letter.is_alphanumeric() || matches!(letter, '_' | '-') {
            while letters
                .get(at)
                .is_some_and(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '.'))
            {
                at += 1;
            }
            tokens.push(Token::Word(letters.iter().skip(start).take(at - start).collect()));
        } else {
            let double = matches!((letter, letters.get(at)), ('>' | '<' | '!', Some('=')) | ('<', Some('>')));
            at += usize::from(double);
            tokens.push(Token::Sign(letters.iter().skip(start).take(at - start).collect()));
        }
    }
    Ok(tokens)
}

/// A time without a format: ISO 8601, read as UTC when it has no offset.
fn moment(text: &str) -> Option<u64> {
    parse_iso(text)
        .or_else(|| parse_iso(&format!("{}Z", text.trim())))
        .or_else(|| parse_iso(&format!("{}T00:00:00Z", text.trim())))
}

const PARTS: [(&str, &str); 8] = [
    ("YYYY", "%Y"),
    ("HH24", "%H"),
    ("MM", "%m"),
    ("DD", "%d"),
    ("MI", "%M"),
    ("SS", "%S"),
    ("FF3", "%3f"),
    ("HH", "%I"),
];

/// An Oracle date format as strftime; quoted parts stand for themselves.
fn strftime(format: &str) -> String {
    let mut out = String::new();
    let mut rest = format;
    while let Some(letter) = rest.chars().next() {
        let known = PARTS.iter().find(|(oracle, _)| {
            rest.get(..oracle.len()).is_some_and(|head| head.eq_ignore_ascii_case(oracle))
        });
        if let Some((oracle, part)) = known {
            out.push_str(part);
            rest = rest.get(oracle.len()..).unwrap_or("");
        } else {
            // Oracle's quotes only protect letters such as the T of ISO 8601.
            if letter != '"' {
                out.push(letter);
            }
            rest = rest.get(letter.len_utf8()..).unwrap_or("");
        }
    }
    out
}

/// A time in an Oracle date format, UTC.
pub(super) fn write_time(ms: u64, format: &str) -> String {
    stamp(ms, &strftime(format))
}

fn read_time(text: &str, format: &str) -> Option<u64> {
    let format = strftime(format);
    let parsed = jiff::civil::DateTime::strptime(&format, text)
        .or_else(|_| {
            jiff::civil::Date::strptime(&format, text)
                .map(|date| date.to_datetime(jiff::civil::Time::midnight()))
        })
        .ok()?;
    let zoned = parsed.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    u64::try_from(zoned.timestamp().as_millisecond()).ok()
}
