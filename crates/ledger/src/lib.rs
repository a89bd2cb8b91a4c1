//! What must reach a system, what is on its way, and how it ended.
