//! A wire to a database on which answers get lost: what was asked was carried out and kept, and nobody hears of it.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A listener that passes everything on.
pub(crate) struct Lossy {
    pub(crate) port: u16,
    plan: Arc<Plan>,
}

/// Which answers get lost.
#[derive(Default)]
struct Plan {
    left: AtomicUsize,
    every: AtomicUsize,
    seen: AtomicUsize,
}

/// What the server says at the end of an insert. It is sent when the transaction is over (`ReadyForQuery` goes with it).
const INSERTED: &[u8] = b"INSERT 0 1\0";

impl Lossy {
    /// Before a server on this machine.
    pub(crate) fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let lossy = Self { port: listener.local_addr().unwrap().port(), plan: Arc::default() };
        let plan = Arc::clone(&lossy.plan);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let plan = Arc::clone(&plan);
                let (to_server, to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || pass(client, to_server, |_| false));
                std::thread::spawn(move || pass(server, to_client, |bytes| plan.loses(bytes)));
            }
        });
        lossy
    }

    /// Loses so many answers to inserts from now on, one of `every` so many.
    pub(crate) fn lose(&self, answers: usize, every: usize) {
        self.plan.every.store(every, Ordering::SeqCst);
        self.plan.left.store(answers, Ordering::SeqCst);
    }

    /// How many of them are not lost yet.
    pub(crate) fn left(&self) -> usize {
        self.plan.left.load(Ordering::SeqCst)
    }
}

impl Plan {
    fn loses(&self, bytes: &[u8]) -> bool {
        let every = self.every.load(Ordering::SeqCst).max(1);
        let fewer = |left: usize| left.checked_sub(1);
        bytes.windows(INSERTED.len()).any(|window| window == INSERTED)
            && self.seen.fetch_add(1, Ordering::SeqCst) % every == every - 1
            && self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer).is_ok()
    }
}

/// Passes on until one side closes, or `loses` says that this part is lost.
fn pass(mut from: TcpStream, mut to: TcpStream, loses: impl Fn(&[u8]) -> bool) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count) = from.read(&mut bytes) {
        if count == 0 || loses(&bytes[..count]) || to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    drop(from.shutdown(Shutdown::Both));
    drop(to.shutdown(Shutdown::Both));
}
