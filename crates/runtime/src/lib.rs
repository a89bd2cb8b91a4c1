//! The thin driver: machines on tasks, effects performed, drain and restart.
