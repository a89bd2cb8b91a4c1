//! A contact called Ada Lovelace, a table of countries, and what an expression makes of them.

use std::collections::BTreeMap;

use canonical::Entity;
use serde_json::{Value, json};

use crate::{
    Budget, Cause, Fault, Input, Inputs, Key, Kind, Names, Outcome, Program, Seen, Type, Unknown, compile,
    parse,
};

/// A path, its type, its choices, and its value.
type Known = (&'static str, Type, Option<Vec<String>>, Option<Value>);

/// What a record has, and what a system's object has.
#[derive(Debug)]
pub(crate) struct World {
    inputs: Vec<Known>,
    countries: BTreeMap<String, String>,
}

pub(crate) fn text() -> Type {
    Type::of(Kind::Text)
}

pub(crate) fn of(kind: Kind) -> Type {
    Type::of(kind)
}

impl Default for World {
    fn default() -> Self {
        let account = Type::of(Kind::Ref(Entity::new("Account").unwrap()));
        let stages = ["open", "won", "lost"].map(str::to_owned).to_vec();
        let inputs = vec![
            ("record.name", text(), None, Some(json!("Ada Lovelace"))),
            ("record.nickname", text().or_null(), None, Some(Value::Null)),
            ("record.email", text().or_null(), None, Some(json!("ada@example.org"))),
            ("record.phone", text().or_null(), None, None),
            ("record.count", of(Kind::Int), None, Some(json!(7))),
            ("record.rank", of(Kind::Int).or_null(), None, Some(Value::Null)),
            ("record.amount", of(Kind::Decimal), None, Some(json!("1250.5"))),
            ("record.discount", of(Kind::Decimal).or_null(), None, Some(Value::Null)),
            ("record.active", of(Kind::Bool), None, Some(json!(true))),
            ("record.born", of(Kind::Date), None, Some(json!("1815-12-10"))),
            ("record.seen", of(Kind::Time), None, Some(json!("2026-11-22T10:00:00Z"))),
            ("record.tags", Type::list(text()), None, Some(json!(["vip", "news"]))),
            ("record.stage", text(), Some(stages.clone()), Some(json!("won"))),
            ("record.phase", text().or_null(), Some(stages), Some(json!("won"))),
            ("record.account", account.clone(), None, Some(json!("acc-1"))),
            ("record.parent", account.clone().or_null(), None, Some(json!("acc-2"))),
            ("record.other", account, None, Some(json!("acc-3"))),
            ("object.hs-x.y", text(), None, Some(json!("deep"))),
            ("object.lines.0.sku", text(), None, Some(json!("A-1"))),
            ("record.city", text(), None, Some(json!("London"))),
            ("record.sleeping", of(Kind::Bool), None, Some(json!(false))),
            ("record.least", of(Kind::Int), None, Some(json!(-3))),
        ];
        let countries = [("Germany", "DE"), ("France", "FR")];
        let countries =
            countries.into_iter().map(|(name, code)| (name.to_owned(), code.to_owned())).collect();
        Self { inputs, countries }
    }
}

impl World {
    /// With another value, or none, at a path.
    pub(crate) fn with(mut self, path: &str, value: Option<Value>) -> Self {
        let input = self.inputs.iter_mut().find(|(known, ..)| *known == path).expect("a path that there is");
        input.3 = value;
        self
    }

    /// With a further input.
    pub(crate) fn and(mut self, path: &'static str, ty: Type, value: Option<Value>) -> Self {
        self.inputs.push((path, ty, None, value));
        self
    }

    pub(crate) fn compile(&mut self, text: &str, wanted: &Type) -> Result<Program, Vec<Fault>> {
        let ast = parse(text).map_err(|fault| vec![fault])?;
        compile(&ast, self, Some(wanted))
    }

    /// What an expression gives, of whatever type it is.
    pub(crate) fn run(&mut self, text: &str) -> Result<Outcome, Cause> {
        let program = self.program(text);
        program.run(self, &mut Budget::default()).map_err(|stop| stop.why)
    }

    /// Compiles without knowing what is wanted.
    pub(crate) fn program(&mut self, text: &str) -> Program {
        let ast = parse(text).unwrap_or_else(|fault| panic!("{}", fault.show(text)));
        compile(&ast, self, None).unwrap_or_else(|faults| {
            let shown: Vec<String> = faults.iter().map(|fault| fault.show(text)).collect();
            panic!("{}", shown.join("\n"))
        })
    }
}

/// What an expression gives of Ada.
pub(crate) fn run(text: &str) -> Result<Outcome, Cause> {
    World::default().run(text)
}

/// The value that an expression gives of Ada.
pub(crate) fn value(text: &str) -> Value {
    match run(text) {
        Ok(Outcome::Value(value)) => value,
        other => panic!("{text}: {other:?}"),
    }
}

/// The type of an expression.
pub(crate) fn ty(text: &str) -> String {
    World::default().program(text).ty().to_string()
}

/// What is wrong with an expression of which a text or null is wanted.
pub(crate) fn faults(text: &str) -> Vec<Fault> {
    let wanted = self::text().or_null();
    World::default().compile(text, &wanted).expect_err(text)
}

impl Names for World {
    fn input(&mut self, path: &[Key]) -> Result<Input, Unknown> {
        let keys: Vec<String> = path
            .iter()
            .map(|key| match key {
                Key::Name(name) => name.clone(),
                Key::Place(place) => place.to_string(),
            })
            .collect();
        let path = keys.join(".");
        let found = self.inputs.iter().position(|(known, ..)| *known == path);
        let Some(slot) = found else {
            let names = self.inputs.iter().map(|(known, ..)| *known);
            let hint = Some(canonical::suggest::hint(&path, names));
            return Err(Unknown { message: format!("there is no `{path}`"), hint });
        };
        let (_, ty, choices, _) = &self.inputs[slot];
        Ok(Input { slot: u16::try_from(slot).unwrap(), ty: ty.clone(), choices: choices.clone() })
    }

    fn table(&mut self, table: &str, from: &str, to: &str) -> Result<u16, Unknown> {
        if (table, from, to) == ("countries", "name", "code") {
            return Ok(3);
        }
        let hint = Some(canonical::suggest::hint(table, ["countries"]));
        Err(Unknown { message: format!("there is no table `{table}` from `{from}` to `{to}`"), hint })
    }

    fn link(&mut self, _: u16, entity: &Entity, object: &str) -> Result<u16, Unknown> {
        if (entity.as_str(), object) == ("Account", "companies") {
            return Ok(5);
        }
        let message = format!("`{object}` does not hold {entity}");
        Err(Unknown { message, hint: Some(canonical::suggest::hint(object, ["companies"])) })
    }
}

impl Inputs for World {
    fn input(&self, slot: u16) -> Seen<'_> {
        self.inputs[usize::from(slot)].3.as_ref().map_or(Seen::Missing, Seen::Value)
    }

    fn lookup(&self, slot: u16, key: &str) -> Option<&str> {
        assert_eq!(slot, 3);
        self.countries.get(key).map(String::as_str)
    }

    fn link(&self, slot: u16, record: &str) -> Option<&str> {
        assert_eq!(slot, 5);
        match record {
            "acc-1" => Some("C-17"),
            "acc-2" => Some("C-18"),
            _ => None,
        }
    }
}
