//! Vendor-shaped systems for tests and demonstrations: a pure world and a thin server.
