//! The hub on a virtual clock: a seeded scheduler, a store that loses unsynced writes, faulty targets.
