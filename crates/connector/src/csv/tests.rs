//! What is written as CSV, and what is read.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn body() -> CsvBody {
    CsvBody { null: "#N/A".into(), crlf: false }
}

fn written(records: &[Value]) -> String {
    let cells: Vec<Cells> = records.iter().map(|record| body().cells(record).unwrap()).collect();
    String::from_utf8(body().write(&cells).unwrap()).unwrap()
}

#[test]
fn lines_have_the_columns_of_all_and_leave_out_what_a_record_does_not_have() {
    let text = written(&[
        json!({"Name": "Ann", "Age": 41, "Vip": true}),
        json!({"Name": null, "Account": {"Number": "7"}, "Note": ""}),
    ]);
    assert_eq!(text, "Account.Number,Age,Name,Note,Vip\n,41,Ann,,true\n7,,#N/A,#N/A,\n");
    let crlf = CsvBody { crlf: true, ..body() };
    let cells = [crlf.cells(&json!({"A": "x"})).unwrap()];
    assert_eq!(crlf.write(&cells).unwrap(), b"A\r\nx\r\n");
}

#[test]
fn no_value_breaks_out_of_its_cell() {
    let text = written(&[json!({"A": "x\",\"y", "B": "one\ntwo\r\n", "C": "=1+1", "D": "a,b", "E": " x"})]);
    assert_eq!(text, "A,B,C,D,E\n\"x\"\",\"\"y\",\"one\ntwo\r\n\",=1+1,\"a,b\", x\n");
    // Nor does a name.
    assert_eq!(written(&[json!({"A,\"": "x"})]), "\"A,\"\"\"\nx\n");
    // One empty cell is a line all the same: else a record would be lost.
    let one = [Cells::from([("A".to_owned(), String::new())])];
    assert_eq!(body().write(&one).unwrap(), b"A\n\"\"\n");
}

#[test]
fn what_has_no_form_is_refused() {
    for record in [
        json!({"A": [1]}),
        json!({"A": "#N/A"}),
        json!({"A": {"B": {"C": {"D": {"E": {"F": 1}}}}}}),
        json!([1]),
        json!("x"),
    ] {
        assert!(matches!(body().cells(&record), Err(Flaw::Unfit { .. })), "{record}");
    }
}

#[test]
fn answers_are_tables_of_texts_and_columns_are_split() {
    let split = Split { column: "E".into(), at: ":".into(), into: vec!["code".into(), "message".into()] };
    let answer = CsvAnswer { splits: vec![split] };
    let read = |text: &str| answer.read(text.as_bytes());
    assert_eq!(
        read("E,A\nLOCKED:held: by 7,\"x,\n\"\nODD,\n").unwrap(),
        json!([{"E": {"code": "LOCKED", "message": "held: by 7"}, "A": "x,\n"}, {"E": {"code": "ODD"}, "A": ""}])
    );
    assert_eq!(read("").unwrap(), json!([]));
    assert_eq!(read("E,A\n").unwrap(), json!([]));
    assert_eq!(read("E,A\r\nx,y\r\n").unwrap(), json!([{"E": {"code": "x"}, "A": "y"}]));
    // Cut in the middle, or something else: nothing of it counts.
    assert_eq!(read("E,A\nx\n"), None);
    assert_eq!(answer.read(b"E\n\xff\n"), None);
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(rows in prop::collection::vec(("\\PC*|[,\"\r\n]*", "[^#]*"), 1..6)) {
        let records: Vec<Value> = rows.iter().map(|(one, two)| json!({"A": one, "B": two})).collect();
        let text = written(&records);
        let read = CsvAnswer::default().read(text.as_bytes()).unwrap();
        let expected = |text: &str| if text.is_empty() { "#N/A".to_owned() } else { text.to_owned() };
        let wanted: Vec<Value> =
            rows.iter().map(|(one, two)| json!({"A": expected(one), "B": expected(two)})).collect();
        prop_assert_eq!(read, Value::Array(wanted));
    }
}
