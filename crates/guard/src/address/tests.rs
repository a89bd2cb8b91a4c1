//! Every special range, at both its ends and one address beyond.

use super::*;

fn class(text: &str) -> &'static str {
    is_public(text.parse().unwrap()).map_or_else(|blocked| blocked.range, |()| "public")
}

#[test]
fn every_range_is_blocked_from_its_first_to_its_last_address() {
    for (net, prefix, range) in RANGES_V4 {
        let last = net.to_bits() | u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
        for bits in [net.to_bits(), last] {
            assert!(is_public(Ipv4Addr::from_bits(bits).into()).is_err(), "{net}/{prefix} {range}");
        }
    }
    for (net, prefix, range) in RANGES_V6 {
        let last = net.to_bits() | u128::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
        // The canonical form of a mapped address is judged as IPv4: the range's own ends are, too, blocked.
        for bits in [net.to_bits(), last] {
            assert!(is_public(Ipv6Addr::from_bits(bits).into()).is_err(), "{net}/{prefix} {range}");
        }
    }
}

#[test]
fn classes_and_their_borders() {
    for (address, expected) in [
        ("0.0.0.0", "unspecified"),
        ("0.255.255.255", "unspecified"),
        ("1.0.0.0", "public"),
        ("9.255.255.255", "public"),
        ("10.0.0.0", "private"),
        ("10.255.255.255", "private"),
        ("11.0.0.0", "public"),
        ("100.63.255.255", "public"),
        ("100.64.0.0", "carrier-grade NAT"),
        ("100.127.255.255", "carrier-grade NAT"),
        ("100.128.0.0", "public"),
        ("126.255.255.255", "public"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.255", "loopback"),
        ("128.0.0.0", "public"),
        ("169.253.255.255", "public"),
        ("169.254.169.254", "cloud metadata"),
        ("169.254.170.2", "cloud metadata"),
        ("169.254.0.1", "link-local"),
        ("169.255.0.0", "public"),
        ("172.15.255.255", "public"),
        ("172.16.0.0", "private"),
        ("172.31.255.255", "private"),
        ("172.32.0.0", "public"),
        ("192.0.0.8", "reserved"),
        ("192.0.1.0", "public"),
        ("192.0.2.1", "documentation"),
        ("192.88.99.1", "6to4 relay"),
        ("192.168.0.1", "private"),
        ("192.169.0.0", "public"),
        ("198.17.255.255", "public"),
        ("198.18.0.0", "benchmarking"),
        ("198.19.255.255", "benchmarking"),
        ("198.20.0.0", "public"),
        ("198.51.100.7", "documentation"),
        ("203.0.113.7", "documentation"),
        ("223.255.255.255", "public"),
        ("224.0.0.1", "multicast"),
        ("239.255.255.255", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "broadcast"),
        ("8.8.8.8", "public"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::127.0.0.1", "IPv4-compatible"),
        ("::8.8.8.8", "IPv4-compatible"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:10.0.0.1", "private"),
        ("::ffff:169.254.169.254", "cloud metadata"),
        ("::ffff:8.8.8.8", "public"),
        ("::ffff:0:127.0.0.1", "IPv4-translated"),
        ("64:ff9b::10.0.0.1", "NAT64"),
        ("64:ff9b:1::1", "NAT64"),
        ("100::1", "discard"),
        ("2001::1", "Teredo"),
        ("2001:2::1", "benchmarking"),
        ("2001:10::1", "reserved"),
        ("2001:1ff:ffff::", "reserved"),
        ("2001:200::", "public"),
        ("2001:db8::1", "documentation"),
        ("2001:db9::1", "public"),
        ("2002:7f00:1::", "6to4"),
        ("2003::1", "public"),
        ("2606:4700::1111", "public"),
        ("3fff::1", "documentation"),
        ("3fff:1000::", "public"),
        ("4000::1", "reserved"),
        ("5f00::1", "segment routing"),
        ("fbff::1", "reserved"),
        ("fc00::1", "unique local"),
        ("fd00:ec2::254", "unique local"),
        ("fdff:ffff::1", "unique local"),
        ("fe80::1", "link-local"),
        ("fec0::1", "site-local"),
        ("ff02::1", "multicast"),
        ("1fff::1", "reserved"),
    ] {
        assert_eq!(class(address), expected, "{address}");
    }
}

fn list(entries: &[&str]) -> AllowList {
    AllowList::new(entries.iter().map(|text| text.parse().unwrap()).collect())
}

#[test]
fn an_entry_is_per_address_never_a_mode() {
    let allow = list(&["127.0.0.1:8080", "10.1.0.0/16", "[::1]:9000"]);
    for (address, port, allowed) in [
        ("127.0.0.1", 8080, true),
        ("::ffff:127.0.0.1", 8080, true),
        ("127.0.0.1", 8081, false),
        ("127.0.0.2", 8080, false),
        ("10.1.255.255", 443, true),
        ("10.2.0.0", 443, false),
        ("::1", 9000, true),
        ("::1", 9001, false),
        ("169.254.169.254", 80, false),
        ("8.8.8.8", 443, true),
    ] {
        assert_eq!(allow.check(address.parse().unwrap(), port).is_ok(), allowed, "{address}:{port}");
    }
    assert_eq!(
        AllowList::default().check("127.0.0.1".parse().unwrap(), 80),
        Err(Blocked { range: "loopback" })
    );
}

#[test]
fn no_network_opens_the_metadata_service() {
    let metadata = "169.254.169.254".parse().unwrap();
    assert!(list(&["169.254.0.0/16"]).check(metadata, 80).is_err());
    assert!(list(&["169.254.0.0/16"]).check("169.254.1.1".parse().unwrap(), 80).is_ok());
    assert!(list(&["169.254.169.254"]).check(metadata, 80).is_ok());
}

#[test]
fn entries_are_read_and_shown_alike() {
    for text in [
        "127.0.0.1",
        "127.0.0.1:8080",
        "10.0.0.0/8",
        "10.1.0.0/16:8443",
        "::1",
        "[::1]:8080",
        "fd00:1234::/32",
        "[fd00:1234::/32]:443",
    ] {
        assert_eq!(text.parse::<Allowed>().unwrap().to_string(), text);
        let quoted = format!("{text:?}");
        assert_eq!(serde_json::from_str::<Allowed>(&quoted).unwrap().to_string(), text);
    }
    assert!("0.0.0.0/0".parse::<Allowed>().unwrap_err().to_string().contains("allows too much"));
    assert!("::/0".parse::<Allowed>().is_err());
    assert!("10.1.2.3/16".parse::<Allowed>().unwrap_err().to_string().contains("behind its prefix"));
    for text in [
        "",
        "localhost",
        "10.0.0.0/33",
        "10.0.0.0/+8",
        "1.2.3.4:0",
        "1.2.3.4:70000",
        "[::1",
        "::ffff:1.2.3.4",
    ] {
        assert!(matches!(text.parse::<Allowed>(), Err(AllowedError::Unreadable { .. })), "{text}");
    }
}

#[test]
fn hosts_are_read_one_way_only() {
    let address = |text: &str| Host::Address(text.parse().unwrap());
    assert_eq!(host("[::1]"), Ok(address("::1")));
    assert_eq!(host("::1"), Ok(address("::1")));
    assert_eq!(host("[::ffff:127.0.0.1]"), Ok(address("127.0.0.1")));
    assert_eq!(host("10.0.0.1"), Ok(address("10.0.0.1")));
    assert_eq!(host("API.Example.test."), Ok(Host::Name("api.example.test".into())));
    assert_eq!(host("0x7f.example"), Ok(Host::Name("0x7f.example".into())));
    assert_eq!(host("xn--bcher-kva.example"), Ok(Host::Name("xn--bcher-kva.example".into())));
    for odd in
        ["2130706433", "0x7f000001", "0X7F.0.0.1", "0177.0.0.01", "127.1", "127.0.0.1.", "1.2.3.4.5", "0x"]
    {
        assert!(matches!(host(odd), Err(HostError::OddAddress { .. })), "{odd}");
    }
    for zone in ["[fe80::1%eth0]", "[fe80::1%25eth0]", "fe80::1%1", "a%2eb"] {
        assert!(matches!(host(zone), Err(HostError::Zone { .. })), "{zone}");
    }
    for wrong in
        ["[::1", "::1]", "[127.0.0.1]", "a b", "a..b", "ex\u{e4}mple.test", "a/b", "user@host", ".", "a:80"]
    {
        assert!(matches!(host(wrong), Err(HostError::NotAHost { .. })), "{wrong}");
    }
    assert_eq!(host(""), Err(HostError::Empty));
}

proptest::proptest! {
    /// The guard never reads a host as a name that the standard library reads as an address.
    #[test]
    fn arbitrary_texts_never_panic(text in ".{0,40}") {
        let read = host(&text);
        if let Ok(Host::Name(name)) = &read {
            proptest::prop_assert!(name.parse::<IpAddr>().is_err());
        }
        let _entry = text.parse::<Allowed>().is_ok();
    }
}
