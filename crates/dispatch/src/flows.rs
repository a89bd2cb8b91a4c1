//! Flows: whose turn it is. A flow is the work of one lane that draws from the same limits. Each runs along a line,
//! the slower the greater its lane's weight; the hindmost goes next.
//!
//! A flow that had nothing to do starts again where the others are: sleep earns no credit. A flow in its turn that
//! lacks tokens keeps its turn, so that a dear call is not overtaken for ever by cheap ones. What shares no dry limit
//! with it may go meanwhile; then the flows it passes move up right behind where it stood, all by the same length:
//! waiting for a limit earns no credit at another, and their order among themselves stays. They stop short of the place
//! itself: a flow that stands there, too, was not passed by, and a tie would give it the turn that they waited for. Each
//! flow advances only by its own calls, so that none stays behind one that is served.

/// Line covered by a call of cost 1 and weight 1.
const STRIDE: u64 = 1 << 20;

/// A flow: which set of limits, by its number, and which lane.
pub(crate) type FlowKey = (usize, usize);

#[derive(Clone, Copy, Default, Debug)]
struct Flow {
    /// How far it has come.
    reached: u128,
    /// Whether it had work when it was last looked at.
    awake: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Flows {
    /// Line covered per unit of cost, by lane.
    stride: [u64; 3],
    /// By number of the set, then by lane.
    flows: Vec<[Flow; 3]>,
    /// Where the last turn was taken.
    front: u128,
}

impl Flows {
    pub(crate) fn new(weights: [u32; 3]) -> Self {
        let stride = weights.map(|weight| STRIDE / u64::from(weight.max(1)).min(STRIDE));
        Self { stride, flows: Vec::new(), front: 0 }
    }

    /// How far a flow has come.
    pub(crate) fn position(&self, (set, lane): FlowKey) -> u128 {
        let flow = self.flows.get(set).map_or(Flow::default(), |flows| flows[lane]);
        if flow.awake { flow.reached } else { flow.reached.max(self.front) }
    }

    /// Takes note of which flows have work.
    pub(crate) fn look(&mut self, has_work: impl Iterator<Item = [bool; 3]>) {
        for (set, has_work) in has_work.enumerate() {
            if set == self.flows.len() {
                self.flows.push([Flow::default(); 3]);
            }
            for (lane, awake) in has_work.into_iter().enumerate() {
                let reached = self.position((set, lane));
                self.flows[set][lane] = Flow { reached, awake };
            }
        }
    }

    /// The flow took its turn, past those that could not take theirs.
    pub(crate) fn took(&mut self, flow: FlowKey, cost: u32, passed: impl Iterator<Item = FlowKey> + Clone) {
        let start = self.position(flow);
        let foremost = passed.clone().map(|passed| self.position(passed)).max();
        let behind = foremost.map_or(0, |foremost| start.saturating_sub(foremost + 1));
        for (set, lane) in passed {
            self.flows[set][lane].reached += behind;
        }
        self.front = self.front.max(start);
        let (set, lane) = flow;
        self.flows[set][lane].reached = start + u128::from(self.stride[lane]) * u128::from(cost.max(1));
    }
}
