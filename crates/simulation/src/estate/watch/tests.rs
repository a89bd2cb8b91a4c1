//! Whose breaker holds which call back.

use connector::Request;

use super::breakers;

fn of(method: &str, path: &str) -> Vec<String> {
    breakers(&Request { method: method.to_owned(), path: path.to_owned(), ..Request::default() })
}

#[test]
fn i12_a_look_goes_with_its_write_or_by_itself() {
    assert_eq!(of("PATCH", "/items/7"), ["write items"]);
    assert_eq!(of("POST", "/items/batch"), ["write items"]);
    assert_eq!(of("GET", "/items/7"), ["read"]);
    assert_eq!(of("GET", "/things?since=1&page=20"), ["read"]);
    assert_eq!(of("GET", "/groups?key=group-1"), ["write groups", "read"]);
    assert_eq!(of("GET", "/items?mark=rec_1"), ["write items", "read"]);
}
