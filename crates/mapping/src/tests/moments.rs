//! Dates and times: every format, zones, clock changes, and what is refused when compiling.

use serde_json::{Value, json};

use super::support::{error, read, write};

fn time(format: &str) -> String {
    format!("transform: [{{time: {{format: {format}}}}}]")
}

#[test]
fn times_read_and_write_each_format() {
    let table: [(&str, Value, &str); 9] = [
        ("rfc3339", json!("2026-11-22T13:45:56.5Z"), "2026-11-22T13:45:56.5Z"),
        ("'rfc3339', zone: Europe/Berlin", json!("2026-11-22T14:45:56+01:00"), "2026-11-22T13:45:56Z"),
        ("epoch_s", json!(1_795_355_156), "2026-11-22T13:45:56Z"),
        ("epoch_ms", json!(1_795_355_156_250_i64), "2026-11-22T13:45:56.25Z"),
        ("epoch_ms, as: text", json!("1795355156250"), "2026-11-22T13:45:56.25Z"),
        ("epoch_ms", json!(-1), "1969-12-31T23:59:59.999Z"),
        ("'%Y-%m-%d %H:%M:%S%:z'", json!("2026-11-22 13:45:56+00:00"), "2026-11-22T13:45:56Z"),
        ("'%d.%m.%Y %H:%M:%S', zone: Europe/Berlin", json!("22.11.2026 14:45:56"), "2026-11-22T13:45:56Z"),
        ("'%m/%d/%Y %I:%M %p', zone: '-05:00'", json!("11/22/2026 08:45 AM"), "2026-11-22T13:45:00Z"),
    ];
    for (format, there, here) in table {
        assert_eq!(read("time", &time(format), there.clone()), json!(here), "{format} reads {there}");
        assert_eq!(write("time", &time(format), json!(here)), there, "{format} writes {here}");
    }
}

#[test]
fn offsets_are_never_dropped() {
    let stamped = time("'%Y-%m-%dT%H:%M:%S%z'");
    assert_eq!(read("time", &stamped, json!("2026-11-22T14:22:31+0100")), json!("2026-11-22T13:22:31Z"));
    for naked in ["2026-11-22T14:22:31", "2026-11-22", "2026-11-22 14:22"] {
        assert_eq!(read("time", &time("rfc3339"), json!(naked)), json!("misfit form"), "{naked}");
        assert_eq!(read("time", "", json!(naked)), json!("misfit form"), "{naked}");
        assert_eq!(read("time", &stamped, json!(naked)), json!("misfit form"), "{naked}");
    }
    let local = time("rfc3339, zone: America/New_York");
    assert_eq!(read("time", &local, json!("2026-07-01T12:00:00")), json!("2026-07-01T16:00:00Z"));
    assert_eq!(read("time", &local, json!("2026-07-01T12:00:00Z")), json!("2026-07-01T12:00:00Z"));
}

#[test]
fn formats_that_lose_the_offset_do_not_compile() {
    let row = |format: &str| {
        format!("- {{field: time, path: x, direction: in, transform: [{{time: {{format: {format}}}}}]}}")
    };
    for (format, says) in [
        ("'%Y-%m-%d %H:%M:%S'", "it has no offset"),
        ("'%Y-%m-%dT%H:%M:%SZ'", "it has no offset"),
        ("'%Y-%m-%d %H:%M:%S %Z'", "cannot be used"),
        ("'%Y-%m-%d %H:%M:%S %K'", "cannot be used"),
        ("'%Y-%m-%d %H:%M:%S %'", "cannot be used"),
        ("'%Y-%m-%d', zone: UTC", "does not hold a whole time"),
        ("'%Y-%m-%d %I:%M', zone: UTC", "does not hold a whole time"),
        ("'%y-%m-%d %H:%M', zone: UTC", "does not hold a whole time"),
        ("'%H:%M:%S%:z'", "it has no offset"),
        ("iso", "no known format"),
        ("''", "no known format"),
        ("rfc3339, zone: Europe/Berln", "did you mean `Europe/Berlin`?"),
        ("rfc3339, zone: nowhere", "there is no time zone `nowhere`"),
        ("epoch_s, zone: UTC", "an epoch has no zone"),
        ("rfc3339, as: number", "only `epoch_s` and `epoch_ms` can be numbers"),
        ("rfc3339, ambiguous: later", "it stands without `zone`"),
    ] {
        let error = error(&row(format));
        assert!(error.contains(says), "{format}: {error}");
        assert!(error.starts_with("`fields[0].transform[0].time."), "{error}");
    }
}

