//! Expressions that are well typed, made from a tape of choices, so that a failing one shrinks with its tape.

/// The kinds that are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    Bool,
    Int,
    Decimal,
    Text,
    Date,
    Time,
    Texts,
    Ints,
}

/// How expressions are made: of all there is, or of what CEL has too and which cannot fail on its left side only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Only {
    All,
    Shared,
}

/// A tape of choices. When it ends, every choice is the first one, which is a leaf.
pub(crate) struct Tape<'a> {
    choices: std::slice::Iter<'a, u8>,
    only: Only,
    item: Option<Made>,
    /// Nothing that may fail, in a place where CEL would go on.
    safe: bool,
}

impl<'a> Tape<'a> {
    pub(crate) fn new(choices: &'a [u8], only: Only) -> Self {
        Self { choices: choices.iter(), only, item: None, safe: false }
    }

    fn choose(&mut self, among: usize) -> usize {
        self.choices.next().map_or(0, |choice| usize::from(*choice) % among)
    }

    /// An expression of this kind.
    pub(crate) fn make(&mut self, kind: Made, depth: u32) -> String {
        if self.item == Some(kind) && self.choose(2) == 1 {
            return "t".to_owned();
        }
        let leaf = depth == 0 || self.choose(6) == 0;
        if !leaf && self.choose(5) == 0 {
            let condition = self.safely(|tape| tape.make(Made::Bool, depth - 1));
            let (yes, no) = (self.make(kind, depth - 1), self.make(kind, depth - 1));
            return format!("({condition} ? {yes} : {no})");
        }
        match (kind, leaf) {
            (Made::Bool, true) => self.one(&["true", "false", "record.active", "record.sleeping"]),
            (Made::Int, true) => {
                self.one(&["0", "1", "-7", "9223372036854775807", "record.count", "record.least"])
            }
            (Made::Text, true) => self.one(&["''", "'a'", "'ä€'", "'12'", "record.name", "record.city"]),
            (Made::Decimal, true) => self.one(&["0.0", "1.50", "-0.01", "record.amount"]),
            (Made::Date, true) => self.one(&["date('2024-02-29')", "record.born"]),
            (Made::Time, true) => self.one(&["time('2026-11-22T10:00:00Z')", "record.seen"]),
            (Made::Texts, true) => self.one(&["['a', 'b']", "record.tags", "['ä€']"]),
            (Made::Ints, true) => self.one(&["[1, 2]", "[0]", "[-7, 0, 7]"]),
            (Made::Bool, false) => self.bool(depth - 1),
            (Made::Int, false) => self.int(depth - 1),
            (Made::Text, false) => self.text(depth - 1),
            (Made::Decimal, false) => self.decimal(depth - 1),
            (Made::Date, false) => self.date(depth - 1),
            (Made::Time, false) => self.time(depth - 1),
            (Made::Texts | Made::Ints, false) => self.list(kind, depth - 1),
        }
    }

    fn one(&mut self, among: &[&str]) -> String {
        among[self.choose(among.len())].to_owned()
    }

    fn all(&self) -> bool {
        self.only == Only::All
    }

