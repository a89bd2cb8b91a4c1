//! Addresses of next pages: nothing that an answer says leads elsewhere.

use super::{address, link};
use crate::path::Path;
use crate::plan::{LinkAt, LinkPlan};

fn below(start: &str) -> LinkPlan {
    LinkPlan { at: LinkAt::Body(Path::default()), start: start.into(), credential: None }
}

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
        assert_eq!(address(text, &below(start)).as_deref(), expected, "{text}");
    }
    assert_eq!(address("/anything", &below("")), None, "a path that begins with a slot has no bounds");
    assert_eq!(address(&format!("{start}{}", "x".repeat(8 * 1024)), &below(start)), None);
}

#[test]
fn the_next_link_of_a_header_is_found_among_others() {
    for (header, expected) in [
        (r#"<https://x.test/a?page=2>; rel="next""#, Some("https://x.test/a?page=2")),
        (r#"</a?p=1>; rel="prev", </a?p=3>; rel="next", </a?p=9>; rel="last""#, Some("/a?p=3")),
        ("</a>;rel=next", Some("/a")),
        ("</a> ; REL = \"Last NEXT\" ", Some("/a")),
        // A comma in an address, and both separators in a text.
        (r#"</a?x=1,2>; rel=next"#, Some("/a?x=1,2")),
        (r#"</a>; title="no; rel=next, \" </c>; rel=next"; rel=prev, </b>; rel=next"#, Some("/b")),
        (r#"</a>; rel="nextish""#, None),
        (r#"</a>; rev=next"#, None),
        ("</a", None),
        ("", None),
    ] {
        assert_eq!(link::next_of(header), expected, "{header}");
    }
}

#[test]
fn a_credential_in_a_next_address_is_neither_kept_nor_sent_twice() {
    let plan = LinkPlan { credential: Some("api key".into()), ..below("/a") };
    for (text, expected) in [
        ("/a?api%20key=x&page=2", "/a?page=2"),
        ("/a?page=2&api+key=x", "/a?page=2"),
        ("/a?page=2&api key=x", "/a?page=2"),
        ("/a?api%20key=x", "/a"),
        ("/a?apikey=x", "/a?apikey=x"),
        ("/a", "/a"),
    ] {
        assert_eq!(address(text, &plan).as_deref(), Some(expected), "{text}");
    }
}
