//! Field tables between an entity and a system's object, in both directions.
