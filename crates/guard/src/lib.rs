//! Trust and privacy decisions: signatures, sealing, redaction, address ranges.
