//! The catalogue of metrics, the registry, logs and redaction.
