//! Sealing: what is changed or moved does not open, and a wrong key is named.

use canonical::Tenant;
use proptest::prelude::*;

use super::*;
use crate::secret::Secret;

const ID: KeyId = KeyId([7; 16]);

fn key(seed: u8) -> Key {
    Key::from_entropy([seed; 32])
}

fn place(row: &str) -> Place {
    Place::new(&[b"acme", b"records", row.as_bytes(), b"fields"])
}

fn root(last: u8) -> RootKey {
    let mut entropy = [1; 32];
    entropy[31] = last;
    RootKey::new(entropy).unwrap()
}

#[test]
fn layout_is_version_id_nonce_bytes() {
    let sealed = seal(ID, &key(1), [9; 24], &place("1"), b"hello");
    assert_eq!(sealed.len(), 5 + OVERHEAD_BYTES);
    assert_eq!(sealed[0], 1);
    assert_eq!(sealed[1..17], ID.0);
    assert_eq!(sealed[17..41], [9; 24]);
    assert_eq!(KeyId::of(&sealed), Ok(ID));
    assert!(!sealed.windows(5).any(|window| window == b"hello"));
}

#[test]
fn parts_of_a_place_do_not_run_together() {
    let sealed = seal(ID, &key(1), [9; 24], &Place::new(&[b"ab", b"c"]), b"hello");
    assert_eq!(open(ID, &key(1), &Place::new(&[b"a", b"bc"]), &sealed), Err(SealError::Tampered));
    assert_eq!(open(ID, &key(1), &Place::new(&[b"ab", b"c", b""]), &sealed), Err(SealError::Tampered));
    assert_eq!(open(ID, &key(1), &Place::new(&[b"ab", b"c"]), &sealed).unwrap(), b"hello");
}

