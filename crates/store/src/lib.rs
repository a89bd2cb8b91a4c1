//! The storage port: units, operations, questions, the in-memory backend and the conformance suite.
