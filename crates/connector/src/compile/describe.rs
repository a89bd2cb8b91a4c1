//! How descriptions of objects are read.

use super::Compiler;
use crate::describe::{DescribePlan, ValuesPlan};
use crate::plan::Pattern;
use crate::source::{BodyTest, DescribeSource};
use crate::template::Allowed;

impl Compiler<'_> {
    pub(super) fn describe(&mut self, source: &DescribeSource) -> DescribePlan {
        let tests = |compiler: &mut Self, tests: &[BodyTest]| {
            tests.iter().map(|test| compiler.test(test)).collect::<Vec<_>>()
        };
        let mut aliases = Vec::new();
        for alias in &source.aliases {
            match Pattern::parse(&alias.value).filter(|pattern| pattern.after.is_some()) {
                Some(pattern) => aliases.push(pattern),
                None => self.error(
                    alias.referenced,
                    format!("the alias `{}` needs one `*`", alias.value),
                    "the field's name stands in its place, such as `_*_value`",
                ),
            }
        }
        DescribePlan {
            request: self.request("describe", &source.request, Allowed::Object),
            fields: self.path_or_root(source.fields.as_ref()),
            name: source.name.as_ref().map(|path| self.path(path)),
            aliases,
            through: source.through.as_ref().map(|path| self.path(path)),
            kind: source.kind.as_ref().map(|path| self.path(path)),
            types: source.types.clone(),
            also: source.also.clone(),
            required: tests(self, &source.required),
            writable: tests(self, &source.writable),
            read_only: tests(self, &source.read_only),
            chars_max: source.chars_max.as_ref().map(|path| self.path(path)),
            values: source.values.as_ref().map(|values| ValuesPlan {
                at: self.path(&values.at),
                value: self.path_or_root(values.value.as_ref()),
                lines: values.lines,
                closed: values.closed.as_ref().map(|test| self.test(test)),
            }),
            custom: source.custom.as_ref().map(|test| self.test(test)),
        }
    }
}