#[test]
fn another_key_is_named() {
    let sealed = seal(ID, &key(1), [9; 24], &place("1"), b"hello");
    let other = KeyId([8; 16]);
    assert_eq!(
        open(other, &key(1), &place("1"), &sealed),
        Err(SealError::OtherKey { needed: ID, given: other })
    );
    assert_eq!(open(ID, &key(2), &place("1"), &sealed), Err(SealError::Tampered));
    for cut in 0..sealed.len() {
        assert!(open(ID, &key(1), &place("1"), &sealed[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn a_wrong_root_key_is_noticed_at_start() {
    let kept = canary(&root(2), [3; 24]);
    assert_eq!(root(2).check(&kept), Ok(()));
    let wrong = root(3).check(&kept).unwrap_err();
    assert_eq!(wrong, RootKeyError::Wrong { needed: root(2).id(), given: root(3).id() });
    assert!(wrong.to_string().contains("nothing was changed"));
    let mut damaged = kept;
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(root(2).check(&damaged), Err(RootKeyError::Canary(SealError::Tampered)));
    assert!(matches!(root(2).check(b""), Err(RootKeyError::Canary(SealError::Garbled { .. }))));
}

#[test]
fn root_keys_are_read_as_people_write_them() {
    let hex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1F";
    let base64 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let read = |text: &str| RootKey::parse(&Secret::from(text)).map(|root| root.id());
    assert_eq!(read(hex), read(&format!("  {base64}\n")));
    assert_eq!(read(&"0".repeat(64)), Err(RootKeyError::Weak));
    for wrong in ["", "short", &hex[..62], "AAECAw=="] {
        assert_eq!(read(wrong), Err(RootKeyError::Form), "{wrong}");
    }
    let shown = format!("{:?} {:?}", RootKey::parse(&Secret::from(hex)), Key::from_entropy([65; 32]));
    assert!(!shown.contains("0102") && !shown.contains("65") && !shown.contains("AAAA"), "{shown}");
}

fn keyring(data_keys_max: usize) -> (Keyring, Tenant) {
    let mut ring = Keyring::new(root(2), data_keys_max);
    let tenant = Tenant::new("acme").unwrap();
    let wrapped = ring.new_tenant([(KeyId([1; 16]), key(1)), (KeyId([2; 16]), key(2))], [[1; 24], [2; 24]]);
    ring.load_tenant(tenant.clone(), &wrapped).unwrap();
    (ring, tenant)
}

#[test]
fn keys_unwrap_layer_by_layer() {
    let (mut ring, tenant) = keyring(10);
    let wrapped = ring.wrap_data(&tenant, ID, &key(7), [5; 24]).unwrap();
    let data = ring.data(&tenant, &wrapped).unwrap();
    let sealed = data.seal([6; 24], &place("1"), b"anna@example.test");
    assert_eq!(DataKey::new(ID, key(7)).open(&place("1"), &sealed).unwrap(), b"anna@example.test");

    let stranger = Tenant::new("other").unwrap();
    let (mut fresh, _) = keyring(10);
    assert_eq!(fresh.data(&stranger, &wrapped).unwrap_err(), KeyringError::UnknownTenant(stranger.clone()));
    let theirs = fresh.new_tenant([(KeyId([3; 16]), key(3)), (KeyId([4; 16]), key(4))], [[3; 24], [4; 24]]);
    fresh.load_tenant(stranger.clone(), &theirs).unwrap();
    let refused = fresh.data(&stranger, &wrapped).unwrap_err();
    assert!(
        matches!(refused, KeyringError::Unreadable { .. }),
        "one tenant's key does not open another's: {refused}"
    );

    let mut other_root = Keyring::new(root(9), 10);
    assert!(other_root.load_tenant(tenant, &theirs).is_err());
}

#[test]
fn a_wrapped_key_cannot_pose_as_another() {
    let (mut ring, tenant) = keyring(10);
    let wrapped = ring.wrap_data(&tenant, ID, &key(7), [5; 24]).unwrap();
    let posing = WrappedKey { id: KeyId([8; 16]), bytes: wrapped.bytes };
    assert!(ring.data(&tenant, &posing).is_err());
}

#[test]
fn i19_data_keys_in_memory_are_bounded_and_the_used_ones_stay() {
    let (mut ring, tenant) = keyring(10);
    let hot = ring.wrap_data(&tenant, ID, &key(7), [5; 24]).unwrap();
    ring.data(&tenant, &hot).unwrap();
    for number in 0..200_u8 {
        let id = KeyId([number; 16]);
        let wrapped = ring.wrap_data(&tenant, id, &key(number), [number; 24]).unwrap();
        if id != ID {
            ring.data(&tenant, &wrapped).unwrap();
        }
        assert!(ring.known(ID).is_some(), "the key in use was dropped after {number} others");
        assert!(ring.data_keys() <= 10);
    }
    assert!(ring.known(KeyId([0; 16])).is_none());
}

#[test]
fn i15_erasing_leaves_nothing_that_opens() {
    let (mut ring, tenant) = keyring(10);
    let wrapped = ring.wrap_data(&tenant, ID, &key(7), [5; 24]).unwrap();
    ring.data(&tenant, &wrapped).unwrap();
    ring.erase(ID);
    assert!(ring.known(ID).is_none(), "without its stored row the key is gone");
}

#[test]
fn rewrapping_keeps_the_key_and_retires_the_old_wrapping() {
    let old = (KeyId([1; 16]), &key(1));
    let new = (KeyId([2; 16]), &key(2));
    let wrapped = wrap(old, ID, &key(7), [5; 24]);
    let moved = rewrap(old, new, &wrapped, [6; 24]).unwrap();
    assert_eq!(unwrap(new, &moved).unwrap().bytes(), key(7).bytes());
    assert!(matches!(unwrap(old, &moved), Err(SealError::OtherKey { .. })));
    assert!(rewrap(new, old, &wrapped, [6; 24]).is_err());
}

#[test]
fn match_hashes_are_per_tenant_kind_and_value() {
    let (ring, tenant) = keyring(10);
    let hash = |kind: &[&str], value: &str| ring.match_hash(&tenant, kind, value.as_bytes()).unwrap();
    let one = hash(&["Contact", "email"], "anna@example.test");
    assert_eq!(one, hash(&["Contact", "email"], "anna@example.test"));
    assert_ne!(one, hash(&["Contact", "email"], "bert@example.test"));
    assert_ne!(one, hash(&["Account", "email"], "anna@example.test"));
    assert_ne!(hash(&["a", "b"], "c"), hash(&["a"], "bc"));
    assert_ne!(one, match_hash(&key(9), &["Contact", "email"], b"anna@example.test"));
}

proptest! {
    #[test]
    fn whatever_is_sealed_opens(plain in prop::collection::vec(any::<u8>(), 0..2000), nonce: [u8; 24], entropy: [u8; 32]) {
        let key = Key::from_entropy(entropy);
        let sealed = seal(ID, &key, nonce, &place("1"), &plain);
        prop_assert_eq!(open(ID, &key, &place("1"), &sealed).unwrap(), plain);
    }

    #[test]
    fn it_is_xchacha20_poly1305(plain in prop::collection::vec(any::<u8>(), 0..2000), nonce: [u8; 24], entropy: [u8; 32]) {
        use chacha20poly1305::aead::{Aead as _, Payload};
        use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
        let sealed = seal(ID, &Key::from_entropy(entropy), nonce, &place("1"), &plain);
        let (head, rest) = sealed.split_at(HEAD_BYTES);
        let body = XChaCha20Poly1305::new(&entropy.into())
            .encrypt(&XNonce::from(nonce), Payload { msg: &plain, aad: &place("1").bound_to(head) })
            .unwrap();
        prop_assert_eq!(rest.split_at(NONCE_BYTES), (nonce.as_slice(), body.as_slice()));
    }

    #[test]
    fn any_changed_byte_is_refused(
        plain in prop::collection::vec(any::<u8>(), 0..100), nonce: [u8; 24], at: prop::sample::Index, flip in 1..=255_u8,
    ) {
        let mut sealed = seal(ID, &key(1), nonce, &place("1"), &plain);
        let at = at.index(sealed.len());
        sealed[at] ^= flip;
        prop_assert!(open(ID, &key(1), &place("1"), &sealed).is_err());
    }

    #[test]
    fn another_place_is_refused(
        plain in prop::collection::vec(any::<u8>(), 0..100),
        sealed_for in prop::collection::vec("[a-c]{0,3}", 0..4),
        opened_at in prop::collection::vec("[a-c]{0,3}", 0..4),
    ) {
        let to_place = |parts: &[String]| Place::new(&parts.iter().map(String::as_bytes).collect::<Vec<_>>());
        let sealed = seal(ID, &key(1), [1; 24], &to_place(&sealed_for), &plain);
        let opened = open(ID, &key(1), &to_place(&opened_at), &sealed);
        prop_assert_eq!(opened.is_ok(), sealed_for == opened_at);
    }

    #[test]
    fn arbitrary_bytes_never_open(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(open(ID, &key(1), &place("1"), &noise).is_err());
    }
}
