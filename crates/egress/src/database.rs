//! One database that may be asked: its address, its guard, its few connections, and the exchange itself.
//!
//! A request is a statement and the values that are bound to it; the answer is a [`Response`] with rows as JSON, or with
//! what the server said when it refused. Each statement is a transaction of its own. Nothing is sent twice, the server ends a
//! statement that takes too long by itself (`statement_timeout`), and a failure says whether anything can have reached it.

mod answer;
mod dial;
mod statement;
mod value;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use connector::{AuthKind, Failure, FailureKind, Reached, Request, Response};
use futures_util::TryStreamExt as _;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_postgres::Client;
use tokio_postgres::error::Severity;

use crate::auth::Secrets;
use crate::connection::Connection;
use crate::door::Shared;
use crate::failure::{Trouble, failure};
use crate::veils::{Credentials, Veils};

use dial::Dialler;
use statement::Statement;

/// How long a connection is kept that nobody uses. Half-open ones (a firewall forgot them) are not met again then.
const IDLE: Duration = Duration::from_secs(30);
/// One that nobody used for so long is asked whether it still stands: a statement that went into a broken one would be in
/// doubt, and a write in doubt rests for a minute.
const FRESH: Duration = Duration::from_millis(500);

/// A database with everything needed to ask it.
pub(crate) struct Database {
    who: String,
    dialler: Dialler,
    total: Duration,
    answer_bytes_max: usize,
    veils: Veils,
    /// As many statements at once as there may be connections.
    turns: Semaphore,
    idle: Mutex<Vec<Session>>,
}

/// A connection that stands.
pub(crate) struct Session {
    client: Client,
    /// What `statement_timeout` is on it.
    limit: Duration,
    /// When it was last used.
    since: Instant,
}

/// Why a statement got no rows.
enum Broken {
    /// The client says so: the server refused it, or the connection broke.
    Sql(tokio_postgres::Error),
    /// More than is read.
    TooLarge,
    /// A column that cannot be shown.
    Unreadable(String),
}

impl Database {
    /// Opens it; no connection is made yet.
    ///
    /// # Errors
    /// A text for people: what is wrong with the address or the credential.
    pub(crate) fn open(
        system: &canonical::System,
        connection: &Connection,
        shared: &Shared,
    ) -> Result<Self, String> {
        let (user, password) = credential(connection)?;
        let dialler = Dialler::new(connection, shared, &user, &password)?;
        Ok(Self {
            who: format!("system {system}"),
            dialler,
            total: connection.timeouts.total,
            answer_bytes_max: shared.answer_bytes_max,
            veils: Credentials::of(connection).veils(&[], None),
            turns: Semaphore::new(connection.concurrency.max(1)),
            idle: Mutex::default(),
        })
    }

    /// Asks, and reads the whole answer, within the time and size bounds.
    ///
    /// # Errors
    /// A [`Failure`] that says how far it reached.
    pub(crate) async fn send(&self, request: &Request) -> Result<Response, Failure> {
        let answered = self.send_bare(request).await;
        answered.map(|answer| self.veils.answer(answer)).map_err(|failure| self.veils.failure(failure))
    }

