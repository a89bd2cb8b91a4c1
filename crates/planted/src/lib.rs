//! Known-wrong variants of single lines of production code, behind the feature `armed`: each must be caught by the
//! simulator as a breach of the invariant it states, or the simulator is blind there. Without the feature nothing of
//! them is compiled in; with it, none is in force until one is planted.

use std::fmt;
use std::str::FromStr;

macro_rules! bugs {
    ($($(#[doc = $about:literal])+ $name:ident = $text:literal, $invariant:literal;)+) => {
        /// A known-wrong variant.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Bug {
            $($(#[doc = $about])+ $name,)+
        }

        impl Bug {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its name on the command line.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// The invariant that it breaks.
            #[must_use]
            pub const fn invariant(self) -> &'static str {
                match self { $(Self::$name => $invariant),+ }
            }

            /// What it does.
            #[must_use]
            pub fn about(self) -> &'static str {
                match self { $(Self::$name => concat!($($about),+).trim_start()),+ }
            }
        }
    };
}

bugs! {
    /// An offer is acknowledged before its commit is synced.
    AckBeforeSync = "ack_before_sync", "I2";
    /// Every send of an intent has another key.
    NewKeyPerAttempt = "new_key_per_attempt", "I3";
    /// A key is made from what is written, so that an undo goes under an old one.
    UndoUnderOldKey = "undo_under_old_key", "I3";
    /// A key is believed in for ever.
    KeyLivesForEver = "key_lives_for_ever", "I3";
    /// A look that found nothing is believed at once, while the request may still arrive.
    ZombieAfterLook = "zombie_after_look", "I3";
    /// A create that nothing can look for is sent again.
    BlindCreate = "blind_create", "I3";
    /// A request leaves before its intent is durable.
    SendBeforeDurable = "send_before_durable", "I3";
    /// A deletion unlinks, so that what was said before it makes a new record.
    DeletedIsForgotten = "deleted_is_forgotten", "I3";
    /// What a write does not find is made anew at once, although it was deleted or merged there.
    LostIsReplaced = "lost_is_replaced", "I3";
    /// A link stays where it was when its object is merged into another one there.
    MergedLinkStays = "merged_link_stays", "I3";
    /// What is said of an object whose record was merged into another makes a new record.
    AbsorbedIsNew = "absorbed_is_new", "I3";
    /// A second object of a record, which came with a merge, speaks for it as the first one does.
    SecondObjectSpeaks = "second_object_speaks", "I5";
    /// The second object of a record does not go on in place of the first one that is merged into it.
    SecondStaysSecond = "second_stays_second", "I5";
    /// A second object that fits a record is forgotten once a person was told: when the first is gone, it waits, and a third is made.
    TwinIsForgotten = "twin_is_forgotten", "I1";
    /// An object that is told of before the answer to its own create comes makes a new record.
    OvertakenIsNew = "overtaken_is_new", "I3";
    /// What a source says is taken in the order of its arrival.
    ArrivalOrder = "arrival_order", "I4";
    /// A write in doubt goes again at once, and newer ones after it, while the first may still arrive.
    NoRestInDoubt = "no_rest_in_doubt", "I4";
    /// Who may create a record is taken for the owner of all of it.
    CreatorOwns = "creator_owns", "I5";
    /// A batch whose fate is unknown is split and rendered anew, while the first may still arrive.
    SplitInDoubt = "split_in_doubt", "I4";
    /// What was written there and is superseded is taken for an edit when it comes back late.
    LateEchoIsEdit = "late_echo_is_edit", "I6";
    /// A write that is on its way is not known when it comes back.
    WritingIsForgotten = "writing_is_forgotten", "I6";
    /// An edit back to what was written there at some time is always taken for that write, come back late.
    EditIsEcho = "edit_is_echo", "I6";
    /// What an owner had before it was told what others bring together counts as its word against it.
    OwnersEchoIsWord = "owners_echo_is_word", "I6";
    /// Whoever becomes the owner of a field is not asked what it has there.
    NewOwnerIsNotAsked = "new_owner_is_not_asked", "I5";
    /// What a system says while a write is on its way there is not said there again, although the write may come after it.
    CrossingWriteStands = "crossing_write_stands", "I5";
    /// What a shadow says is believed after a restore, although it is as old as the backup.
    RestoreIsTrusted = "restore_is_trusted", "I6";
    /// No answer to an event is taken for its delivery.
    SilenceIsSuccess = "silence_is_success", "I8";
    /// A batch that was taken in part is taken for done.
    PartIsWhole = "part_is_whole", "I8";
    /// A job that has only begun is taken for done.
    SubmittedIsDone = "submitted_is_done", "I8";
    /// Jobs that run are forgotten at a start: what they hold is sent again at once.
    RunningJobForgotten = "running_job_forgotten", "I3";
    /// A record that leaves a filter raises nothing.
    FilterLeftSilently = "filter_left_silently", "I8";
    /// Limits start full after every start.
    FullBuckets = "full_buckets", "I9";
    /// Of several systems, only the first hears of what was raised for it.
    OneSystemHears = "one_system_hears", "I10";
    /// Throttling counts as illness.
    ThrottlingIsIll = "throttling_is_ill", "I12";
    /// Nobody waits for what the target asked for.
    RetryAfterIgnored = "retry_after_ignored", "I12";
    /// What the target asked for is forgotten at a start.
    CoolDownForgotten = "cool_down_forgotten", "I12";
    /// What an operator holds back goes all the same.
    HoldsNothing = "holds_nothing", "I12";
    /// An open breaker lets calls through.
    OpenBreakerLeaks = "open_breaker_leaks", "I12";
    /// A link wakes nobody.
    NobodyIsWoken = "nobody_is_woken", "I1";
    /// A message that is seen again is taken in again.
    SeenAgainIsNew = "seen_again_is_new", "I16";
    /// What is merged into a record lowers its version.
    MergeLowersVersion = "merge_lowers_version", "I10";
    /// A write whose answer was lost is taken for done once something newer goes in its place: what stands there instead is
    /// taken for an edit, and what it put right is not said again.
    LostRevert = "lost_revert", "I6";
    /// What is hinted at while an object is read is taken for part of that reading.
    LaterHintIsLost = "later_hint_is_lost", "I1";
    /// A replay tells what was told before, although the target can't know it again.
    ReplayTellsTwice = "replay_tells_twice", "I3";
    /// A job is written down without how far it has come, so that it does again what it has done.
    JobForgetsItsPlace = "job_forgets_its_place", "I1";
    /// A job that is held goes on.
    HeldJobGoesOn = "held_job_goes_on", "I12";
    /// The wall clock is followed wherever it jumps, so that what is due comes too late, or too early.
    EveryJumpIsFollowed = "every_jump_is_followed", "I17";
    /// Decisions depend on something else than the seed.
    AnotherDice = "another_dice", "I18";
    /// Everything that is due is held in memory.
    HoldsEverything = "holds_everything", "I19";
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Bug {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.iter().find(|bug| bug.name() == text).copied();
        known.ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|bug| bug.name()).collect();
            format!("no planted bug is called {text}; there are {}", names.join(", "))
        })
    }
}

/// Whether the variants are compiled in.
pub const ARMED: bool = cfg!(feature = "armed");

#[cfg(feature = "armed")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// Plants a bug in this thread, or takes it out again. Without the feature `armed` nothing happens.
pub fn plant(bug: Option<Bug>) {
    #[cfg(feature = "armed")]
    PLANTED.with(|planted| planted.set(bug));
    #[cfg(not(feature = "armed"))]
    let _ = bug;
}

/// Whether that bug is planted in this thread.
#[cfg(feature = "armed")]
#[must_use]
pub fn is(bug: Bug) -> bool {
    PLANTED.with(|planted| planted.get() == Some(bug))
}

/// Whether that bug is planted in this thread: never, without the feature `armed`.
#[cfg(not(feature = "armed"))]
#[must_use]
#[inline(always)]
pub const fn is(_: Bug) -> bool {
    false
}
