//! Credentials that rotate: durable before they are used.

use std::sync::{Arc, PoisonError};

use canonical::System;
use connector::{Failure, FailureKind, Reached};
use store::{Op, StoreError, Unit};
use tokio::sync::oneshot;

use crate::shared::{Ended, Shared};

/// Makes the scope, and a rotated credential, durable. Does nothing when both are known to be.
pub(crate) async fn keep(
    system: &System,
    scope: i64,
    rotated: Option<Vec<u8>>,
    shared: &Arc<Shared>,
) -> Result<(), Failure> {
    let known = shared.generations.lock().unwrap_or_else(PoisonError::into_inner).get(system).copied();
    if rotated.is_none() && known == Some(scope) {
        return Ok(());
    }
    let (tenant, credential) = (shared.tenant.clone(), rotated);
    let op = Op::PutCredential { tenant, system: system.clone(), credential, generation: scope };
    let (tell, told) = oneshot::channel();
    let reply = Box::new(move |receipts: Result<Vec<_>, StoreError>| {
        let _gone = tell.send(receipts.map(|_| ())).is_err();
    });
    shared.store.commit(vec![Unit { require: Vec::new(), ops: vec![op] }], reply);
    match told.await.unwrap_or(Err(StoreError::Closed)) {
        Ok(()) => {
            shared.generations.lock().unwrap_or_else(PoisonError::into_inner).insert(system.clone(), scope);
            Ok(())
        }
        Err(error) => {
            if matches!(error, StoreError::Broken { .. }) {
                shared.end(Ended::Stopped(error.to_string()));
            }
            let detail = format!("the new token of {system} could not be kept ({error})");
            // The token waits at egress: asking again gives the same one.
            Err(Failure { reached: Reached::NotSent, kind: FailureKind::Reset, detail, wait: None })
        }
    }
}