#[test]
fn clock_changes_are_told_not_guessed() {
    let local = |ambiguous: &str| time(&format!("'%Y-%m-%d %H:%M:%S', zone: Europe/Berlin{ambiguous}"));
    // 2026-03-29 02:00 becomes 03:00; 2026-10-25 03:00 becomes 02:00.
    for ambiguous in ["", ", ambiguous: earlier", ", ambiguous: later"] {
        assert_eq!(
            read("time", &local(ambiguous), json!("2026-03-29 02:30:00")),
            json!("misfit ambiguous"),
            "{ambiguous}"
        );
    }
    let twice = json!("2026-10-25 02:30:00");
    assert_eq!(read("time", &local(""), twice.clone()), json!("misfit ambiguous"));
    assert_eq!(read("time", &local(", ambiguous: earlier"), twice.clone()), json!("2026-10-25T00:30:00Z"));
    assert_eq!(read("time", &local(", ambiguous: later"), twice.clone()), json!("2026-10-25T01:30:00Z"));
    for instant in ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"] {
        assert_eq!(write("time", &local(""), json!(instant)), json!("error ambiguous"), "{instant}");
        assert_eq!(write("time", &local(", ambiguous: later"), json!(instant)), twice, "{instant}");
    }
    assert_eq!(write("time", &local(""), json!("2026-10-25T02:30:00Z")), json!("2026-10-25 03:30:00"));
}

#[test]
fn epochs_that_are_no_time_are_refused() {
    for (format, value, expected) in [
        ("epoch_s", json!(i64::MAX), "misfit range"),
        ("epoch_ms", json!(u64::MAX), "misfit range"),
        ("epoch_s", json!(1.5), "misfit range"),
        ("epoch_s", json!("1.5"), "misfit form"),
        ("epoch_s", json!("2026"), "1970-01-01T00:33:46Z"),
        ("epoch_s", json!(true), "misfit kind"),
        ("rfc3339", json!(5), "misfit kind"),
    ] {
        assert_eq!(read("time", &time(format), value.clone()), json!(expected), "{format} {value}");
    }
}

#[test]
fn old_offsets_with_seconds_keep_the_instant() {
    let berlin = time("rfc3339, zone: Europe/Berlin");
    // Local mean time there was 53:28 ahead until 1893.
    assert_eq!(write("time", &berlin, json!("1880-01-01T00:00:00Z")), json!("1880-01-01T00:00:00+00:00"));
}

#[test]
fn dates_read_and_write_each_format() {
    let date = |format: &str| format!("transform: [{{date: {{format: {format}}}}}]");
    for (format, there, here) in [
        ("'%Y-%m-%d'", json!("2026-11-22"), "2026-11-22"),
        ("'%d.%m.%Y'", json!("22.11.2026"), "2026-11-22"),
        ("'%Y%m%d'", json!("20261122"), "2026-11-22"),
        ("'%b %d, %Y'", json!("Nov 22, 2026"), "2026-11-22"),
        ("epoch_ms", json!(1_795_305_600_000_i64), "2026-11-22"),
        ("epoch_ms", json!(-86_400_000), "1969-12-31"),
    ] {
        assert_eq!(read("date", &date(format), there.clone()), json!(here), "{format} reads {there}");
        assert_eq!(write("date", &date(format), json!(here)), there, "{format} writes {here}");
    }
    for (format, value, expected) in [
        ("'%Y-%m-%d'", json!("2026-02-29"), "misfit form"),
        ("'%Y-%m-%d'", json!("2026-11-22T23:00:00-05:00"), "misfit form"),
        ("'%Y-%m-%d'", json!("20261122"), "misfit form"),
        ("'%d.%m.%Y'", json!("31.02.2026"), "misfit form"),
        ("'%d.%m.%Y'", json!("22.11.2026 10:00"), "misfit form"),
        ("epoch_ms", json!(1_795_305_600_001_i64), "misfit inexact"),
        ("epoch_ms", json!(86_400_000_i64 * 100_000_000), "misfit range"),
        ("'%Y-%m-%d'", json!(20_261_122), "misfit kind"),
    ] {
        assert_eq!(read("date", &date(format), value.clone()), json!(expected), "{format} {value}");
    }
}

#[test]
fn date_formats_that_are_none_do_not_compile() {
    let row = |format: &str| {
        format!("- {{field: date, path: x, direction: in, transform: [{{date: {{format: {format}}}}}]}}")
    };
    for (format, says) in [
        ("'%Y-%m'", "does not hold a whole date"),
        ("'%y-%m-%d'", "does not hold a whole date"),
        ("'%Y-%m-%d %H'", "cannot be used"),
        ("'%Y-%m-%dT%H:%M:%S%:z'", "cannot be used"),
        ("iso", "it holds no directive"),
    ] {
        let error = error(&row(format));
        assert!(error.contains(says), "{format}: {error}");
    }
}
