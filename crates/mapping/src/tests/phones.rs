//! Telephone numbers: many ways of writing, one number; what is not whole is refused.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::properties::check;
use super::support::{compile, error, fields, project, read, write};
use canonical::Field;

/// Numbers as they are written in a country, each with what it is; `-`: refused.
const NUMBERS: [(&str, &str, &str); 68] = [
    ("DE", "+49 30 1234567", "+49301234567"),
    ("DE", "030 1234567", "+49301234567"),
    ("DE", "(030) 123 45 67", "+49301234567"),
    ("DE", "030/1234567", "+49301234567"),
    ("DE", "030-123.4567", "+49301234567"),
    ("DE", "0049 30 1234567", "+49301234567"),
    ("DE", "+49 (0)30 1234567", "+49301234567"),
    ("DE", "+49 (0) 30 1234567", "+49301234567"),
    ("DE", "0049 (0)30 1234567", "+49301234567"),
    ("DE", "(+49) 30 1234567", "+49301234567"),
    ("DE", "\u{a0}+49\u{202f}30\u{2011}123\u{2013}4567 ", "+49301234567"),
    ("DE", "+1 212 555 0100", "+12125550100"),
    ("DE", "0033 1 23 45 67 89", "+33123456789"),
    ("DE", "1234567", "-"),
    ("DE", "30 1234567", "-"),
    ("DE", "+49 030 1234567", "-"),
    ("DE", "+49 (30) (0)1234567", "-"),
    ("DE", "030 (0)1234567", "-"),
    ("DE", "110", "-"),
    ("DE", "01234", "-"),
    ("DE", "030 1234567 ext. 5", "-"),
    ("DE", "030 1234567-x5", "-"),
    ("DE", "0800 CONCORD", "-"),
    ("DE", "n/a", "-"),
    ("DE", "+", "-"),
    ("DE", "++49301234567", "-"),
    ("DE", "49+301234567", "-"),
    ("DE", "030 (1234567", "-"),
    ("DE", "030) 1234567", "-"),
    ("DE", "030 1234567\n030 7654321", "-"),
    ("DE", "+999 30 1234567", "-"),
    ("DE", "+49 12", "-"),
    ("DE", "+49 301 234 567 890 123", "-"),
    ("DE", "000 49 30 1234567", "-"),
    ("AT", "01 5123456", "+4315123456"),
    ("CH", "044 668 18 00", "+41446681800"),
    ("GB", "020 7946 0018", "+442079460018"),
    ("GB", "+44 (0)20 7946 0018", "+442079460018"),
    ("FR", "01 23 45 67 89", "+33123456789"),
    ("FR", "1 23 45 67 89", "-"),
    ("US", "(212) 555-0100", "+12125550100"),
    ("US", "1-212-555-0100", "+12125550100"),
    ("US", "011 49 30 1234567", "+49301234567"),
    ("US", "555-0100", "-"),
    ("US", "0049 30 1234567", "-"),
    ("US", "(112) 555-0100", "-"),
    ("US", "212 155 0100", "-"),
    ("US", "+1 (0)212 555 0100", "-"),
    ("CA", "416.555.0100", "+14165550100"),
    ("ES", "912 345 678", "+34912345678"),
    ("ES", "0034 912 345 678", "+34912345678"),
    ("ES", "0912 345 678", "-"),
    ("IT", "06 6982 1234", "+390669821234"),
    ("IT", "+39 06 6982 1234", "+390669821234"),
    ("IT", "+39 (0)6 6982 1234", "-"),
    ("HU", "06 1 234 5678", "+3612345678"),
    ("HU", "1 234 5678", "-"),
    ("RU", "8 (495) 123-45-67", "+74951234567"),
    ("RU", "8 10 49 30 1234567", "+49301234567"),
    ("RU", "495 123-45-67", "-"),
    ("AU", "02 9374 4000", "+61293744000"),
    ("AU", "0011 49 30 1234567", "+49301234567"),
    ("JP", "03-1234-5678", "+81312345678"),
    ("JP", "010 1 212 555 0100", "+12125550100"),
    ("CO", "321 1234567", "+573211234567"),
    ("BR", "(11) 91234-5678", "-"),
    ("BR", "011 91234-5678", "+5511912345678"),
    ("BR", "0 15 11 91234-5678", "-"),
];

