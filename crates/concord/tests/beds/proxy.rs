//! A TCP proxy on loopback that does to connections what networks do: swallows them, resets them, slows them down, and
//! loses the answer to a request that arrived.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What happens to what passes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    Fair,
    /// Taken, and passed on to nobody.
    Blackhole,
    /// Every connection ends as soon as something is sent over it.
    Reset,
    /// Each chunk comes later.
    Slow(Duration),
}

struct Shared {
    upstream: u16,
    weather: Mutex<Weather>,
    /// The answers to the next requests that hold such a text are lost: the text, and how many are left.
    lose: Mutex<Vec<(String, u32)>>,
    lost: AtomicU64,
    hit: AtomicU64,
}

/// The proxy; its threads end with the test's process.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

impl Proxy {
    pub(crate) fn start(upstream: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            upstream,
            weather: Mutex::new(Weather::Fair),
            lose: Mutex::default(),
            lost: AtomicU64::new(0),
            hit: AtomicU64::new(0),
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&serving);
                std::thread::spawn(move || carry(&shared, client));
            }
        });
        Self { port, shared }
    }

    pub(crate) fn set(&self, weather: Weather) {
        *self.shared.weather.lock().unwrap() = weather;
    }

    /// Loses the answers to the next `times` requests that hold `text`.
    pub(crate) fn lose(&self, text: &str, times: u32) {
        self.shared.lose.lock().unwrap().push((text.to_owned(), times));
    }

    /// Answers that were lost.
    pub(crate) fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Chunks that were swallowed, and connections that were reset.
    pub(crate) fn hit(&self) -> u64 {
        self.shared.hit.load(Ordering::Relaxed)
    }
}

fn carry(shared: &Arc<Shared>, client: TcpStream) {
    // Nobody there: the caller sees its connection end, as through any proxy.
    let Ok(server) = TcpStream::connect(("127.0.0.1", shared.upstream)) else { return };
    let doomed = Arc::new(AtomicBool::new(false));
    let (Ok(from), Ok(to)) = (client.try_clone(), server.try_clone()) else { return };
    let (there, flag) = (Arc::clone(shared), Arc::clone(&doomed));
    let back = std::thread::spawn(move || pump(&there, server, from, &flag, false));
    pump(shared, client, to, &doomed, true);
    let _ = back.join();
}

/// Passes on what comes, until either side ends.
fn pump(shared: &Shared, mut from: TcpStream, mut to: TcpStream, doomed: &AtomicBool, asking: bool) {
    let mut chunk = [0; 16_384];
    while let Ok(count @ 1..) = from.read(&mut chunk) {
        let weather = *shared.weather.lock().unwrap();
        match weather {
            Weather::Fair => {}
            Weather::Slow(delay) => std::thread::sleep(delay),
            Weather::Blackhole => {
                shared.hit.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            Weather::Reset => {
                shared.hit.fetch_add(1, Ordering::Relaxed);
                break;
            }
        }
        if asking && armed(shared, &chunk[..count]) {
            doomed.store(true, Ordering::Relaxed);
        }
        if !asking && doomed.load(Ordering::Relaxed) {
            shared.lost.fetch_add(1, Ordering::Relaxed);
            break;
        }
        if to.write_all(&chunk[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

fn armed(shared: &Shared, chunk: &[u8]) -> bool {
    let said = String::from_utf8_lossy(chunk);
    let mut lose = shared.lose.lock().unwrap();
    let hit = lose.iter_mut().find(|(text, left)| *left > 0 && said.contains(text.as_str()));
    hit.map(|(_, left)| *left -= 1).is_some()
}
