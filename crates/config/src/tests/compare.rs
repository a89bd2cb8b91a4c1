//! Two folders compared: what is said, what follows, and what is refused with its place.

use super::folder::{CONCORD, CRM, ERP, LEVELS, PERSON, PERSON_CRM, PERSON_ERP, ROUTES, base, shown};
use crate::{Comparison, Files, compare, load};

/// The small folder, compared with itself after some files were put in place of others.
fn changed(puts: &[(&str, String)]) -> Comparison {
    between(&base(), &{
        let mut files = base();
        for (path, text) in puts {
            files.put(path, text.clone());
        }
        files
    })
}

fn between(one: &Files, other: &Files) -> Comparison {
    let checked =
        |files: &Files| load(files).unwrap_or_else(|problems| panic!("{}", shown(&problems))).configuration;
    compare(&checked(one), &checked(other), other, &[])
}

/// The changes, a line each with their details below them.
fn lines(comparison: &Comparison) -> Vec<String> {
    let mut lines = Vec::new();
    for change in &comparison.changes {
        lines.push(change.to_string());
        lines.extend(change.details.iter().map(|detail| format!("  {detail}")));
    }
    lines
}

fn names<T: ToString>(set: impl IntoIterator<Item = T>) -> Vec<String> {
    set.into_iter().map(|name| name.to_string()).collect()
}

/// `text` with one part replaced, which must be there.
fn with(text: &str, part: &str, by: &str) -> String {
    assert!(text.contains(part), "{part} is not in {text}");
    text.replacen(part, by, 1)
}

#[test]
fn the_same_folder_changes_nothing_nor_does_a_comment() {
    assert!(changed(&[]).is_empty());
    let commented = changed(&[
        ("systems/erp.yaml", format!("# Finance.\n{ERP}")),
        ("mappings/person.erp.yaml", format!("# Names.\n{PERSON_ERP}")),
    ]);
    assert!(commented.is_empty() && commented.renewed.is_empty() && commented.refusals.is_empty());
}

#[test]
fn a_changed_mapping_names_its_arrows_and_the_routes_that_render_by_it() {
    let mapping = with(PERSON_ERP, "version: 3", "version: 4");
    let mapping = with(&mapping, "path: balance, direction", "path: amount, direction");
    let mapping = mapping + "  - {field: email, path: mail, direction: out}\nremoved: {balance: clear}\n";
    let found = changed(&[("mappings/person.erp.yaml", mapping)]);
    assert_eq!(shown(&found.refusals), "");
    assert_eq!(
        lines(&found),
        [
            "~ mapping person.erp",
            "  version 3 → 4",
            "  + amount ← balance",
            "  + mail ← email",
            "  - balance ← balance",
            "  balance is written no more: it is emptied with each record's next delivery",
        ]
    );
    // What is only written does not change what the connector reads.
    assert_eq!(names(&found.renewed), Vec::<String>::new());
    assert_eq!(names(found.routes.keys()), ["person.erp"], "events are told as they are");
}

#[test]
fn what_a_mapping_reads_is_part_of_its_systems_connector() {
    let mapping = with(PERSON_CRM, "version: 1", "version: 2");
    let mapping = with(&mapping, "path: level}", "path: grade}");
    let mapping = with(&mapping, "examples:", "removed: {level: leave}\nexamples:");
    let found = changed(&[("mappings/person.crm.yaml", mapping)]);
    assert_eq!(shown(&found.refusals), "");
    assert_eq!(names(&found.renewed), ["crm"]);
}

#[test]
fn a_lookup_is_part_of_every_mapping_that_uses_it() {
    let found = changed(&[("lookups/levels.csv", with(LEVELS, "A,gold", "G,gold"))]);
    assert_eq!(names(found.routes.keys()), ["person.erp"]);
    assert!(shown(&found.refusals).contains("still says `version: 3`"), "{}", shown(&found.refusals));
}

