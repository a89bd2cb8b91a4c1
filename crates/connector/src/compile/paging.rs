//! How listings go on: the forms of `page`.

use serde_saphyr::{Location, Spanned};

use super::Compiler;
use crate::plan::{CursorPlan, LinkAt, LinkPlan, More, PagePlan};
use crate::source::{PageSource, PollSource, Sorting};

impl Compiler<'_> {
    /// How a listing goes on. `start`: what stands before the first slot of its request's path.
    pub(super) fn page(&mut self, object: &str, poll: &PollSource, start: &str) -> PagePlan {
        let at = poll.request.path.referenced;
        match &poll.page {
            PageSource::Token(path) => PagePlan::Token(self.path(path)),
            PageSource::LinkToken { path, parameter } => {
                PagePlan::LinkToken { path: self.path(path), parameter: parameter.value.as_str().into() }
            }
            PageSource::Offset(end) => {
                PagePlan::Offset { more: self.more(at, object, end.more.as_ref(), end.done.as_ref()) }
            }
            PageSource::AfterId(end) => {
                PagePlan::AfterId { more: self.more(at, object, end.more.as_ref(), end.done.as_ref()) }
            }
            PageSource::Number(pages) => PagePlan::Number {
                first: pages.first,
                more: self.more(at, object, pages.more.as_ref(), pages.done.as_ref()),
            },
            PageSource::Link(path) => PagePlan::Link(LinkPlan {
                at: LinkAt::Body(self.path(path)),
                start: start.into(),
                credential: self.query_credential().map(Into::into),
            }),
            PageSource::LinkHeader(link) => PagePlan::Link(LinkPlan {
                at: LinkAt::Header(link.header.to_ascii_lowercase().into()),
                start: self.below(object, link.below.as_ref(), start),
                credential: self.query_credential().map(Into::into),
            }),
            PageSource::Cursor(cursor) => {
                let more = self.more(at, object, cursor.more.as_ref(), cursor.done.as_ref());
                if more.is_none() {
                    let what = format!("objects.{object}.poll: `cursor` does not say when it is at its end");
                    self.error(cursor.token.referenced, what, "add `more: PATH` or `done: PATH`");
                }
                PagePlan::Cursor(Box::new(CursorPlan {
                    start: self.start(object, &cursor.start, cursor.lasts),
                    lasts: cursor.lasts,
                    token: self.path(&cursor.token),
                    more: more.unwrap_or(More::While(crate::path::Path::default())),
                }))
            }
            PageSource::None => PagePlan::None,
        }
    }

    fn more(
        &mut self,
        at: Location,
        object: &str,
        more: Option<&Spanned<String>>,
        done: Option<&Spanned<String>>,
    ) -> Option<More> {
        match (more, done) {
            (Some(_), Some(done)) => {
                let at = if done.referenced == Location::UNKNOWN { at } else { done.referenced };
                let what = format!("objects.{object}.poll: `more` and `done` say the same of a page");
                self.error(at, what, "keep the one that the vendor has");
                None
            }
            (Some(path), None) => Some(More::While(self.path(path))),
            (None, Some(path)) => Some(More::Until(self.path(path))),
            (None, None) => None,
        }
    }

    fn below(&mut self, object: &str, below: Option<&Spanned<String>>, start: &str) -> Box<str> {
        let Some(below) = below else { return start.into() };
        let mut text = below.value.clone();
        self.fill(&mut text, below.referenced);
        if !text.starts_with('/') {
            let what = format!("objects.{object}.poll: `below: {}` is not the start of a path", below.value);
            self.error(below.referenced, what, "begin with `/`");
        }
        text.into()
    }
}

/// Whether a way to go on is complete under a sorting.
pub(super) const fn fits(sorting: Sorting, page: &PageSource) -> bool {
    match sorting {
        Sorting::Ascending => true,
        Sorting::Descending => !matches!(page, PageSource::Offset(_) | PageSource::Cursor(_)),
        Sorting::Id => matches!(page, PageSource::AfterId(_)),
    }
}
