//! Mappings tried by themselves.

use super::folder::{base, shown};
use crate::trials;

#[test]
fn mappings_are_tried_whatever_else_is_wrong() {
    let mut files = base();
    files.put("routes/people.yaml", "routes: nothing").put("concord.yaml", "tenat: 1");
    let trials = trials(&files);
    assert_eq!(shown(&trials.problems), "");
    let names: Vec<&str> = trials.mappings.iter().map(|trial| trial.name.as_str()).collect();
    assert_eq!(names, ["person.crm", "person.erp"]);
    for trial in &trials.mappings {
        assert_eq!(shown(&trial.problems), "", "{}", trial.file);
        let (mapping, schema) = trial.compiled.as_ref().unwrap();
        assert_eq!((mapping.id(), mapping.entity()), (trial.name.as_str(), &schema.entity));
    }
}

#[test]
fn what_fails_is_said_of_the_mapping_that_fails() {
    let mut files = base();
    let crm = files.get("mappings/person.crm.yaml").unwrap().replace("to: {name: Ada,", "to: {name: Eda,");
    let erp = files.get("mappings/person.erp.yaml").unwrap().replace("class,", "class, transform: [lower],");
    files.put("mappings/person.crm.yaml", crm.as_str()).put("mappings/person.erp.yaml", erp);
    files.put("mappings/second.yaml", crm.replace("{field: name, path: name}", "{field: nam, path: name}"));
    files.put("mappings/unread.yaml", "mapping: [");
    let trials = trials(&files);
    assert!(shown(&trials.problems).starts_with("mappings/unread.yaml:1:"), "{}", shown(&trials.problems));
    let said: Vec<String> = trials.mappings.iter().map(|trial| shown(&trial.problems)).collect();
    assert!(
        said[0].contains("person.crm.yaml:15:16: error: the example (a person) does not come out"),
        "{}",
        said[0]
    );
    assert!(said[1].contains("person.erp.yaml:8:45: error: `lower` loses something"), "{}", said[1]);
    assert!(said[2].contains("did you mean `name`?") && said[2].contains("is declared twice"), "{}", said[2]);
    let compiled: Vec<bool> = trials.mappings.iter().map(|trial| trial.compiled.is_some()).collect();
    assert_eq!(compiled, [true, true, false]);
}
