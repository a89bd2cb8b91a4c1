//! Each word's meaning, and what holds for all of them.

use proptest::prelude::*;
use serde_json::json;

use super::{Precision, Rewrite, Rewrites, rewritten};

#[test]
fn each_word_means_what_it_says() {
    use Rewrite as R;
    for (all, value, form) in [
        (vec![R::Trim], json!("\u{a0} Ada\t"), json!("Ada")),
        (vec![R::Trim], json!([" a", "b "]), json!(["a", "b"])),
        (vec![R::Trim], json!(5), json!(5)),
        (vec![R::Collapse], json!(" Ada \n King "), json!("Ada King")),
        (vec![R::Lower], json!("ADA@Example.org"), json!("ada@example.org")),
        (vec![R::Lower], json!("ÉCOLE"), json!("école")),
        (vec![R::Upper], json!("de"), json!("DE")),
        (vec![R::LineEnds], json!("a\r\nb\rc\n"), json!("a\nb\nc\n")),
        (vec![R::E164], json!("+49 (0)30 901-820"), json!("+4930901820")),
        (vec![R::E164], json!("0049 30/901820"), json!("+4930901820")),
        (vec![R::E164], json!("030 901820"), json!("030 901820")),
        (vec![R::E164], json!("+49 30 ext. 5"), json!("+49 30 ext. 5")),
        (vec![R::Set(";".into())], json!("b; a;b;"), json!("a;b")),
        (vec![R::Decimals(2)], json!("12.345"), json!("12.35")),
        (vec![R::Decimals(2)], json!(-12.345), json!("-12.35")),
        (vec![R::Decimals(2)], json!(12.5), json!("12.5")),
        (vec![R::Decimals(2)], json!("much"), json!("much")),
        (vec![R::DecimalsCut(2)], json!("-12.349"), json!("-12.34")),
        (vec![R::Length(3)], json!("größer"), json!("grö")),
        (vec![R::Bytes(3)], json!("größer"), json!("gr")),
        (vec![R::Trim, R::Length(4)], json!(" Ada King"), json!("Ada")),
        (
            vec![R::To(Precision::Seconds)],
            json!("2026-11-22T11:00:00.9+01:00"),
            json!("2026-11-22T10:00:00Z"),
        ),
        (vec![R::To(Precision::Days)], json!("1969-12-31T23:59:59Z"), json!("1969-12-31T00:00:00Z")),
        (vec![R::To(Precision::Seconds)], json!("2026-11-22"), json!("2026-11-22")),
    ] {
        assert_eq!(rewritten(&all, &value), form, "{all:?} of {value}");
    }
    assert_eq!(rewritten(&[R::Case], &json!("STRASSE")), rewritten(&[R::Case], &json!("straße")));
}

#[test]
fn what_is_said_of_a_path_adds_up_and_the_closer_word_counts() {
    let words = |pairs: &[(&str, &[Rewrite])]| {
        Rewrites::new(pairs.iter().map(|(path, all)| ((*path).to_owned(), all.to_vec())).collect())
    };
    let all = words(&[
        ("*", &[Rewrite::Trim, Rewrite::Length(255)]),
        ("a.*", &[Rewrite::Collapse]),
        ("a.b", &[Rewrite::Lower, Rewrite::Length(80)]),
        ("note", &[Rewrite::AsIs]),
    ]);
    assert_eq!(all.at("x"), [Rewrite::Trim, Rewrite::Length(255)]);
    assert_eq!(all.at("ab"), [Rewrite::Trim, Rewrite::Length(255)], "a prefix ends at a dot");
    assert_eq!(all.at("a.c"), [Rewrite::Length(255), Rewrite::Collapse]);
    assert_eq!(all.at("a.b"), [Rewrite::Collapse, Rewrite::Lower, Rewrite::Length(80)]);
    assert!(all.at("note").is_empty());
    assert!(Rewrites::default().is_empty());
}

#[test]
fn lists_that_make_no_sense_are_told() {
    for all in [
        vec![],
        vec![Rewrite::Trim, Rewrite::Trim],
        vec![Rewrite::Lower, Rewrite::Upper],
        vec![Rewrite::AsIs, Rewrite::Trim],
        vec![Rewrite::Length(0)],
        vec![Rewrite::Bytes(0)],
        vec![Rewrite::Set(String::new())],
        vec![Rewrite::Decimals(29)],
    ] {
        assert!(Rewrite::flaw(&all).is_some(), "{all:?}");
    }
    assert_eq!(Rewrite::flaw(&[Rewrite::Trim, Rewrite::Lower, Rewrite::Length(80)]), None);
}

fn one() -> impl Strategy<Value = Rewrite> {
    let precision = prop_oneof![
        Just(Precision::Milliseconds),
        Just(Precision::Seconds),
        Just(Precision::Minutes),
        Just(Precision::Days)
    ];
    prop_oneof![
        Just(Rewrite::Trim),
        Just(Rewrite::Collapse),
        Just(Rewrite::Lower),
        Just(Rewrite::Upper),
        Just(Rewrite::Case),
        Just(Rewrite::LineEnds),
        Just(Rewrite::E164),
        "[;, x]{1,2}".prop_map(Rewrite::Set),
        (0_u32..6).prop_map(Rewrite::Decimals),
        (0_u32..6).prop_map(Rewrite::DecimalsCut),
        (1_usize..8).prop_map(Rewrite::Length),
        (1_usize..8).prop_map(Rewrite::Bytes),
        precision.prop_map(Rewrite::To),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ \t\r\na-cA-C;,ßẞİıΣςé\u{a0}]{0,10}",
        "(\\+|00)[0-9 ()/-]{5,18}",
        "-?[0-9]{1,4}(\\.[0-9]{0,6})?",
        "20[0-9]{2}-11-22T1[0-9]:00:5[0-9]\\.[0-9]{1,9}(Z|\\+01:00)",
        "\\PC{0,12}",
    ]
}

fn list() -> impl Strategy<Value = Vec<Rewrite>> {
    prop::collection::vec(one(), 1..4)
        .prop_filter("a list that a manifest may have", |all| Rewrite::flaw(all).is_none())
}

proptest! {
    /// A form is its own form, so that what a system echoes is what it was given.
    #[test]
    fn a_form_stays(all in list(), text in text()) {
        let form = rewritten(&all, &json!(text));
        prop_assert_eq!(rewritten(&all, &form), form.clone(), "{:?} of {:?}", all, text);
        let once = all.iter().fold(form.clone(), |value, one| one.of(value));
        prop_assert_eq!(once, form, "it comes to rest: {:?} of {:?}", all, text);
    }

    /// What a system without a rewrite can tell apart stays apart: no other value has the form of one that is not touched.
    #[test]
    fn numbers_and_booleans_are_not_touched_by_words_for_texts(number in any::<i64>(), yes in any::<bool>()) {
        for all in [vec![Rewrite::Trim], vec![Rewrite::Lower], vec![Rewrite::Length(2)], vec![Rewrite::E164]] {
            prop_assert_eq!(rewritten(&all, &json!(number)), json!(number));
            prop_assert_eq!(rewritten(&all, &json!(yes)), json!(yes));
        }
    }
}
