//! Drills with real processes under load: a hub that is stopped for a while, a target that is, syncs that fail, a disk
//! that turns read-only, a wall clock that jumps; one by one and together. Judged by the targets' own books, as
//! `kill.rs`. What the kernel cannot be made to do without rights is done by a shim (`support/shim.c`), which each
//! test compiles.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may end where it stands")]

mod support;

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sandbox::{Books, Fault, FaultKind};
use support::load::{Dice, Producers, crm, folder, lacking, wrong};
use support::{Folder, Hub, free_port, request, told};

const PRODUCERS: u64 = 2;

/// A sink in a process of its own, so that it can be stopped.
struct Sink {
    child: Child,
    port: u16,
}

impl Sink {
    fn start() -> Self {
        let port = free_port();
        let child = Command::new(env!("CARGO_BIN_EXE_concord"))
            .args(["--quiet", "sandbox", "--sink", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let sink = Self { child, port };
        for _ in 0..400 {
            if request(port, "GET", "/_admin/faults", &[], b"").is_ok() {
                return sink;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("the sink does not start");
    }

    fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    fn books(&self) -> Books {
        let (status, body) = request(self.port, "GET", "/_admin/books?history=0", &[], b"").unwrap();
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    fn loses_answers(&self) {
        let fault =
            serde_json::to_vec(&Fault::new(FaultKind::LostAnswer).on("PUT", "/").chance(0.03)).unwrap();
        let (status, body) = request(self.port, "POST", "/_admin/faults", &[], &fault).unwrap();
        assert_eq!(status, 200, "{body}");
    }

    fn answers_all(&self) {
        let (status, body) = request(self.port, "DELETE", "/_admin/faults", &[], b"").unwrap();
        assert_eq!(status, 204, "{body}");
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        signal("CONT", self.child.id());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn signal(name: &str, process: u32) {
    let sent = Command::new("kill").args([&format!("-{name}"), &process.to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "kill -{name} {process}");
}

/// Stops a process for so long.
fn stopped_for(process: u32, pause: Duration) {
    signal("STOP", process);
    std::thread::sleep(pause);
    signal("CONT", process);
}

/// What the shim is to do.
#[derive(Clone, Copy)]
enum Order {
    FailSyncs,
    ReadOnly,
    /// A folder holds so many bytes.
    Holds(u64),
    /// The wall clock is so many seconds off.
    Clock(i64),
    Nothing,
}

/// A hub with its targets and sources.
struct Drill {
    folder: Folder,
    sink: Sink,
    crm: sandbox::Handle,
    shim: PathBuf,
    order: PathBuf,
}

impl Drill {
    async fn new() -> Self {
        let (sink, crm) = (Sink::start(), crm(300).await);
        sink.loses_answers();
        let lost = Fault::new(FaultKind::LostAnswer).on("POST", "/crm/v3/objects/companies").chance(0.1);
        crm.lock().add_fault(lost);
        let folder = folder(sink.address(), crm.addr, "id");
        let shim = compiled(folder.path());
        let order = folder.path().join("order");
        Self { folder, sink, crm, shim, order }
    }

    /// Starts the hub with the shim before it.
    fn up(&self) -> Hub {
        self.folder.up_with(&[], &[("LD_PRELOAD", &self.shim), ("CONCORD_DRILL", &self.order)])
    }

    fn order(&self, order: Order) {
        let text = match order {
            Order::FailSyncs => "f".to_owned(),
            Order::ReadOnly => "r".to_owned(),
            Order::Holds(bytes) => format!("n {bytes}"),
            Order::Clock(seconds) => format!("c {seconds}"),
            Order::Nothing => String::new(),
        };
        // In one step, so that nobody reads half of it.
        let new = self.order.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, &self.order).unwrap();
    }

    #[track_caller]
    fn expect(&self, holds: bool, what: &str) {
        assert!(holds, "{what}\n{}", self.folder.last_words());
    }

    /// The hub ends by itself, as failed.
    #[track_caller]
    fn expect_end(&self, hub: &mut Hub, what: &str) {
        for _ in 0..600 {
            if let Some(status) = hub.ended() {
                assert_eq!(status.code(), Some(1), "{what}\n{}", self.folder.last_words());
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{what}: it goes on\n{}", self.folder.last_words());
    }

    /// All is well from now on: everything that was acknowledged arrives, once, and nothing goes backwards.
    async fn settle(&self, mut hub: Hub, producers: Producers) {
        let said = producers.finish();
        self.sink.answers_all();
        self.crm.lock().clear_faults();
        let mut missing = String::new();
        for _ in 0..900 {
            missing = lacking(&said, &self.sink.books().lanes, &self.crm.lock().books());
            if missing.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.expect(missing.is_empty(), &format!("lost (I1): {missing}"));
        let wrong = wrong(&self.sink.books().lanes, &self.crm.lock().books());
        self.expect(wrong.is_empty(), &wrong);
        assert_eq!(hub.stop(), Some(0), "no clean stop:\n{}", self.folder.last_words());
    }
}

/// The shim, compiled.
fn compiled(into: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/shim.c");
    let shim = into.join("shim.so");
    let output = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).arg(source).output();
    let output = output.unwrap_or_else(|error| panic!("the drills need a C compiler as cc: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    shim
}

/// I1, I3, I4: what was under way as the hub stopped is neither lost nor done twice, however late it goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_a_hub_that_is_stopped_for_a_while_loses_and_doubles_nothing() {
    let drill = Drill::new().await;
    let mut hub = drill.up();
    drill.expect(hub.ready(), "it starts");
    let producers = Producers::start(drill.folder.ingress, PRODUCERS);
    let mut dice = Dice(11);
    for _ in 0..6 {
        drill.expect(producers.goes_on(15), "nothing is taken in");
        // Shorter and longer than a request may take.
        stopped_for(hub.pid(), Duration::from_millis(100 + dice.below(3_500)));
    }
    drill.expect(producers.goes_on(15), "nothing is taken in any more");
    drill.settle(hub, producers).await;
}

/// I10: while a target is stopped, sources are heard and the other target gets its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i10_a_target_that_is_stopped_holds_up_nobody_else() {
    let drill = Drill::new().await;
    let mut hub = drill.up();
    drill.expect(hub.ready(), "it starts");
    let producers = Producers::start(drill.folder.ingress, PRODUCERS);
    for pause in [400, 2_500, 5_000] {
        drill.expect(producers.goes_on(15), "nothing is taken in");
        let calls = || drill.crm.lock().books().calls.total;
        signal("STOP", drill.sink.child.id());
        let before = calls();
        tokio::time::sleep(Duration::from_millis(pause)).await;
        drill.expect(producers.goes_on(15), "sources wait for a target that is stopped");
        drill.expect(calls() > before, "the CRM waits for a target that is stopped");
        signal("CONT", drill.sink.child.id());
    }
    drill.settle(hub, producers).await;
}

/// I2: a sync that fails ends the process, nothing is acknowledged on it, and a restart goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i2_a_sync_that_fails_ends_the_hub_and_a_restart_goes_on() {
    the_disk_fails(Order::FailSyncs).await;
}

/// I2: so does a disk that turns read-only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i2_a_disk_that_turns_read_only_ends_the_hub_and_a_restart_goes_on() {
    the_disk_fails(Order::ReadOnly).await;
}

async fn the_disk_fails(order: Order) {
    let drill = Drill::new().await;
    let producers = Producers::start(drill.folder.ingress, PRODUCERS);
    for _ in 0..3 {
        let mut hub = drill.up();
        drill.expect(hub.ready(), "it starts");
        drill.expect(producers.goes_on(20), "nothing is taken in");
        drill.order(order);
        drill.expect_end(&mut hub, "its disk has failed");
        // What it answered before its end is heard and counted.
        std::thread::sleep(Duration::from_millis(500));
        let acknowledged = producers.acknowledged();
        // As long as the disk is like that, nothing is acknowledged, and the hub ends again.
        let mut again = drill.up();
        drill.expect_end(&mut again, "its disk fails still");
        assert_eq!(producers.acknowledged(), acknowledged, "{}", drill.folder.last_words());
        drill.order(Order::Nothing);
    }
    let mut hub = drill.up();
    drill.expect(hub.ready(), "it starts");
    drill.expect(producers.goes_on(20), "nothing is taken in any more");
    drill.settle(hub, producers).await;
}

/// The reserve, what must be free beside it, and little else.
const DISK: u64 = 240 << 20;

/// I2: on a disk that is full under load, intake stops first, what was acknowledged goes on, and all heals by itself.
/// Where no process may mount a disk of its own, the shim plays it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i2_a_full_disk_stops_sources_and_heals_by_itself() {
    let drill = Drill::new().await;
    if let Some(hub) = drill.folder.up_on_a_disk_of(DISK) {
        let seen = format!("/proc/{}/root{}/data", hub.pid(), drill.folder.path().display());
        the_disk_is_filled(drill, hub, Path::new(&seen), stands_still).await;
    } else {
        the_played_disk_is_filled(drill).await;
    }
}

/// I2: writes that fail for want of room, again and again, as the reserve finds room each time: the shim does not see
/// how that is taken up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i2_a_disk_that_seems_to_have_room_loses_nothing() {
    the_played_disk_is_filled(Drill::new().await).await;
}

async fn the_played_disk_is_filled(drill: Drill) {
    drill.order(Order::Holds(DISK));
    let data = drill.folder.path().join("data");
    let hub = drill.up();
    the_disk_is_filled(drill, hub, &data, is_refused).await;
}

async fn the_disk_is_filled(
    drill: Drill,
    mut hub: Hub,
    data: &Path,
    is_full: fn(&Drill, &mut Hub, &Producers) -> bool,
) {
    drill.expect(hub.ready(), "it starts");
    let producers = Producers::start(drill.folder.ingress, PRODUCERS);
    let ballast = data.join("ballast");
    for round in 0..2 {
        drill.expect(producers.goes_on(30), &format!("nothing is taken in (round {round})"));
        fill(&ballast, 1 << 20);
        let full = is_full(&drill, &mut hub, &producers);
        drill.expect(full, "a full disk takes everything");
        std::fs::remove_file(&ballast).unwrap();
    }
    drill.expect(producers.goes_on(30), "nothing is taken in any more");
    drill.settle(hub, producers).await;
}

/// Takes up all of the disk that is free but so much.
fn fill(ballast: &Path, but: u64) {
    let beside = std::fs::read_dir(ballast.parent().unwrap()).unwrap();
    let held: u64 = beside.map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    let mut file = std::fs::File::create(ballast).unwrap();
    let mut some = std::io::repeat(7).take(DISK.saturating_sub(held + but));
    // The hub writes at the same time: it may have been faster.
    drop(std::io::copy(&mut some, &mut file));
}

/// Whether nothing more is acknowledged for a while, the hub being up and saying why, and working off what it has.
fn stands_still(drill: &Drill, hub: &mut Hub, producers: &Producers) -> bool {
    let (mut before, mut since) = (producers.acknowledged(), 0);
    for _ in 0..1_200 {
        std::thread::sleep(Duration::from_millis(50));
        assert!(hub.ended().is_none(), "it ended:\n{}", drill.folder.last_words());
        let now = producers.acknowledged();
        since = if now == before { since + 1 } else { 0 };
        before = now;
        if since >= 60 {
            return is_refused(drill, hub, producers) && what_is_in_arrives(drill);
        }
    }
    false
}

/// Whether all that is in arrives although nothing comes in: the books do not move any more once it has.
fn what_is_in_arrives(drill: &Drill) -> bool {
    let calls = || drill.sink.books().calls.total + drill.crm.lock().books().calls.total;
    let mut before = calls();
    (0..30).any(|_| {
        std::thread::sleep(Duration::from_secs(3));
        let now = calls();
        std::mem::replace(&mut before, now) == now
    })
}

/// Whether it says that its disk has no room.
fn is_refused(drill: &Drill, hub: &mut Hub, _: &Producers) -> bool {
    static REVISION: AtomicU64 = AtomicU64::new(1);
    (0..2_000).any(|_| {
        let revision = REVISION.fetch_add(1, Ordering::Relaxed);
        assert!(hub.ended().is_none(), "it ended:\n{}", drill.folder.last_words());
        let (status, head, body) = told(drill.folder.ingress, "", "c9-9", revision).unwrap();
        std::thread::sleep(Duration::from_millis(10));
        status == 503 && head.contains("retry-after:") && body.contains("disk")
    })
}

/// I17: the wall clock is set, forwards and back, under load.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i17_a_wall_clock_that_jumps_expires_and_doubles_nothing() {
    let drill = Drill::new().await;
    let mut hub = drill.up();
    drill.expect(hub.ready(), "it starts");
    let producers = Producers::start(drill.folder.ingress, PRODUCERS);
    // By a second it is followed, and by more not so soon: sources sign by the true time all the while.
    for seconds in [1, -1, 90, -90, 3_600, -7_200, 26 * 3_600, 0] {
        drill.expect(producers.goes_on(15), &format!("nothing is taken in before {seconds} s"));
        drill.order(Order::Clock(seconds));
    }
    let said = std::fs::read_to_string(drill.folder.log()).unwrap();
    drill.expect(said.contains("the system's clock jumped"), "nobody is told");
    drill.expect(producers.goes_on(15), "nothing is taken in any more");
    drill.settle(hub, producers).await;
}

/// I1 to I4: one trouble comes on the heels of the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_troubles_that_come_together_lose_and_double_nothing() {
    let drill = Drill::new().await;
    let producers = Producers::start(drill.folder.ingress, PRODUCERS);
    let mut dice = Dice(5);
    for round in 0..6 {
        let mut hub = drill.up();
        drill.expect(hub.ready(), &format!("it starts (round {round})"));
        drill.expect(producers.goes_on(5 + dice.below(10)), "nothing is taken in");
        stopped_for(hub.pid(), Duration::from_millis(dice.below(1_500)));
        stopped_for(drill.sink.child.id(), Duration::from_millis(dice.below(1_500)));
        match dice.below(3) {
            0 => {
                drill.order(Order::FailSyncs);
                drill.expect_end(&mut hub, "its disk has failed");
            }
            1 => {
                drill.order(Order::ReadOnly);
                std::thread::sleep(Duration::from_millis(dice.below(200)));
                hub.kill();
            }
            _ => hub.kill(),
        }
        drill.order(Order::Nothing);
    }
    let mut hub = drill.up();
    drill.expect(hub.ready(), "it starts");
    drill.expect(producers.goes_on(15), "nothing is taken in any more");
    drill.settle(hub, producers).await;
}
