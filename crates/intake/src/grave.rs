//! Graves: objects that are gone and that no link stands for. What was said of such an object before its end and comes
//! late makes nothing new (I3, I4).
//!
//! A linked object needs none: its record's tombstone keeps the link. A grave stands where a deletion overtakes the
//! create, where an object is merged into another one, and where an object is gone and its record stays. It is kept with
//! the names of messages that were seen, and as long.

use canonical::{ExternalRef, OrderToken, Wall};

use crate::verdict::Incoming;
use crate::view::View;

/// When an object was last known to be gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grave {
    /// When that was read or heard.
    pub at: Wall,
    /// Its place in the source's order, where the end has one.
    pub order: Option<OrderToken>,
}

/// What a message says of an object that is gone.
pub(crate) enum Risen {
    /// It is from before the end.
    No,
    /// It is there again.
    Yes,
    /// Only a look can tell.
    Unclear,
}

impl Grave {
    /// The name it is kept under, beside the names of messages of the system: no message is called so.
    #[must_use]
    pub fn name(about: &ExternalRef) -> String {
        format!("\u{1}gone/{}/{}", about.object, about.id)
    }

    /// As it is kept: the later of two is the greater.
    #[must_use]
    pub fn bytes(self) -> [u8; 32] {
        let mut out = [0; 32];
        out[..8].copy_from_slice(&self.at.micros().to_be_bytes());
        if let Some(order) = self.order {
            out[8] = 1;
            out[9..17].copy_from_slice(&order.0.to_be_bytes());
        }
        out
    }

    /// Back again.
    #[must_use]
    pub fn of(bytes: &[u8; 32]) -> Self {
        let number = |from: usize| {
            let mut eight = [0; 8];
            eight.copy_from_slice(bytes.get(from..from + 8).unwrap_or(&[0; 8]));
            i64::from_be_bytes(eight)
        };
        Self { at: Wall(number(0)), order: (bytes[8] == 1).then(|| OrderToken(number(9))) }
    }

    /// The grave of the object that a message is about.
    pub(crate) fn seen(view: &View, about: &ExternalRef) -> Option<Self> {
        view.seen.get(&(about.system.clone(), Self::name(about))).map(Self::of)
    }

    /// Whether the object of a message is there again.
    pub(crate) fn risen(self, incoming: &Incoming) -> Risen {
        let after = |is: bool| if is { Risen::Yes } else { Risen::No };
        if incoming.read {
            return after(incoming.as_of > self.at);
        }
        match (incoming.version(), self.order) {
            (Some(order), Some(end)) => after(order > end),
            _ => match incoming.occurred_at {
                Some(at) if at > self.at => Risen::Yes,
                _ => Risen::Unclear,
            },
        }
    }
}
