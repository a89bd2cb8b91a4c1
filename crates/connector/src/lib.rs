//! Declarative manifests: how to talk to a kind of system, in both directions, without I/O.
