//! Accept decisions: dedupe, identity, order, ownership, facts.
