//! The loop logic without I/O: machines that turn inputs into effects.
