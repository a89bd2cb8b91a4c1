//! The default store: SQLite with one writer, group commit and a reader pool.
