//! The one source of randomness: a pool refilled from the operating system, one seed per turn.

/// Seeds of turns. Not shared: each driver has its own.
pub(crate) struct Entropy {
    pool: [u8; 512],
    used: usize,
}

/// The operating system gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gives no randomness ({0}): ids would repeat, so nothing is started")]
pub(crate) struct NoEntropy(String);

impl From<getrandom::Error> for NoEntropy {
    fn from(error: getrandom::Error) -> Self {
        Self(error.to_string())
    }
}

impl Entropy {
    /// A full pool.
    pub(crate) fn new() -> Result<Self, NoEntropy> {
        let mut pool = [0; 512];
        getrandom::fill(&mut pool)?;
        Ok(Self { pool, used: 0 })
    }

    /// The next seed.
    pub(crate) fn seed(&mut self) -> Result<u64, NoEntropy> {
        if self.used == self.pool.len() {
            getrandom::fill(&mut self.pool)?;
            self.used = 0;
        }
        let mut seed = [0; 8];
        seed.copy_from_slice(&self.pool[self.used..self.used + 8]);
        self.used += 8;
        Ok(u64::from_le_bytes(seed))
    }
}

/// 128 bits, for what is not a turn.
pub(crate) fn wide() -> Result<u128, NoEntropy> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(u128::from_le_bytes(bytes))
}
