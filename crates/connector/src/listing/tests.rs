//! Addresses of next pages: nothing that an answer says leads elsewhere.

use super::address;

#[test]
fn an_address_of_a_next_page_leads_nowhere_else() {
    let start = "/api/data/v9.2/";
    for (text, expected) in [
        (
            "/api/data/v9.2/accounts?$skiptoken=%3Ca%20b%3E",
            Some("/api/data/v9.2/accounts?$skiptoken=%3Ca%20b%3E"),
        ),
        (
            "https://x.test/api/data/v9.2/accounts?a=1&b=https://y.test/",
            Some("/api/data/v9.2/accounts?a=1&b=https://y.test/"),
        ),
        // Wherever it says that it is: only path and query count.
        ("https://evil.test/api/data/v9.2/accounts", Some("/api/data/v9.2/accounts")),
        (
            "/api/data/v9.2/accounts?$filter=a ge \u{e4}",
            Some("/api/data/v9.2/accounts?$filter=a%20ge%20%C3%A4"),
        ),
        ("//evil.test/api/data/v9.2/accounts", None),
        ("https://x.test", None),
        ("/api/data/v9.1/accounts", None),
        ("/api/data/v9.2/../../admin", None),
        ("/api/data/v9.2/./accounts", None),
        ("/api/data/v9.2/%2e%2e/admin", None),
        ("/api/data/v9.2/..\\admin", None),
        ("/api/data/v9.2/accounts#x", None),
        ("/api/data/v9.2/accounts\r\nx: y", None),
        ("", None),
    ] {
        assert_eq!(address(text, start).as_deref(), expected, "{text}");
    }
    assert_eq!(address("/anything", ""), None, "a path that begins with a slot has no bounds");
    assert_eq!(address(&format!("{start}{}", "x".repeat(8 * 1024)), start), None);
}
