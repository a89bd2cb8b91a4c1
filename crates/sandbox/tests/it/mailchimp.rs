//! `@mailchimp/mailchimp_marketing` against the marketing system.

use sandbox::{Kind, Options, Sandbox};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::sdk;

#[test]
fn the_official_client_upserts_members_and_reads_problems() {
    let runtime = Runtime::new().unwrap();
    let chimp = runtime.block_on(Sandbox::start(Kind::Mailchimp, Options::of(Kind::Mailchimp))).unwrap();
    let said = sdk::run("mailchimp.cjs", &chimp.url());
    assert_eq!(said["ping"], "Everything's Chimpy!");
    assert_eq!(said["account"], "8d3a3db4d97663a9074efcc16");
    assert_eq!(said["statuses"], json!(["subscribed", "unsubscribed", "archived"]));
    assert_eq!(said["compliance"], json!({"status": 400, "title": "Member In Compliance State"}));
    assert_eq!(said["listed"], json!(["urist.mcvankab@freddiesjokes.com"]));
    assert_eq!(said["tags"], json!(["gold"]));
    assert_eq!(said["unknown"], 404);

    let books = chimp.lock().books();
    let member = &books.objects["57afe96172"]["62eeb292278cc15f5817cb78f7790b08"];
    assert_eq!(member.values["merge_fields"], json!({"FNAME": "Urist", "BUSINESSID": "c-1"}));
    assert!(member.archived_ms.is_some());
    assert_eq!(books.effects["mails_sent"]["i-1"], 1);
}
