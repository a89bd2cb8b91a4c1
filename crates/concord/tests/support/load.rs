//! Work for a hub that is being hurt: sources that tell until they are acknowledged, and what of it has arrived.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sandbox::{Books, Kind, LaneBook, Options, Property, Sandbox};

use super::{Folder, Said, Target, say};

const QUICK: &str = "connectors/quick.yaml";
/// Companies each producer tells about.
const COMPANIES: u64 = 8;

/// Two lanes of a sink that knows a company by `id`, and a CRM that looks before it creates.
pub(crate) fn folder(sink: SocketAddr, crm: SocketAddr, id: &str) -> Folder {
    let target = |system, connector, object, address: SocketAddr, more, paths| Target {
        system,
        connector,
        object,
        address: address.to_string(),
        more,
        paths,
    };
    let plain = ["name", id, "version"];
    let folder = Folder::new(&[
        target("alpha", QUICK, "alpha", sink, "limits: {concurrency: 4}\n", plain),
        target("beta", QUICK, "beta", sink, "limits: {concurrency: 4}\n", plain),
        target(
            "crm",
            "hubspot",
            "companies",
            crm,
            "  secrets: {token: {file: ./token.secret}}\nparameters: {timeout_ms: 2000, processing_max_ms: 500, index_lag_ms: 600}\n",
            ["name", "business_id", "version"],
        ),
    ]);
    // As the plain one, but a doubt is over within seconds.
    let quick = include_str!("../../../../connectors/http.yaml")
        .replace("connector: http", "connector: quick")
        .replace("processing_max: 10s", "processing_max: 1s")
        .replace("          method: PUT\n", "          method: PUT\n          timeout: 2s\n");
    folder.put(QUICK, &quick);
    folder
}

/// A CRM with companies; its search lags by so many milliseconds.
pub(crate) async fn crm(lag_ms: u64) -> sandbox::Handle {
    let mut options = Options::of(Kind::HubSpot);
    options.limits.burst = 0;
    options.limits.search_per_second = 0;
    options.limits.index_lag_ms = lag_ms;
    options.properties = vec![Property {
        object_type: "companies".into(),
        name: "business_id".into(),
        value_type: "string".into(),
        has_unique_value: false,
        options: Vec::new(),
    }];
    Sandbox::start(Kind::HubSpot, options).await.unwrap()
}

/// A small seeded generator: the same faults for the same seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Producers at work.
pub(crate) struct Producers {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
    threads: Vec<std::thread::JoinHandle<Said>>,
}

impl Producers {
    /// So many, each telling one version of its companies after the other.
    pub(crate) fn start(port: u16, count: u64) -> Self {
        let mut all = Self { stop: Arc::default(), acknowledged: Arc::default(), threads: Vec::new() };
        for producer in 0..count {
            let (stop, acknowledged) = (Arc::clone(&all.stop), Arc::clone(&all.acknowledged));
            all.threads.push(std::thread::spawn(move || produce(port, producer, &stop, &acknowledged)));
        }
        all
    }

    /// How much was acknowledged so far.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until so much more was acknowledged; says whether it was, in time.
    pub(crate) fn goes_on(&self, more: u64) -> bool {
        let wanted = self.acknowledged() + more;
        for _ in 0..1_200 {
            if self.acknowledged() >= wanted {
                return true;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        false
    }

    /// Ends them; gives what was acknowledged.
    pub(crate) fn finish(self) -> Said {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    }
}

/// Tells about its companies, one version after the other, each until it is acknowledged.
fn produce(port: u16, producer: u64, stop: &AtomicBool, acknowledged: &AtomicU64) -> Said {
    let mut said = Said::new();
    let mut version = 0;
    while !stop.load(Ordering::Relaxed) {
        version += 1;
        for company in 0..COMPANIES {
            let number = format!("c{producer}-{company}");
            while !say(port, &number, version) {
                std::thread::sleep(Duration::from_millis(30));
                if stop.load(Ordering::Relaxed) {
                    // Not acknowledged: it may be anywhere, and nothing was promised.
                    return said;
                }
            }
            said.insert(number, version);
            acknowledged.fetch_add(1, Ordering::Relaxed);
        }
    }
    said
}

/// What was acknowledged and has not arrived, at the sink's lanes and at the CRM.
pub(crate) fn lacking(said: &Said, lanes: &BTreeMap<String, LaneBook>, crm: &Books) -> String {
    let mut lacking = Vec::new();
    let companies = crm.objects.get("companies").cloned().unwrap_or_default();
    for (number, version) in said {
        for lane in ["alpha", "beta"] {
            let held = lanes.get(lane).and_then(|lane| lane.records.get(number)).cloned().unwrap_or_default();
            let newest = held.values().flatten().filter_map(|held| held.parse::<u64>().ok()).max();
            if newest < Some(*version) {
                lacking.push(format!("{number} v{version} at {lane} (has {newest:?})"));
            }
        }
        let newest = companies.values().filter(|object| object.archived_ms.is_none()).find_map(|object| {
            let text = |name: &str| object.values.get(name)?.as_str().map(str::to_owned);
            (text("business_id").as_deref() == Some(number)).then(|| text("version")).flatten()
        });
        if newest.as_deref().and_then(|held| held.parse::<u64>().ok()) < Some(*version) {
            lacking.push(format!("{number} v{version} at crm (has {newest:?})"));
        }
    }
    lacking.truncate(5);
    lacking.join("; ")
}

/// What was made twice (I3), or went backwards (I4).
pub(crate) fn wrong(lanes: &BTreeMap<String, LaneBook>, crm: &Books) -> String {
    let mut wrong = Vec::new();
    if !crm.duplicates.is_empty() {
        wrong.push(format!("doubled (I3): {:?}", crm.duplicates));
    }
    if !crm.backwards.is_empty() {
        wrong.push(format!("backwards (I4): {:?}", crm.backwards));
    }
    for (name, lane) in lanes {
        if lane.backwards > 0 {
            wrong.push(format!("backwards (I4) in {name}: {} times", lane.backwards));
        }
        let doubled = lane.records.iter().filter(|(_, keys)| keys.len() > 1).count();
        if doubled > 0 {
            wrong.push(format!("doubled (I3) in {name}: {doubled} records"));
        }
    }
    wrong.join("; ")
}
