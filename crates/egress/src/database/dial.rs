//! Making connections: name, guard, TCP, TLS and log-in within a time.

use std::error::Error as StdError;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use connector::{Failure, FailureKind, Reached};
use guard::address::Host;
use guard::database::Address;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::DbError;
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_postgres::{Client, Config, NoTls};
use tokio_rustls::TlsConnector;

use crate::connection::Connection;
use crate::door::Shared;
use crate::failure::http;
use crate::resolve::{Denied, Policy};

/// Why there is no connection. Nothing was sent.
pub(super) enum Refused {
    /// The server let us come that far, and says why not: the rules of the connector judge it.
    Said(Box<DbError>),
    /// Nobody is there, or nobody whom we may speak to.
    Failed(Failure),
}

/// Makes connections to one database.
pub(super) struct Dialler {
    address: Address,
    place: String,
    policy: Policy,
    config: Config,
    /// `None`: without TLS.
    tls: Option<Tls>,
    within: Duration,
}

/// TLS with a name that the certificate must be for.
#[derive(Clone)]
struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Dialler {
    /// For the database of a connection.
    ///
    /// # Errors
    /// A text for people.
    pub(super) fn new(
        connection: &Connection,
        shared: &Shared,
        user: &str,
        password: &[u8],
    ) -> Result<Self, String> {
        let address = Address::read(&connection.base_url)
            .map_err(|error| format!("base_url {:?}: {error}", connection.base_url))?;
        let tls = if address.plain { None } else { Some(Tls::new(&shared.tls, &address.name)?) };
        let mut config = Config::new();
        config
            .user(user)
            .password(password)
            .dbname(address.database.as_str())
            .application_name(shared.user_agent.as_str())
            .ssl_mode(if address.plain { SslMode::Disable } else { SslMode::Require })
            // A row that row security hides is an error, never an absence.
            .options("-c row_security=off -c TimeZone=UTC -c client_min_messages=error");
        let policy = Policy { allow: connection.allow.clone(), port: address.port, plain: address.plain };
        let place = format!("{}:{}", address.name, address.port);
        Ok(Self { address, place, policy, config, tls, within: connection.timeouts.connect })
    }

    /// Where it leads, for people.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Makes a connection on which statements end after `limit`.
    pub(super) async fn dial(&self, who: &str, limit: Duration) -> Result<Client, Refused> {
        let dialling = async {
            let stream = self.stream().await.map_err(|error| self.failed(who, &*error))?;
            let client = match &self.tls {
                Some(tls) => self.log_in(stream, tls.clone()).await,
                None => self.log_in(stream, NoTls).await,
            };
            let client = client.map_err(|error| self.refused(who, error))?;
            bound(&client, limit).await.map_err(|error| self.refused(who, error))?;
            Ok(client)
        };
        let late = || {
            self.fail(who, FailureKind::Connect, "no connection: the time for it is up (TCP, TLS and log-in)")
        };
        tokio::time::timeout(self.within, dialling).await.unwrap_or_else(|_| Err(late()))
    }

    async fn stream(&self) -> Result<TcpStream, Box<dyn StdError + Send + Sync>> {
        let addresses = match &self.address.host {
            // No resolver is asked for an address, so it is judged here.
            Host::Address(address) => {
                self.policy.check(*address)?;
                vec![SocketAddr::new(*address, 0)]
            }
            Host::Name(name) => self.policy.resolve(name).await?,
        };
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for mut address in addresses {
            address.set_port(self.address.port);
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            socket.set_keepalive(true)?;
            socket.set_nodelay(true)?;
            match socket.connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last.into())
    }

    async fn log_in<T>(&self, stream: TcpStream, tls: T) -> Result<Client, tokio_postgres::Error>
    where
        T: TlsConnect<TcpStream>,
        T::Stream: Send + 'static,
    {
        let (client, connection) = self.config.connect_raw(stream, tls).await?;
        // It ends with its client; how it broke is told to whoever waits for an answer.
        tokio::spawn(async move { connection.await.is_ok() });
        Ok(client)
    }

    /// Nothing was sent: what the server says of the log-in is judged by rules, all else is nobody there.
    fn refused(&self, who: &str, error: tokio_postgres::Error) -> Refused {
        let why = cause(&error);
        if let Some(said) = error.as_db_error() {
            // Not let in, no such database, no right to connect: as long as nobody changes it.
            let lasting = matches!(said.code().code().get(..2), Some("28" | "3D" | "42"));
            if lasting {
                return Refused::Said(Box::new(said.clone()));
            }
            let what = format!("no connection: {} ({})", said.message(), said.code().code());
            return self.fail(who, FailureKind::Connect, &what);
        }
        let said = error.to_string();
        if said.contains("TLS") {
            let what = format!(
                "no TLS connection: {why}; turn `ssl` on there and check its certificate, or list its CA"
            );
            return self.fail(who, FailureKind::Tls, &what);
        }
        if said.starts_with("authentication") {
            let what = format!("the way to log in does not fit: {why}; use SCRAM-SHA-256 in pg_hba.conf");
            return self.fail(who, FailureKind::Misconfigured, &what);
        }
        self.fail(who, FailureKind::Connect, &format!("no connection: {why}; check that the database is up"))
    }

    fn failed(&self, who: &str, error: &(dyn StdError + Send + Sync + 'static)) -> Refused {
        if let Some(why) = error.downcast_ref::<Denied>() {
            return self.fail(who, FailureKind::Blocked, &format!("the address may not be dialled: {why}"));
        }
        if let Some(why) = error.downcast_ref::<io::Error>() {
            let what = format!("no connection: {why}; check that the database is up");
            return self.fail(who, FailureKind::Connect, &what);
        }
        let (kind, _, what) = http(error, true);
        self.fail(who, kind, &what)
    }

    fn fail(&self, who: &str, kind: FailureKind, what: &str) -> Refused {
        let detail = format!("{who} at {}: {what}", self.place);
        Refused::Failed(Failure { reached: Reached::NotSent, kind, detail, wait: None })
    }
}

/// Lets the server end statements of a connection after `limit`: it works on nothing longer, whatever becomes of us.
pub(super) async fn bound(client: &Client, limit: Duration) -> Result<(), tokio_postgres::Error> {
    client.batch_execute(&format!("SET statement_timeout = {}", limit.as_millis().max(1))).await
}

/// The innermost cause, in words.
pub(super) fn cause(error: &tokio_postgres::Error) -> String {
    let mut innermost: &dyn StdError = error;
    while let Some(inner) = innermost.source() {
        innermost = inner;
    }
    innermost.to_string()
}

impl Tls {
    fn new(config: &ClientConfig, name: &str) -> Result<Self, String> {
        let mut config = config.clone();
        // Servers from PostgreSQL 17 on refuse any other protocol.
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| format!("no certificate can be for the host {name:?}"))?;
        Ok(Self { config: Arc::new(config), name })
    }
}

impl TlsConnect<TcpStream> for Tls {
    type Stream = Encrypted;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted>> + Send>>;

    fn connect(self, stream: TcpStream) -> Self::Future {
        Box::pin(async move {
            let stream = TlsConnector::from(self.config).connect(self.name, stream).await?;
            Ok(Encrypted(Box::new(stream)))
        })
    }
}

/// A TLS stream as the client wants it.
struct Encrypted(Box<tokio_rustls::client::TlsStream<TcpStream>>);

impl TlsStream for Encrypted {
    fn channel_binding(&self) -> ChannelBinding {
        // The certificate is checked, and for the host's name: nobody stands between.
        ChannelBinding::none()
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(context, out)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(context)
    }
}