#[test]
fn a_mapping_must_say_its_version_and_what_becomes_of_what_it_drops() {
    let row = "  - {field: balance, path: balance, direction: out, transform: [{decimal: {scale: 2}}]}\n";
    let mapping = with(PERSON_ERP, row, "");
    let said = shown(&changed(&[("mappings/person.erp.yaml", mapping.clone())]).refusals);
    for part in [
        "mappings/person.erp.yaml:2:10: error: the mapping `person.erp` changed and still says `version: 3`",
        "write `version: 4`",
        "mappings/person.erp.yaml:6:1: error: `balance` is not written any more",
        "add `removed: {\"balance\": leave}`",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let mapping = with(&mapping, "version: 3", "version: 4") + "removed: {balance: leave}\n";
    assert_eq!(shown(&changed(&[("mappings/person.erp.yaml", mapping)]).refusals), "");
}

#[test]
fn going_back_to_an_earlier_version_is_a_change_like_others() {
    let mut newer = base();
    newer.put(
        "mappings/person.erp.yaml",
        with(PERSON_ERP, "version: 3", "version: 4") + "  - {field: email, path: mail, direction: out}\n",
    );
    let checked = |files: &Files| load(files).unwrap().configuration;
    let applied = checked(&base()).versions();
    let back = compare(&checked(&newer), &checked(&base()), &base(), &applied);
    // The earlier file cannot say what becomes of what it never knew: it stays.
    assert_eq!(shown(&back.refusals), "");
    assert_eq!(lines(&back)[..2], ["~ mapping person.erp", "  version 4 → 3"]);
}

#[test]
fn limits_and_connections_renew_their_system_and_no_other() {
    let system = with(ERP, "concurrency: 2", "concurrency: 3");
    let system = with(
        &system,
        "daily: {size: 1000, refill: 1000, per: 1d}",
        "daily: {size: 2000, refill: 2000, per: 1d}",
    );
    let system = with(&system, "http://127.0.0.1:4012", "http://127.0.0.1:4013");
    let system = with(&system, "allow: [\"127.0.0.1:4012\"]", "allow: [\"127.0.0.1:4013\"]");
    let found = changed(&[("systems/erp.yaml", system)]);
    assert_eq!(shown(&found.refusals), "");
    assert_eq!(names(&found.renewed), ["erp"]);
    assert_eq!(
        lines(&found),
        [
            "~ system erp",
            "  base_url: http://127.0.0.1:4012 → http://127.0.0.1:4013",
            "  allow",
            "  concurrency: 2 → 3",
            "  ~ limit daily: 1000 per 1d, 1000 at once → 2000 per 1d, 2000 at once",
        ]
    );
}

#[test]
fn webhooks_are_a_matter_of_ingress_alone() {
    let found = changed(&[(
        "systems/crm.yaml",
        with(CRM, "{env: CRM_HOOK}", "{env: CRM_HOOK}, {env: CRM_NEXT_HOOK}"),
    )]);
    assert_eq!(lines(&found), ["~ system crm", "  webhook"]);
    assert_eq!(names(&found.renewed), Vec::<String>::new());
}

#[test]
fn names_stand_for_one_thing_for_ever() {
    let notify = "kind: notify\n    events: [person.created]\n    operation: event";
    let found = changed(&[("routes/people.yaml", with(ROUTES, "kind: sync", notify))]);
    let said = shown(&found.refusals);
    let wanted =
        "routes/people.yaml:3:11: error: the route `person.crm` is of kind `sync` and would be of `notify`";
    assert!(said.contains(wanted), "{said}");
}

#[test]
fn tenant_store_and_listeners_need_a_restart() {
    let text = with(CONCORD, "tenant: acme", "tenant: umbrella");
    let text = with(&text, "./data", "./elsewhere");
    let text = with(&text, "127.0.0.1:4001", "127.0.0.1:4002");
    let said = shown(&changed(&[("concord.yaml", text)]).refusals);
    for place in [
        "concord.yaml:1:9: error: a running hub's tenant cannot change",
        "concord.yaml:4:11: error: the store is open where it is",
        "concord.yaml:8:13: error: a running hub keeps its addresses",
    ] {
        assert!(said.contains(place), "{place}: {said}");
    }
}

#[test]
fn a_field_keeps_its_type() {
    let person =
        with(PERSON, "consent: {type: boolean}", "consent: {type: boolean}\n    age: {type: integer}");
    let person = with(&person, "version: 1", "version: 2");
    let found = changed(&[("model/person.yaml", person.clone())]);
    assert_eq!(lines(&found), ["~ entity Person", "  version: 1 → 2", "  + field age"]);
    assert_eq!(shown(&found.refusals), "");
    let mut was = base();
    was.put("model/person.yaml", person.clone());
    let mut is = base();
    let person = with(&person, "version: 2", "version: 3");
    is.put("model/person.yaml", with(&person, "age: {type: integer}", "age: {type: string}"));
    let found = between(&was, &is);
    assert_eq!(
        lines(&found),
        ["~ entity Person", "  version: 2 → 3", "  ~ field age: type: a whole number → a text"]
    );
    assert!(
        shown(&found.refusals).contains("the field `age` was a whole number"),
        "{}",
        shown(&found.refusals)
    );
}

#[test]
fn a_system_with_its_routes_joins_and_leaves() {
    let mut less = base();
    less.remove("systems/crm.yaml");
    less.remove("mappings/person.crm.yaml");
    less.put("concord.yaml", CONCORD.split("intake:").next().unwrap());
    less.put(
        "model/person.yaml",
        PERSON.replace("owner: crm, ", "").replace("{owner: crm}", "{}").replace("creators: [crm]\n", ""),
    );
    let start = ROUTES.find("  - route: person.erp").unwrap();
    less.put("routes/people.yaml", format!("routes:\n{}", &ROUTES[start..]));
    let out = between(&base(), &less);
    assert_eq!(names(&out.disconnected), ["crm"]);
    assert_eq!(names(out.routes.keys()), ["person.crm"]);
    let back = between(&less, &base());
    assert_eq!(names(&back.connected), ["crm"]);
    assert!(lines(&back).contains(&"+ route person.crm".to_owned()), "{:?}", lines(&back));
    assert_eq!(shown(&back.refusals), "");
}

/// Records that are there would not be found by it, and be made a second time.
#[test]
fn a_new_match_key_waits_for_a_start() {
    let key = "  - {name: email, fields: [email], fold: true}";
    let other = with(PERSON, key, "  - {name: email, fields: [email], fold: true, normalise: [accents]}");
    let refused = shown(&changed(&[("model/person.yaml", other)]).refusals);
    let line = "model/person.yaml:17:1: error: the match key `email` is new or different: records are found by it once all \
                have been gone through, which a start does";
    assert!(
        refused.starts_with(line) && refused.contains("= stop the hub, and start it with the new folder"),
        "{refused}"
    );
    let none = with(PERSON, &format!("match_keys:\n{key}\n"), "");
    let none = with(&none, "version: 1", "version: 2");
    assert_eq!(
        shown(&changed(&[("model/person.yaml", none)]).refusals),
        "",
        "nobody needs to go through them"
    );
}
