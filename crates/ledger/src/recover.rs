//! Recovery: what becomes of an intent found open after a restart.

use canonical::Wall;
use planted::Bug;

use crate::intent::{IdempotencyClass, Intent, IntentState};
use crate::obligation::Reason;
use crate::words;

/// What to do with it.
#[derive(Clone, PartialEq, Debug)]
pub enum Recovery {
    /// Send the same bytes under the same key, not before this.
    Resend {
        /// Last possible arrival + the operation's processing time.
        not_before: Wall,
    },
    /// Look first, not before this.
    Probe {
        /// Last possible arrival + processing time + index lag.
        not_before: Wall,
    },
    /// A person must look.
    Person(Reason),
}

/// Decides. `scope` is the credential generation in force now.
///
/// A send is counted durably before it is made, so that each counted one may have been made. A wait that was
/// stored with it (back-off, Retry-After) still holds. Of a `search_first` intent it is not known
/// whether it was sent again after a look: it is looked for again. So is one that writes its mark.
#[must_use]
pub fn recover(intent: &Intent, scope: &str, now: Wall) -> Recovery {
    let earliest = if intent.state == IntentState::Doubtful { intent.due.max(now) } else { now };
    way_on(intent, earliest, intent.scope == scope)
}

/// On with an intent that may have been applied, not before `earliest`. `same_scope`: the credential generation it
/// was rendered under is still in force.
pub(crate) fn way_on(intent: &Intent, earliest: Wall, same_scope: bool) -> Recovery {
    let not_before = intent.visible_from().max(earliest);
    match intent.class {
        // One that was never sent is one that looks first.
        IdempotencyClass::NativeKey { .. }
            if same_scope && intent.sends > 0 && intent.key_lives_until(not_before) =>
        {
            Recovery::Resend { not_before }
        }
        IdempotencyClass::Upsert if planted::is(Bug::NoRestInDoubt) => {
            Recovery::Resend { not_before: earliest }
        }
        IdempotencyClass::Upsert => Recovery::Resend { not_before },
        IdempotencyClass::NativeKey { .. }
        | IdempotencyClass::SearchFirst { .. }
        | IdempotencyClass::MarkerField { .. } => Recovery::Probe { not_before },
        IdempotencyClass::None => Recovery::Person(words::unprobed(intent)),
    }
}
