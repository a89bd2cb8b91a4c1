//! Rules about answers.

use std::time::Duration;

use ledger::Class;
use serde_json::Value;
use serde_saphyr::Spanned;

use super::Compiler;
use crate::plan::{
    AnswerPlan, CreatedPlan, ExistingPlan, HeaderPlan, IdPlan, Moment, Order, RefusalPlan, Rule, Test,
    WaitPlan,
};
use crate::source::{
    AnswerSource, AnswersSource, BodyTest, CreatedFrom, IdFrom, MomentSource, OrderSource, RefusalSource,
    RuleSource, WaitSource, When,
};
use crate::template::{Allowed, Place};

/// How XML writes a value that is no text.
fn texts(value: &Value) -> Vec<Value> {
    match value {
        Value::Bool(true) => vec!["true".into(), "1".into()],
        Value::Bool(false) => vec!["false".into(), "0".into()],
        Value::Number(number) => vec![number.to_string().into()],
        _ => Vec::new(),
    }
}

/// The longest a target's wish to be left alone is believed, unless the manifest says otherwise.
const WAIT_MAX: Duration = Duration::from_secs(3600);

impl Compiler<'_> {
    pub(super) fn rules(&mut self, rules: &[RuleSource]) -> Vec<Rule> {
        rules.iter().map(|rule| self.rule(rule)).collect()
    }

    fn rule(&mut self, rule: &RuleSource) -> Rule {
        Rule {
            class: rule.class,
            wait: rule.wait.as_ref().map(|wait| self.wait(wait)),
            existing_id: rule.existing_id.as_ref().map(|existing| ExistingPlan {
                path: self.path(&existing.path),
                after: existing.after.as_deref().map(Into::into),
                before: existing.before.as_deref().map(Into::into),
            }),
            say: rule.say.as_deref().map(Into::into),
            ..self.when(&rule.when)
        }
    }

    /// The condition alone.
    pub(super) fn when(&mut self, spanned: &Spanned<When>) -> Rule {
        let when = &spanned.value;
        self.check_when(when, spanned.referenced);
        Rule {
            status: when.status.clone(),
            body: when.body.as_ref().map(|test| self.test(test)),
            text: when.text.iter().map(|text| text.to_lowercase()).collect(),
            header: when
                .header
                .as_ref()
                .map(|header| HeaderPlan::new(&header.name, header.equals.as_deref())),
            json: when.json,
            transport: when.transport.clone(),
            calls: when.calls.clone(),
            class: Class::Permanent,
            wait: None,
            existing_id: None,
            say: None,
        }
    }

    pub(super) fn wait(&mut self, wait: &WaitSource) -> WaitPlan {
        if let (Some(path), true) = (&wait.path, wait.header.is_some() || wait.item.is_some()) {
            let what = "a wait stands in a header or in the body, and `header` or `item` is beside `path`";
            self.error(
                path.referenced,
                what,
                "write two rules, the one that the vendor uses more often first",
            );
        }
        WaitPlan {
            header: wait.header.as_ref().map(|name| name.to_ascii_lowercase().into()),
            path: wait.path.as_ref().map(|path| self.path(path)),
            item: wait.item.as_deref().map(Into::into),
            form: wait.form,
            default: wait.default.map(|span| span.0),
            max: wait.max.map_or(WAIT_MAX, |span| span.0),
        }
    }

    pub(super) fn test(&mut self, test: &BodyTest) -> Test {
        let mut among = test.among.clone();
        among.extend(test.equals.clone());
        for value in &mut among {
            if let Value::String(text) = value
                && text.contains('{')
            {
                self.fill(text, test.path.referenced);
            }
        }
        if matches!(self.source.answers, AnswersSource::Xml(_)) {
            // In XML everything is a text.
            let texts: Vec<Value> = among.iter().flat_map(texts).collect();
            among.extend(texts);
        }
        Test {
            path: self.path(&test.path),
            among,
            contains: test.contains.iter().map(|text| text.to_lowercase()).collect(),
        }
    }

    pub(super) fn refusal(&mut self, source: &RefusalSource) -> RefusalPlan {
        RefusalPlan {
            code: source.code.iter().map(|path| self.path(path)).collect(),
            field: source.field.iter().map(|path| self.path(path)).collect(),
            message: source.message.iter().map(|path| self.path(path)).collect(),
        }
    }

    pub(super) fn moment(&mut self, source: &MomentSource) -> Moment {
        Moment {
            path: self.path(&source.path),
            or: source.or.as_ref().map(|path| self.path(path)),
            form: source.form,
        }
    }

    pub(super) fn order(&mut self, source: &OrderSource) -> Order {
        Order {
            moment: Moment {
                path: self.path(&source.path),
                or: source.or.as_ref().map(|path| self.path(path)),
                form: source.form,
            },
            unit: source.unit,
        }
    }

    pub(super) fn answer(&mut self, source: &AnswerSource) -> AnswerPlan {
        AnswerPlan {
            id: source.id.as_ref().map(|from| match from {
                IdFrom::Path(path) => IdPlan::Path(self.path(path)),
                IdFrom::Header(name) => IdPlan::Header(name.to_ascii_lowercase().into()),
                IdFrom::Known(text) => IdPlan::Known(self.template(text, Place::Json, Allowed::Write)),
            }),
            order: source.order.as_ref().map(|order| self.order(order)),
            version: self.version(source.version.as_ref()),
            created: source.created.as_ref().map(|from| match from {
                CreatedFrom::Path(path) => CreatedPlan::Path(self.path(path)),
                CreatedFrom::Status(status) => CreatedPlan::Status(*status),
            }),
            batch: source.batch.as_ref().map(|batch| (self.path(&batch.results), self.path(&batch.errors))),
            needs: source.needs.iter().map(|path| self.path(path)).collect(),
        }
    }
}