#[test]
fn numbers_are_read_and_written_as_one_or_refused() {
    for (country, text, expected) in NUMBERS {
        let row = format!("transform: [{{phone: {{country: '{country}'}}}}]");
        let (read, written) = (read("text", &row, json!(text)), write("text", &row, json!(text)));
        if expected == "-" {
            assert_eq!((read, written), (json!("misfit form"), json!("error form")), "{country} {text}");
            continue;
        }
        assert_eq!((read, written), (json!(expected), json!(expected)), "{country} {text}");
    }
    for value in [json!(301_234_567), json!(true), json!(["030 1234567"])] {
        assert_eq!(read("any", "transform: [{phone: {country: DE}}]", value), json!("misfit kind"));
    }
}

#[test]
fn a_number_that_was_brought_into_form_stays_as_it_is() {
    for (_, _, number) in NUMBERS.iter().filter(|(_, _, number)| *number != "-") {
        for country in ["DE", "US", "IT", "RU"] {
            let row = format!("transform: [{{phone: {{country: {country}}}}}]");
            assert_eq!(read("text", &row, json!(number)), json!(number), "{country}");
        }
    }
    let text = "[+0 ()/-]{0,3}[0-9]{1,4}[ ()0-]{0,3}[0-9]{1,11}".prop_map(Value::from).boxed();
    for country in ["DE", "US", "IT", "NU", "RU"] {
        let row = format!("transform: [{{phone: {{country: {country}}}}}]");
        check(&text, |text| {
            let once = read("text", &row, text);
            if once != json!("misfit form") {
                assert_eq!(read("text", &row, once.clone()), once, "{country}");
            }
        });
    }
}

#[test]
fn what_is_refused_says_what_would_be_right_and_shows_no_digit_of_it() {
    let mapping = compile("- {field: text, path: x, direction: out, transform: [{phone: {country: DE}}]}");
    let error = project(&mapping, json!({"text": "1234567"})).unwrap_err().to_string();
    let whole = "expected a whole telephone number of DE with its 0, or any with `+` and its calling code (+49…), found a text";
    assert!(error.contains(whole) && !error.contains("123"), "{error}");
}

#[test]
fn a_row_that_goes_both_ways_says_that_writing_does_not_matter() {
    let row = |rest: &str| format!("- {{field: text, path: x, {rest}}}");
    let lossy = error(&row("transform: [{phone: {country: DE}}]"));
    assert!(lossy.contains("`equal: phone`"), "{lossy}");
    let folded = error(&row("transform: [trim, {phone: {country: DE}}], equal: folded"));
    assert!(folded.contains("`equal: phone`"), "{folded}");
    assert!(error(&row("equal: phone")).contains("no telephone numbers are read here"));
    for country in ["DE", "US", "IT", "HU", "AU", "SG", "NU", "JP"] {
        let mapping =
            compile(&row(&format!("transform: [trim, {{phone: {{country: '{country}'}}}}], equal: phone")));
        let proof = &mapping.proofs()[0];
        assert_eq!(proof.disproof, None, "{country}");
        assert!(proof.values - proof.refused >= 4, "{country}: {proof:?}");
    }
}

#[test]
fn two_ways_of_writing_a_number_are_equal() {
    let mapping = compile("- {field: text, path: x, transform: [{phone: {country: DE}}], equal: phone}");
    let text = Field::new("text").unwrap();
    let same = |one: &str, other: &str| {
        let (one, other) = (Value::from(one), Value::from(other));
        let same = mapping.equal_at("x", &one, &other);
        assert_eq!(mapping.form("x", &one) == mapping.form("x", &other), same, "{one} {other}");
        assert_eq!(mapping.equal_on(&text, &one, &other), same, "{one} {other}");
        same
    };
    assert!(same("030 1234567", "+49 (0)30 123-4567"));
    assert!(!same("030 1234567", "030 1234568"));
    assert!(!same("1234567", "123 4567"), "neither is known to be whole");
    let mut projection = project(&mapping, json!({"text": "+49301234567"})).unwrap();
    mapping.keep_seen(&mut projection, &fields(json!({"x": "030/1234567"})));
    assert_eq!(projection.fields["x"], "030/1234567", "what stands there stays");
}

#[test]
fn countries_are_those_of_iso_3166() {
    for (country, says) in
        [("UK", "two capital letters"), ("de", "did you mean `DE`?"), ("", "two capital letters")]
    {
        let error = error(&format!(
            "- {{field: text, path: x, direction: in, transform: [{{phone: {{country: '{country}'}}}}]}}"
        ));
        assert!(error.starts_with("`fields[0].transform[0].phone.country`: there is no country"), "{error}");
        assert!(error.contains(says), "{error}");
    }
}
