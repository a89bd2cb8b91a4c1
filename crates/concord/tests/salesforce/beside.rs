//! Two records there for one here: a person is told, and whichever of the two goes, no third one is made.

use std::collections::BTreeMap;

use sandbox::Edit;
use sandbox::shelf::Object;
use serde_json::{Value, json};

use crate::estate::{Estate, create, values};
use crate::support::Folder;
use crate::support::command::{concord, json as told};
use crate::until;

/// Who is there with that address.
fn with_mail(estate: &Estate, mail: &str) -> BTreeMap<String, Object> {
    let mut there = estate.live("Contact");
    there.retain(|_, held| held.values["Email"] == json!(mail));
    there.into_values().map(|held| (held.id.clone(), held)).collect()
}

/// Everybody who was ever made there.
fn ever(estate: &Estate) -> usize {
    estate.sold().objects["Contact"].len()
}

fn letters(folder: &Folder) -> Vec<Value> {
    told(folder, &["dead-letter", "list"]).as_array().unwrap().clone()
}

/// What is deleted there is deleted here, too, unless there were two of it: a person was asked to delete one. With each of three
/// something else comes first: the listing that shows the deletion, a write into what is gone, and a person's own word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_of_two_that_stand_for_one_record_the_other_goes_on_and_no_third_is_made() {
    let estate = Estate::start(|_| {}).await;
    let folder = estate.folder("");
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    estate.enter(1, 4);
    until(&folder, "all have arrived", || estate.live("Contact").len() == 4).await;
    let mail = |number: usize| format!("c-0-{number}@x.example");
    let first = |number: usize| estate.live("Contact")[&format!("C-0-{number}")].id.clone();
    let firsts: Vec<String> = (0..4).map(first).collect();
    for number in 0..4 {
        let twin = json!({"LastName": format!("Twin {number}"), "Email": mail(number), "Phone": "+49 twin"});
        create(&estate.sales, "Contact", twin);
    }
    until(&folder, "a person is told of each", || letters(&folder).len() == 4).await;
    assert!(letters(&folder).iter().all(|letter| letter["class"] == "duplicate_there"));
    let made = ever(&estate);

    let gone = |number: usize| {
        let id = firsts[number].clone();
        estate.sales.person(Edit::Delete { object_type: "Contact".into(), id }).unwrap();
    };
    let rename = |number: usize, name: &str| {
        let id = estate.crm("contacts")[&format!("C-0-{number}")].id.clone();
        let changed = values(json!({"lastname": name}));
        estate.crm.person(Edit::Update { object_type: "contacts".into(), id, values: changed }).unwrap();
    };
    gone(0);
    rename(1, "Written into what is gone");
    gone(1);
    let second = format!("sales:Contact/{}", firsts[2]);
    let sheet = told(&folder, &["record", "get", &format!("sales:{}", firsts[2])]);
    let record = sheet["record"]["id"].as_str().unwrap();
    let unlink = ["record", "unlink", record, &second, "--reason", "the other one is hers"];
    assert_eq!(concord(&folder, &unlink).status.code(), Some(0));
    gone(2);
    until(&folder, "the others go on as theirs", || {
        (0..3).all(|number| {
            let there = with_mail(&estate, &mail(number));
            let numbered = there
                .values()
                .all(|held| held.values.get("Business_Id__c") == Some(&json!(format!("C-0-{number}"))));
            there.len() == 1 && !there.contains_key(&firsts[number]) && numbered
        })
    })
    .await;
    for number in 0..3 {
        rename(number, "Later");
    }
    until(&folder, "what is said later arrives there", || {
        (0..3).all(|number| {
            with_mail(&estate, &mail(number)).values().all(|held| held.values["LastName"] == "Later")
        })
    })
    .await;
    assert_eq!(ever(&estate), made, "a third one was made");
    let left = letters(&folder);
    assert_eq!(left.len(), 1, "{left:#?}");
    assert_eq!(with_mail(&estate, &mail(3)).len(), 2, "what nobody saw to stays as it is");
    assert_eq!(hub.stop(), Some(0), "no clean stop:\n{}", folder.last_words());
}
