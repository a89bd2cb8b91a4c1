//! Epochs: minted by restores, and how systems read again after one.

use std::collections::BTreeMap;

use intake::Link;

use super::Backend;
use super::make::{acme, at, fetch, link, other, rec, system, trace};
use crate::epoch::{Epoch, Reread, Restored};
use crate::{Op, Query, Rows};

fn epoch(number: i64) -> Epoch {
    Epoch { number, taken_at: at(number), restored_at: at(number + 10) }
}

fn of(backend: &Backend, name: &str) -> Option<Restored> {
    match backend.find(Query::System { tenant: acme(), system: system(name) }) {
        Rows::System(.., restored) => restored,
        other => panic!("expected a system, found {other:?}"),
    }
}

fn restored_at(backend: &Backend) -> Option<canonical::Wall> {
    match backend.find(Query::Intake { tenant: acme(), asks: vec![] }) {
        Rows::Intake(view) => view.restored_at,
        other => panic!("expected a view, found {other:?}"),
    }
}

/// The newest restore is known to every system and to intake; each system keeps how far it is, anew for each restore.
pub fn the_newest_restore_counts(backend: &Backend) {
    assert_eq!((of(backend, "crm"), restored_at(backend)), (None, None));
    backend.apply(vec![Op::PutEpoch(epoch(1))]);
    assert_eq!(
        of(backend, "crm"),
        Some(Restored { epoch: epoch(1), reread: Reread::default(), renamed: vec![] })
    );
    assert_eq!(restored_at(backend), Some(at(11)));
    let put_of = |name, tenant, number, read_at, open_at| Op::PutReread {
        tenant,
        system: system(name),
        epoch: number,
        reread: Reread { read_at, open_at },
    };
    let put = |tenant, number, read_at, open_at| put_of("crm", tenant, number, read_at, open_at);
    backend.apply(vec![put(acme(), 1, Some(at(20)), None), put(other(), 1, Some(at(90)), Some(at(91)))]);
    let half = Reread { read_at: Some(at(20)), open_at: None };
    assert_eq!(of(backend, "crm"), Some(Restored { epoch: epoch(1), reread: half, renamed: vec![] }));
    assert_eq!(of(backend, "erp").map(|restored| restored.reread), Some(Reread::default()));
    backend.apply(vec![put_of("erp", acme(), 1, None, None), put(acme(), 1, Some(at(20)), Some(at(21)))]);
    let whole = Reread { open_at: Some(at(21)), ..half };
    assert_eq!(of(backend, "crm").map(|restored| restored.reread), Some(whole));
    assert_eq!(of(backend, "erp").map(|restored| restored.reread), Some(Reread::default()));
    let joined = Reread { read_at: Some(at(11)), open_at: Some(at(11)) };
    assert_eq!(
        of(backend, "marketing").map(|restored| restored.reread),
        Some(joined),
        "it has missed nothing"
    );
    backend.apply(vec![Op::PutEpoch(epoch(2)), Op::PutEpoch(Epoch { taken_at: at(77), ..epoch(2) })]);
    let renamed =
        |until| Some(Restored { epoch: epoch(2), reread: Reread::default(), renamed: vec![(at(11), until)] });
    assert_eq!(of(backend, "crm"), renamed(at(21)));
    assert_eq!(of(backend, "erp"), renamed(canonical::Wall(i64::MAX)), "it never delivered again");
    assert_eq!(of(backend, "marketing"), renamed(at(11)));
    assert_eq!(restored_at(backend), Some(at(12)));
}

/// What a record is linked to is fetched, as far as it is of the named kinds, and of that tenant.
pub fn everything_linked_is_fetched(backend: &Backend) {
    let linked = |link: Link| Op::PutLink(link);
    let crm = link(1, "crm", "c1");
    let erp = link(1, "erp", "e1");
    let marketing = link(1, "marketing", "m1");
    let another = link(2, "crm", "c2");
    backend.apply([crm.clone(), erp.clone(), marketing, another].map(linked).to_vec());
    let objects = vec![(crm.system.clone(), crm.object.clone()), (erp.system.clone(), erp.object.clone())];
    let want = |tenant| Op::WantFetchOf {
        tenant,
        record: rec(1),
        objects: objects.clone(),
        at: at(5),
        trace: trace(3),
    };
    backend.apply(vec![want(acme()), want(other())]);
    let due = |name: &str| {
        let query = Query::Fetches { tenant: acme(), system: system(name), due_by: at(9), limit: 9 };
        match backend.find(query) {
            Rows::Fetches(fetches, _) => fetches,
            other => panic!("expected fetches, found {other:?}"),
        }
    };
    let wanted = fetch("c1", 5, 5);
    assert_eq!(due("crm"), vec![wanted]);
    assert_eq!(due("erp").len(), 1);
    assert_eq!(due("marketing"), vec![]);
    let query = Query::Fetches { tenant: other(), system: system("crm"), due_by: at(9), limit: 9 };
    assert_eq!(backend.find(query), Rows::Fetches(vec![], None));
    let cursors = BTreeMap::new();
    let state = backend.find(Query::System { tenant: acme(), system: system("crm") });
    assert_eq!(state, Rows::System(None, cursors, None));
}
