//! The gate is passed or recalled, never both.

use std::task::Waker;

use super::*;

fn gated(bytes: &'static [u8]) -> (GatedBody, Gate) {
    let gate = Gate(Arc::new(AtomicU8::new(WAITING)));
    (GatedBody { bytes: Some(Bytes::from_static(bytes)), gate: gate.clone() }, gate)
}

fn poll(body: &mut GatedBody) -> Option<Result<Bytes, ()>> {
    match Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(frame) => frame.map(|frame| frame.map(|f| f.into_data().unwrap()).map_err(|_| ())),
        Poll::Pending => panic!("it is never pending"),
    }
}

#[test]
fn once_taken_it_cannot_be_recalled() {
    let (mut body, gate) = gated(b"abc");
    assert_eq!(body.size_hint().exact(), Some(3));
    assert_eq!(poll(&mut body), Some(Ok(Bytes::from_static(b"abc"))));
    assert!(!gate.recall());
    assert!(body.is_end_stream());
    assert_eq!(poll(&mut body), None);
}

#[test]
fn once_recalled_it_gives_nothing() {
    let (mut body, gate) = gated(b"abc");
    assert!(gate.recall());
    assert!(gate.recall(), "asking twice says the same");
    assert_eq!(poll(&mut body), Some(Err(())));
}

#[test]
fn without_a_body_nothing_can_be_recalled() {
    let (_body, gate) = Gate::body(Vec::new());
    assert!(!gate.recall());
}

#[test]
fn i3_under_contention_exactly_one_side_wins() {
    for _ in 0..2000 {
        let (mut body, gate) = gated(b"abc");
        let other = std::thread::spawn(move || gate.recall());
        let taken = poll(&mut body) == Some(Ok(Bytes::from_static(b"abc")));
        assert_ne!(taken, other.join().unwrap());
    }
}
