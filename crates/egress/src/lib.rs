//! The one HTTP client: credentials, SSRF guard, timeouts, caps.