    fn safely<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.safe, true);
        let made = make(self);
        self.safe = before;
        made
    }

    fn bool(&mut self, depth: u32) -> String {
        let most = if self.all() { 14 } else { 9 };
        match self.choose(most) {
            0 => format!("!{}", self.make(Made::Bool, depth)),
            operator @ (1 | 2) => {
                let sign = if operator == 1 { "&&" } else { "||" };
                let (left, right) =
                    self.safely(|tape| (tape.make(Made::Bool, depth), tape.make(Made::Bool, depth)));
                format!("({left} {sign} {right})")
            }
            3 => {
                let sign = self.one(&["==", "!=", "<", "<=", ">", ">="]);
                let kind = [Made::Int, Made::Text][self.choose(2)];
                format!("({} {sign} {})", self.make(kind, depth), self.make(kind, depth))
            }
            4 => {
                let kind = [Made::Bool, Made::Texts][self.choose(2)];
                format!("({} == {})", self.make(kind, depth), self.make(kind, depth))
            }
            5 => {
                let method = self.one(&["contains", "startsWith", "endsWith"]);
                format!("({}).{method}({})", self.make(Made::Text, depth), self.make(Made::Text, depth))
            }
            6 => format!("({} in {})", self.make(Made::Text, depth), self.make(Made::Texts, depth)),
            7 if self.item.is_none() => {
                let name = self.one(&["all", "exists"]);
                let kind = [Made::Texts, Made::Ints][self.choose(2)];
                let list = self.make(kind, depth);
                let body = self.safely(|tape| tape.with_item(kind, |tape| tape.make(Made::Bool, depth)));
                format!("{list}.{name}(t, {body})")
            }
            8 if self.all() => "has(record.email)".to_owned(),
            9 => "(record.email == null)".to_owned(),
            10 => {
                let kind = [Made::Decimal, Made::Date, Made::Time][self.choose(3)];
                let sign = self.one(&["==", "!=", "<", ">="]);
                format!("({} {sign} {})", self.make(kind, depth), self.make(kind, depth))
            }
            11 => format!("bool({}, 'a', '12')", self.make(Made::Text, depth)),
            12 => format!("(has(record.email) && size(record.email) > {})", self.make(Made::Int, depth)),
            13 => format!("(record.email == null || record.email != {})", self.make(Made::Text, depth)),
            _ => format!("({} == {})", self.make(Made::Int, depth), self.make(Made::Int, depth)),
        }
    }

    fn with_item<T>(&mut self, list: Made, make: impl FnOnce(&mut Self) -> T) -> T {
        self.item = Some(if list == Made::Texts { Made::Text } else { Made::Int });
        let made = make(self);
        self.item = None;
        made
    }

    fn int(&mut self, depth: u32) -> String {
        let most = if self.all() { 14 } else { 4 };
        match self.choose(most) {
            0 => format!("size({})", self.make(Made::Text, depth)),
            1 => format!("{}.size()", self.make(Made::Texts, depth)),
            2 | 3 if !self.safe || self.all() => {
                let sign = self.one(&["+", "-", "*", "/", "%"]);
                format!("({} {sign} {})", self.make(Made::Int, depth), self.make(Made::Int, depth))
            }
            4 => format!("int({})", self.make(Made::Text, depth)),
            5 => format!("abs({})", self.make(Made::Int, depth)),
            6 => format!("max({}, {})", self.make(Made::Int, depth), self.make(Made::Int, depth)),
            7 => format!("to_int({})", self.make(Made::Decimal, depth)),
            8 => {
                let name = self.one(&["year", "month", "day", "weekday"]);
                format!("{name}({})", self.make(Made::Date, depth))
            }
            9 => format!("days_between({}, {})", self.make(Made::Date, depth), self.make(Made::Date, depth)),
            10 => format!("epoch_ms({})", self.make(Made::Time, depth)),
            11 => {
                format!("coalesce(first({}), {})", self.make(Made::Ints, depth), self.make(Made::Int, depth))
            }
            12 => format!("-{}", self.make(Made::Int, depth)),
            13 => format!("coalesce(record.rank, {})", self.make(Made::Int, depth)),
            _ => format!("size({})", self.make(Made::Texts, depth)),
        }
    }

    fn text(&mut self, depth: u32) -> String {
        let most = if self.all() { 18 } else { 1 };
        let a = self.make(Made::Text, depth);
        match self.choose(most) {
            0 => format!("({a} + {})", self.make(Made::Text, depth)),
            name @ 1..=5 => format!("{}({a})", ["trim", "lower", "upper", "title", "digits"][name - 1]),
            6 => format!("replace({a}, {}, {})", self.make(Made::Text, depth), self.make(Made::Text, depth)),
            7 => format!("substring({a}, {})", self.make(Made::Int, depth)),
            8 => format!("pad_left({a}, {}, {})", self.make(Made::Int, depth), self.make(Made::Text, depth)),
            9 => format!("join({}, {a})", self.make(Made::Texts, depth)),
            10 => format!("text({})", self.make(Made::Int, depth)),
            11 => format!("text({})", self.make(Made::Decimal, depth)),
            12 => format!("format({}, '%d.%m.%Y')", self.make(Made::Date, depth)),
            13 => format!("format({}, '%F %T', 'Europe/Berlin')", self.make(Made::Time, depth)),
            14 => format!("lookup('countries', 'name', 'code', {a}, 'XX')"),
            15 => format!("(record.email != null ? upper(record.email) : {a})"),
            16 => format!("coalesce(record.nickname, {a})"),
            _ => "link(record.account, 'companies')".to_owned(),
        }
    }

    fn decimal(&mut self, depth: u32) -> String {
        let a = self.make(Made::Decimal, depth);
        match self.choose(6) {
            0 => {
                let sign = self.one(&["+", "-", "*"]);
                format!("({a} {sign} {})", self.make(Made::Decimal, depth))
            }
            1 => format!("round({a}, {}, 'half_up')", self.make(Made::Int, depth)),
            2 => format!("div({a}, {}, {})", self.make(Made::Decimal, depth), self.make(Made::Int, depth)),
            3 => format!("decimal({})", self.make(Made::Int, depth)),
            4 => format!("decimal({})", self.make(Made::Text, depth)),
            _ => format!("coalesce(record.discount, -{a})"),
        }
    }

    fn date(&mut self, depth: u32) -> String {
        match self.choose(5) {
            0 => format!("add_days({}, {})", self.make(Made::Date, depth), self.make(Made::Int, depth)),
            1 => format!("add_months({}, {})", self.make(Made::Date, depth), self.make(Made::Int, depth)),
            2 => format!("date_in({}, '+05:30')", self.make(Made::Time, depth)),
            3 => format!("date({}, '%d.%m.%Y')", self.make(Made::Text, depth)),
            _ => format!("min({}, {})", self.make(Made::Date, depth), self.make(Made::Date, depth)),
        }
    }

    fn time(&mut self, depth: u32) -> String {
        match self.choose(4) {
            0 => format!("start_of({}, 'America/Sao_Paulo')", self.make(Made::Date, depth)),
            1 => format!("from_epoch_ms({})", self.make(Made::Int, depth)),
            2 => format!("time({}, '%F %T', 'Europe/Berlin')", self.make(Made::Text, depth)),
            _ => format!("max({}, {})", self.make(Made::Time, depth), self.make(Made::Time, depth)),
        }
    }

    fn list(&mut self, kind: Made, depth: u32) -> String {
        let item = if kind == Made::Texts { Made::Text } else { Made::Int };
        let most = if self.all() { 6 } else { 3 };
        match self.choose(most) {
            1 if self.item.is_none() => {
                let list = self.make(kind, depth);
                let body = self.safely(|tape| tape.with_item(kind, |tape| tape.make(Made::Bool, depth)));
                format!("{list}.filter(t, {body})")
            }
            2 if self.item.is_none() => {
                let from = [Made::Texts, Made::Ints][self.choose(2)];
                let list = self.make(from, depth);
                let body = self.with_item(from, |tape| tape.make(item, depth));
                format!("{list}.map(t, {body})")
            }
            3 => format!("sort({})", self.make(kind, depth)),
            4 => format!("distinct({})", self.make(kind, depth)),
            5 if kind == Made::Texts => {
                format!("split({}, {})", self.make(Made::Text, depth), self.make(Made::Text, depth))
            }
            _ => format!("[{}, {}]", self.make(item, depth), self.make(item, depth)),
        }
    }
}
