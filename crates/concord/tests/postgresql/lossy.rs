//! A wire to a database on which answers get lost: what was asked was carried out and kept, and nobody hears of it.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A listener that passes everything on.
pub(crate) struct Lossy {
    pub(crate) port: u16,
    left: Arc<AtomicUsize>,
}

/// What the server says at the end of an insert. It is sent when the transaction is over (`ReadyForQuery` goes with it).
const INSERTED: &[u8] = b"INSERT 0 1\0";

impl Lossy {
    /// Before a server on this machine.
    pub(crate) fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let lossy = Self { port: listener.local_addr().unwrap().port(), left: Arc::default() };
        let left = Arc::clone(&lossy.left);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let left = Arc::clone(&left);
                let (to_server, to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || pass(client, to_server, |_| false));
                std::thread::spawn(move || pass(server, to_client, |bytes| loses(bytes, &left)));
            }
        });
        lossy
    }

    /// Loses so many answers to inserts from now on.
    pub(crate) fn lose(&self, answers: usize) {
        self.left.store(answers, Ordering::SeqCst);
    }

    /// How many of them are not lost yet.
    pub(crate) fn left(&self) -> usize {
        self.left.load(Ordering::SeqCst)
    }
}

fn loses(bytes: &[u8], left: &AtomicUsize) -> bool {
    bytes.windows(INSERTED.len()).any(|window| window == INSERTED)
        && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
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
