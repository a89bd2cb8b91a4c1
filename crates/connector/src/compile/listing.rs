//! Polls, webhooks and kinds of messages.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use canonical::Object;
use serde_saphyr::Spanned;

use super::Compiler;
use super::paging::fits;
use crate::plan::{Kind, ObjectPlan, Parts, Pattern, PollPlan, RequestPlan, WebhookPlan};
use crate::source::{
    Format, Handled, PageSource, PollSource, RequestSource, Sorting, TypeRule, WebhookSource,
};
use crate::spec::{PollSpec, WebhookSpec};
use crate::template::{Allowed, Source};

/// The shortest time between two listings, as for systems.
const EVERY_MIN: Duration = Duration::from_millis(100);

type Objects = BTreeMap<Object, Arc<ObjectPlan>>;

impl Compiler<'_> {
    pub(super) fn poll(&mut self, object: &str, source: &PollSource) -> PollPlan {
        let lookback = self.tuned("lookback_ms").or(source.lookback.map(|span| span.0)).unwrap_or_default();
        let mark = &source.mark;
        let time = mark.form.is_time();
        if source.size < 2 {
            let at = source.request.path.referenced;
            let what = format!("objects.{object}.poll: a page of {} items gets nowhere", source.size);
            self.error(at, what, "pages overlap by one: use 2 or more");
        }
        if !fits(source.sorting, &source.page) {
            let at = source.request.path.referenced;
            self.error(
                at,
                format!("objects.{object}.poll: `page` does not go with `sorting: {}`", source.sorting.name()),
                "ascending pages by `offset`, `number`, `after_id`, `token`, `link`, `link_header`, `link_token` or `cursor`, descending \
                 by `token`, `number`, `after_id`, `link`, `link_header` or `link_token`, id by `after_id`",
            );
        }
        let step = match mark.granularity {
            Some(span) => micros(span.0),
            None => 1,
        };
        let request = self.list(object, source);
        if source.every.value.0 < EVERY_MIN {
            self.error(
                source.every.referenced,
                format!("objects.{object}.poll: `every` is too short"),
                "at least 100 ms",
            );
        }
        let start: Box<str> = request.path.start().into();
        PollPlan {
            spec: PollSpec {
                every: source.every.value.0,
                lookback,
                deletes: source.deletes,
                hint: source.hint,
                blind: source.blind.clone(),
            },
            request,
            items: self.path_or_root(source.items.as_ref()),
            empty: source.empty.as_ref().map(|path| self.path(path)),
            object: self.path_or_root(source.object.as_ref()),
            mark: crate::plan::Moment {
                path: self.path(&mark.path),
                or: mark.or.as_ref().map(|path| self.path(path)),
                form: mark.form,
            },
            exclusive: mark.exclusive,
            step: step.max(1),
            lookback: if time { micros(lookback) } else { 0 },
            first: source.first.map(|span| micros(span.0)),
            sorting: source.sorting,
            page: self.page(object, source, &start),
            size: usize::try_from(source.size).unwrap_or(usize::MAX),
            cap: source.cap.map(|cap| usize::try_from(cap).unwrap_or(usize::MAX)),
            events: source.events,
        }
    }

    /// The request of a page, which says from where on it lists.
    fn list(&mut self, object: &str, source: &PollSource) -> RequestPlan {
        let before = self.faults;
        let request = self.request("list", &source.request, Allowed::List);
        if self.faults > before {
            return request;
        }
        let at = super::repeat::place(&source.request);
        let goes_on =
            !matches!(source.page, PageSource::Link(_) | PageSource::LinkHeader(_) | PageSource::None);
        let is_page = |one: &Source| *one == Source::Page;
        if goes_on && !request.mentions(Parts::All, &is_page) {
            let what = format!("objects.{object}.poll: nothing says which page is asked for");
            self.error(at, what, "put `{page}` where the vendor takes it, or choose `page: none`");
        }
        let empty_first =
            !matches!(source.page, PageSource::Offset(_) | PageSource::Number(_) | PageSource::Cursor(_));
        if empty_first && request.rests_on(&is_page) {
            let what =
                format!("objects.{object}.poll: the first page has no `{{page}}`, and the request needs one");
            self.error(at, what, "let it go where it is missing: `\"NAME?\": \"{page}\"`");
        }
        let again = source.sorting == Sorting::Ascending
            && !matches!(source.page, PageSource::None | PageSource::Cursor(_));
        if again && !request.mentions(Parts::All, &|one| *one == Source::Since) {
            let what = format!("objects.{object}.poll: nothing says from which mark on it lists");
            let hint =
                "put `{since}` where the vendor takes it: each page asks anew from the highest mark seen";
            self.error(at, what, hint);
        }
        request
    }

    /// The request that gives a cursor's first token.
    pub(super) fn start(&mut self, object: &str, source: &RequestSource, lasts: bool) -> RequestPlan {
        let before = self.faults;
        let request = self.request("list", source, Allowed::List);
        let at = super::repeat::place(source);
        if self.faults == before && request.rests_on(&|one| *one == Source::Page) {
            let what = format!(
                "objects.{object}.poll: its cursor begins without a `{{page}}`, and `start` needs one"
            );
            self.error(at, what, "leave it out of `start`");
        } else if self.faults == before
            && !lasts
            && !request.mentions(Parts::All, &|one| *one == Source::Since)
        {
            let what = format!("objects.{object}.poll: its cursor begins at no mark");
            self.error(at, what, "put `{since}` into `start`, or each poll reads everything");
        }
        request
    }

    pub(super) fn webhook(&mut self, source: &WebhookSource, objects: &Objects, any: bool) -> WebhookPlan {
        if source.format != Format::CloudEvents
            && source.kind.is_none()
            && source.rules.iter().any(needs_kind)
        {
            let at = source.scheme.referenced;
            self.error(
                at,
                "webhook: rules match a kind, and `kind` does not say where it stands",
                "add `kind: PATH`",
            );
        }
        if !source.scheme.value.is_signed() && !source.hint {
            let at = source.scheme.referenced;
            self.error(
                at,
                "webhook: messages are not signed, so anybody can send them",
                "add `hint: true`, so that each is fetched before it is believed",
            );
        }
        if let Some(handshake) = &source.handshake
            && let Some((what, hint)) = handshake.value.flaw()
        {
            self.error(handshake.referenced, format!("webhook.handshake.{what}"), hint);
        }
        WebhookPlan {
            spec: WebhookSpec {
                scheme: source.scheme.value.clone(),
                handshake: source.handshake.as_ref().map(|it| it.value.clone()).unwrap_or_default(),
                ack: source.ack,
                hint: source.hint,
                blind: source.blind.clone(),
            },
            scopes: self.needed(&source.scopes),
            format: source.format,
            items: source.items.as_ref().map(|path| self.path(path)),
            id: source.id.iter().map(|path| self.path(path)).collect(),
            kind: source.kind.as_ref().map(|path| self.path(path)),
            object_id: source.object_id.as_ref().map(|path| self.path(path)),
            fields: source.fields.as_ref().map(|path| self.path(path)),
            order: source.order.as_ref().map(|order| self.order(order)),
            occurred_at: source.occurred_at.as_ref().map(|moment| self.moment(moment)),
            trace: source.trace.as_ref().map(|path| self.path(path)),
            rules: source.rules.iter().map(|rule| self.kind(rule, objects, any)).collect(),
        }
    }

    pub(super) fn kind(&mut self, rule: &TypeRule, objects: &Objects, any: bool) -> Kind {
        let at = rule.pattern.referenced;
        let pattern = Pattern::parse(&rule.pattern.value).unwrap_or_else(|| {
            self.error(
                at,
                format!("`{}` has more than one `*`", rule.pattern.value),
                "write one rule for each",
            );
            Pattern { before: "".into(), after: None }
        });
        let named = rule.object.as_ref().and_then(|name| self.named(name, objects, any));
        let needs_object = rule.seen != Handled::Ignored;
        if needs_object && rule.object.is_none() && rule.object_path.is_none() && pattern.after.is_none() {
            self.error(at, format!("rule `{}` names no object", rule.pattern.value), "add `object: NAME`");
        }
        if rule.seen == Handled::Merged && rule.into.is_none() {
            self.error(at, "a merge needs the surviving id", "add `into: PATH`");
        }
        Kind {
            pattern,
            only: rule.only.as_ref().map(|test| self.test(test)),
            object: named,
            object_path: rule.object_path.as_ref().map(|path| self.path(path)),
            objects: self.renames(rule),
            seen: rule.seen,
            id: rule.id.as_ref().map(|path| self.path(path)),
            id_md5: rule.id_md5.as_ref().map(|path| self.path(path)),
            fields: rule.fields.as_ref().map(|path| self.path(path)),
            into: rule.into.as_ref().map(|path| self.path(path)),
        }
    }

    /// The names of objects in messages: the manifest's, then the parameter's.
    fn renames(&mut self, rule: &TypeRule) -> BTreeMap<String, Object> {
        let mut renames = rule.objects.clone();
        let Some(parameter) = &rule.objects_from else { return renames };
        let Some(value) = self.parameters.get(&parameter.value).cloned() else {
            let names = self.source.parameters.keys().map(String::as_str);
            let hint = canonical::suggest::hint(&parameter.value, names);
            self.error(parameter.referenced, format!("there is no parameter `{}`", parameter.value), hint);
            return renames;
        };
        for (from, to) in value.as_object().into_iter().flatten() {
            match Object::new(to.as_str().unwrap_or_default()) {
                Ok(object) => {
                    renames.insert(from.clone(), object);
                }
                Err(error) => self.whole(format!("parameter `{}.{from}`: {error}", parameter.value), ""),
            }
        }
        renames
    }

    fn named(&mut self, name: &Spanned<String>, objects: &Objects, any: bool) -> Option<Object> {
        match Object::new(&name.value) {
            Ok(object) if any || objects.contains_key(&object) => Some(object),
            Ok(_) => {
                let hint = canonical::suggest::hint(&name.value, objects.keys().map(Object::as_str));
                self.error(name.referenced, format!("there is no object `{}`", name.value), hint);
                None
            }
            Err(error) => {
                self.error(name.referenced, error.to_string(), "");
                None
            }
        }
    }
}

fn needs_kind(rule: &TypeRule) -> bool {
    rule.pattern.value != "*"
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}