    async fn send_bare(&self, request: &Request) -> Result<Response, Failure> {
        if request.method != Request::SQL {
            let why = "the system's address is a database's, and this connector speaks HTTP";
            return Err(self.failure(&Trouble::Unbuildable(why.to_owned()), true));
        }
        let statement =
            Statement::read(&request.body).map_err(|why| self.failure(&Trouble::Unbuildable(why), true))?;
        let asked = Duration::from_millis(request.timeout_ms);
        let limit = if asked.is_zero() { self.total } else { asked.min(self.total) };
        let end = Instant::now() + limit;
        let late = |recalled| self.failure(&Trouble::Late { limit_ms: limit.as_millis() }, recalled);
        let Ok(_turn) = tokio::time::timeout_at(end, self.turns.acquire()).await else {
            return Err(late(true));
        };
        // The server gives up first: its word is that nothing was kept, ours only that we do not know.
        let session = match tokio::time::timeout_at(end, self.session(limit - limit / 10)).await {
            Err(_) => return Err(late(true)),
            Ok(Err(dial::Refused::Failed(failure))) => return Err(failure),
            Ok(Err(dial::Refused::Said(error))) => return Ok(answer::refused(&error)),
            Ok(Ok(session)) => session,
        };
        // Whoever goes away, or is late, leaves a connection behind that is in the middle of something: it is not used
        // again, and the server ends the statement by itself.
        match tokio::time::timeout_at(end, self.run(&session.client, &statement)).await {
            Err(_) => Err(late(false)),
            Ok(Ok(answered)) => {
                self.keep(session);
                Ok(answered)
            }
            Ok(Err(Broken::Unreadable(why))) => Ok(answer::unreadable(&why)),
            Ok(Err(Broken::TooLarge)) => {
                Err(self.failure(&Trouble::TooLarge { bytes_max: self.answer_bytes_max }, false))
            }
            Ok(Err(Broken::Sql(error))) => match error.as_db_error() {
                Some(said) => {
                    // What ends the connection says so (`FATAL`, `PANIC`).
                    if said.parsed_severity() == Some(Severity::Error) {
                        self.keep(session);
                    }
                    Ok(answer::refused(said))
                }
                None => Err(self.broke(&error)),
            },
        }
    }

    async fn run(&self, client: &Client, statement: &Statement) -> Result<Response, Broken> {
        let stream =
            client.query_typed_raw(statement.text(), statement.values()).await.map_err(Broken::Sql)?;
        let mut stream = std::pin::pin!(stream);
        let mut bytes = 0_usize;
        let mut rows = Vec::new();
        while let Some(row) = stream.try_next().await.map_err(Broken::Sql)? {
            bytes = bytes.saturating_add(row.raw_size_bytes());
            if bytes > self.answer_bytes_max {
                return Err(Broken::TooLarge);
            }
            rows.push(value::row(&row).map_err(Broken::Unreadable)?);
        }
        // It is complete only now: what is checked when a transaction ends can still refuse it.
        Ok(answer::rows(rows, stream.rows_affected().unwrap_or(0)))
    }

    /// A connection that stands and ends statements after `limit`: one that was used before, or a new one.
    async fn session(&self, limit: Duration) -> Result<Session, dial::Refused> {
        while let Some(mut session) = self.idle() {
            // What broke meanwhile has told so, and nothing was sent on it.
            if session.client.is_closed() || session.since.elapsed() > IDLE {
                continue;
            }
            let fresh = session.limit == limit && session.since.elapsed() < FRESH;
            if fresh || dial::bound(&session.client, limit).await.is_ok() {
                session.limit = limit;
                return Ok(session);
            }
        }
        let client = self.dialler.dial(&self.who, limit).await?;
        Ok(Session { client, limit, since: Instant::now() })
    }

    fn idle(&self) -> Option<Session> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep(&self, session: Session) {
        if !session.client.is_closed() {
            let session = Session { since: Instant::now(), ..session };
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        }
    }

    fn failure(&self, trouble: &Trouble, recalled: bool) -> Failure {
        failure(&self.who, self.dialler.place(), trouble, recalled)
    }

    /// The connection broke while the statement was under way.
    fn broke(&self, error: &tokio_postgres::Error) -> Failure {
        let why = dial::cause(error);
        let detail = format!(
            "{} at {}: the connection broke before the answer was complete: {why}",
            self.who,
            self.dialler.place()
        );
        Failure { reached: Reached::MaybeSent, kind: FailureKind::Reset, detail, wait: None }
    }
}

/// The role and its password.
fn credential(connection: &Connection) -> Result<(String, Vec<u8>), String> {
    let secrets = Secrets(&connection.secrets);
    let AuthKind::Basic { user, user_secret, secret } = &connection.auth else {
        return Err(
            "a database is told user and password: its connector needs `basic` under `auth`".to_owned()
        );
    };
    let line = |text: String| text.trim_end_matches(['\n', '\r']).to_owned();
    let user = match (user, user_secret) {
        (Some(user), _) => user.clone(),
        (None, Some(name)) => line(secrets.text(name)?),
        (None, None) => return Err("basic authentication needs `user` or `user_secret`".to_owned()),
    };
    Ok((user, line(secrets.text(secret)?).into_bytes()))
}

#[cfg(test)]
mod tests;
