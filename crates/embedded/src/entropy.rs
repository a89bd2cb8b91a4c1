//! Random bytes for nonces and keys, drawn from the system a page at a time.

use guard::seal::{KEY_BYTES, Key, KeyId, NONCE_BYTES};
use zeroize::Zeroizing;

use crate::fault::Outcome;

const PAGE_BYTES: usize = 4096;

/// A page of random bytes, each given out once.
pub(crate) struct Entropy {
    page: Zeroizing<Vec<u8>>,
    used: usize,
}

impl Entropy {
    pub(crate) fn new() -> Self {
        Self { page: Zeroizing::new(vec![0; PAGE_BYTES]), used: PAGE_BYTES }
    }

    pub(crate) fn nonce(&mut self) -> Outcome<[u8; NONCE_BYTES]> {
        self.draw()
    }

    pub(crate) fn key_id(&mut self) -> Outcome<KeyId> {
        Ok(KeyId(self.draw()?))
    }

    pub(crate) fn key(&mut self) -> Outcome<Key> {
        Ok(Key::from_entropy(self.draw::<KEY_BYTES>()?))
    }

    fn draw<const N: usize>(&mut self) -> Outcome<[u8; N]> {
        if self.used + N > PAGE_BYTES {
            getrandom::fill(&mut self.page)?;
            self.used = 0;
        }
        let mut drawn = [0; N];
        let taken = &mut self.page[self.used..self.used + N];
        drawn.copy_from_slice(taken);
        // What was given out as a key must not stay behind here.
        taken.fill(0);
        self.used += N;
        Ok(drawn)
    }
}
