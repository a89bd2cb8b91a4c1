//! One machine on one task.

use std::sync::Arc;
use std::time::Duration;

use canonical::{Mono, Now};
use hub::{Effect, Input, Machine, MachineId, Turn};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::entropy::{Entropy, NoEntropy};
use crate::perform::perform;
use crate::shared::{Ended, Shared};

/// Most inputs handed over before their effects are performed: bounds the list of effects.
const INPUTS_MAX: usize = 256;

/// Shortest time between two ticks: a machine that names a time in the past again and again (a defect) must not take
/// a whole core. Timers are no finer than this anyway.
const TICK_PAUSE: Duration = Duration::from_millis(1);

/// Why a driver returned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Left {
    /// Everything has ended.
    Ended,
    /// Its machine is not part of the hub any more.
    Dismissed,
}

/// Drives a machine until the runtime ends.
pub(crate) struct Driver {
    pub(crate) id: MachineId,
    pub(crate) machine: Box<dyn Machine>,
    pub(crate) inbox: UnboundedReceiver<Input>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) entropy: Entropy,
}

impl Driver {
    /// Runs. Returns when everything has ended, or nobody can reach the machine any more.
    pub(crate) async fn run(mut self) -> Left {
        let mut inputs = vec![Input::Start];
        let mut effects = Vec::new();
        // No tick before this.
        let mut quiet_until = Mono::default();
        loop {
            match self.turns(&mut inputs, &mut effects, quiet_until) {
                Ok(None) => {}
                Ok(Some(ticked)) => quiet_until = ticked + TICK_PAUSE,
                Err(none) => {
                    self.shared.end(Ended::Stopped(none.to_string()));
                    return Left::Ended;
                }
            }
            for effect in effects.drain(..) {
                if self.shared.is_stopping() {
                    return Left::Ended;
                }
                perform(&self.id, effect, &self.shared);
            }
            self.wait(&mut inputs, quiet_until).await;
            if self.shared.is_stopping() {
                return Left::Ended;
            }
            if inputs.is_empty() && self.inbox.is_closed() {
                return Left::Dismissed;
            }
        }
    }

    /// Hands over every input, and a tick when one is due, with one reading of the clocks. Gives when it ticked.
    fn turns(
        &mut self,
        inputs: &mut Vec<Input>,
        effects: &mut Vec<Effect>,
        quiet_until: Mono,
    ) -> Result<Option<Mono>, NoEntropy> {
        let now = self.shared.clock.now();
        for input in inputs.drain(..) {
            self.turn(input, now, effects)?;
        }
        let due = now.mono >= quiet_until && self.machine.next_wakeup(now).is_some_and(|at| at <= now.mono);
        if due {
            self.turn(Input::Tick, now, effects)?;
        }
        Ok(due.then_some(now.mono))
    }

    fn turn(&mut self, input: Input, now: Now, effects: &mut Vec<Effect>) -> Result<(), NoEntropy> {
        let seed = self.entropy.seed()?;
        self.machine.handle(input, &mut Turn::new(now, seed, effects));
        Ok(())
    }

    /// Waits for inputs or the next wake-up, whichever is first.
    async fn wait(&mut self, inputs: &mut Vec<Input>, quiet_until: Mono) {
        let wakeup = self.machine.next_wakeup(self.shared.clock.now());
        match wakeup {
            None => {
                self.inbox.recv_many(inputs, INPUTS_MAX).await;
            }
            Some(at) => {
                tokio::select! {
                    biased;
                    _ = self.inbox.recv_many(inputs, INPUTS_MAX) => {}
                    () = self.shared.clock.sleep_until(at.max(quiet_until)) => {}
                }
            }
        }
    }
}
