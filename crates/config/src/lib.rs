//! A folder of files becomes one checked configuration.
