//! HTTP intake: verified webhooks and the events API.
