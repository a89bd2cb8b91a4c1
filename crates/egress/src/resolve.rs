//! Name resolution with the guard inside: the address that is judged is the address that is dialled.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use guard::address::{AllowList, Blocked};
use hyper_util::client::legacy::connect::dns::Name;
use tower::Service;

/// Which addresses an origin may be dialled at.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) allow: AllowList,
    pub(crate) port: u16,
    /// Without TLS: spoken only to listed addresses, since the credential travels along.
    pub(crate) plain: bool,
}

/// The resolver of one client.
#[derive(Debug, Clone)]
pub(crate) struct Resolver(pub(crate) Arc<Policy>);

/// A name without addresses.
#[derive(Debug, thiserror::Error)]
#[error("the name is not found ({0})")]
pub(crate) struct Unresolved(String);

/// An address that may not be dialled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Denied {
    /// In a special range and not listed.
    #[error(transparent)]
    Blocked(#[from] Blocked),
    /// Without TLS to an address that is not listed.
    #[error("without TLS only addresses listed under `allow` are spoken to; use https (or no `sslmode`)")]
    Plain,
}

impl Policy {
    /// Judges one address.
    pub(crate) fn check(&self, address: IpAddr) -> Result<(), Denied> {
        self.allow.check(address, self.port)?;
        if self.plain && !self.allow.lists(address, self.port) { Err(Denied::Plain) } else { Ok(()) }
    }

    /// The addresses of a name that may be dialled: at least one.
    pub(crate) async fn resolve(
        &self,
        name: &str,
    ) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
        let found =
            tokio::net::lookup_host((name, 0)).await.map_err(|error| Unresolved(error.kind().to_string()))?;
        let mut permitted: Vec<SocketAddr> = Vec::new();
        let mut denied = None;
        for address in found {
            match self.check(address.ip()) {
                Ok(()) => permitted.push(address),
                Err(why) => denied = denied.or(Some(why)),
            }
        }
        // Only judged addresses are given on; without one, the name leads nowhere.
        match (permitted.is_empty(), denied) {
            (false, _) => Ok(permitted),
            (true, Some(why)) => Err(why.into()),
            (true, None) => Err(Unresolved("it has no address".to_owned()).into()),
        }
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let policy = Arc::clone(&self.0);
        Box::pin(async move { Ok(policy.resolve(name.as_str()).await?.into_iter()) })
    }
}
