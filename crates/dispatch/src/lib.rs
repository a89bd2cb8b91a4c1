//! What may run now: lanes, buckets, caps, breaker, order.
