//! The vocabulary: ids, time, values, schemas, records, events.
