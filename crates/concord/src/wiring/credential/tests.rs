//! A rotated credential counts until a person replaces the one it descends from.

use embedded::Embedded;
use store::{Op, Store as _, Unit};

use super::*;

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

#[tokio::test]
async fn a_credential_that_a_person_replaced_counts() {
    let folder = tempfile::tempdir().unwrap();
    let root = RootKey::parse(&Secret::from(crate::commands::key::fresh().unwrap())).unwrap();
    let store = Embedded::open(folder.path(), root.clone(), embedded::Options::default()).unwrap();
    let (tenant, crm) = (Tenant::new("acme").unwrap(), System::new("crm").unwrap());
    let keeper = Keeper::new(tenant.clone(), root);
    assert_eq!(keeper.newest(&crm, &secret("first"), &*store).await.unwrap(), None);

    let sealed = keeper.sealer()(&crm, &secret("rotated"));
    let put = Op::PutCredential { tenant, system: crm.clone(), credential: Some(sealed), generation: 1 };
    let (tell, told) = tokio::sync::oneshot::channel();
    let unit = Unit { require: Vec::new(), ops: vec![put] };
    store.commit(vec![unit], Box::new(move |done| drop(tell.send(done))));
    told.await.unwrap().unwrap();

    let newest = keeper.newest(&crm, &secret("first"), &*store).await.unwrap();
    assert_eq!(newest, Some(secret("rotated")));
    assert_eq!(keeper.newest(&crm, &secret("second"), &*store).await.unwrap(), None, "it was replaced");
}
