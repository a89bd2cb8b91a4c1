//! Listings of all that is there, and when they stand in for the changes.

use serde_saphyr::Spanned;

use super::Compiler;
use crate::moment::Form;
use crate::path::Path;
use crate::plan::{Moment, PollPlan, Rule};
use crate::source::{PageSource, PollSource, SnapshotSource, Sorting, When};
use crate::spec::{Deletes, PollSpec};
use crate::template::Allowed;

impl Compiler<'_> {
    pub(super) fn snapshot(&mut self, object: &str, source: &SnapshotSource) -> PollPlan {
        let object = &format!("{object}.snapshot");
        let before = self.faults;
        let request = self.request("snapshot", &source.request, Allowed::Snapshot);
        let at = super::repeat::place(&source.request);
        if self.faults == before {
            self.asks_for_page(object, at, &source.page, &request);
        }
        if source.size < 2 {
            let what = format!("objects.{object}: a page of {} items gets nowhere", source.size);
            self.error(at, what, "pages overlap by one: use 2 or more");
        }
        if matches!(source.page, PageSource::Cursor(_)) {
            let what = format!("objects.{object}: a cursor begins at a mark, and it has none");
            self.error(
                at,
                what,
                "go on by `token`, `link`, `link_header`, `link_token`, `after_id`, `offset` or `number`",
            );
        }
        let start: Box<str> = request.path.start().into();
        PollPlan {
            spec: PollSpec {
                every: std::time::Duration::ZERO,
                lookback: std::time::Duration::ZERO,
                deletes: Deletes::None,
                hint: false,
                blind: Vec::new(),
                keeps: None,
            },
            request,
            items: self.path_or_root(source.items.as_ref()),
            empty: source.empty.as_ref().map(|path| self.path(path)),
            object: self.path_or_root(source.object.as_ref()),
            // An item is no moment: none has a mark.
            mark: Moment { path: Path::default(), or: None, form: Form::Rfc3339 },
            exclusive: false,
            step: 1,
            lookback: 0,
            first: None,
            // In whatever order it comes: no mark moves.
            sorting: Sorting::Descending,
            page: self.page(object, at, &source.page, &start),
            size: usize::try_from(source.size).unwrap_or(usize::MAX),
            cap: None,
            events: false,
            expired: Vec::new(),
        }
    }

    /// What of a poll needs a snapshot to go back to.
    pub(super) fn check_keeps(&mut self, object: &str, poll: &PollSource, snapshot: Option<&PollPlan>) {
        let expired = poll.expired.first().map(|when| when.referenced);
        let Some(at) = poll.keeps.as_ref().map(|keeps| keeps.referenced).or(expired) else { return };
        if snapshot.is_none() {
            let what = format!(
                "objects.{object}.poll: what is older is not listed any more, and nothing lists all that is there"
            );
            self.error(at, what, "add a `snapshot` beside `poll`; or leave `keeps` and `expired` out");
        } else if !poll.mark.form.is_time() {
            let what = format!(
                "objects.{object}.poll: its mark is no moment, so that it can't go on from when a snapshot began"
            );
            self.error(at, what, "leave `keeps` and `expired` out");
        }
        let lookback = poll.lookback.map(|span| span.0).unwrap_or_default();
        if let Some(keeps) = poll.keeps.as_ref().filter(|keeps| keeps.value.0 <= lookback) {
            let what =
                format!("objects.{object}.poll: it reaches further back than the vendor keeps changes");
            self.error(keeps.referenced, what, "make `lookback` shorter than `keeps`");
        }
    }

    pub(super) fn expired(&mut self, tests: &[Spanned<When>]) -> Vec<Rule> {
        tests.iter().map(|test| self.when(test)).collect()
    }
}
