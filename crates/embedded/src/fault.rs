//! Faults inside the store, and what they become for the caller.

use canonical::Tenant;
use guard::seal::{KeyringError, SealError};
use rusqlite::ErrorCode;
use store::StoreError;

/// What went wrong.
#[derive(Debug)]
pub(crate) enum Fault {
    /// SQLite said so.
    Sqlite(rusqlite::Error),
    /// A stored row can't be read: which, and why.
    Corrupt(String),
    /// The tenant has no keys yet: they are made in their own transaction, then the batch is done again.
    NewTenant(Tenant),
    /// The system gave no entropy.
    Entropy(getrandom::Error),
    /// The commit can't be taken, ever.
    Refused(String),
}

pub(crate) type Outcome<T> = Result<T, Fault>;

/// Extended code of SQLite: the index of the write-ahead log could not grow.
const IOERR_SHMSIZE: i32 = 10 | (19 << 8);

impl Fault {
    /// Corrupt, for a reason that can be shown.
    pub(crate) fn corrupt(row: &str, why: impl std::fmt::Display) -> Self {
        Self::Corrupt(format!("{row}: {why}"))
    }

    /// Whether the disk, or the limit set for the store, is full.
    pub(crate) fn is_full(&self) -> bool {
        let Self::Sqlite(rusqlite::Error::SqliteFailure(error, _)) = self else { return false };
        error.code == ErrorCode::DiskFull || error.extended_code == IOERR_SHMSIZE
    }

    /// Whether only what was asked for is affected, and everything else goes on.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Corrupt(_) | Self::Refused(_) => true,
            Self::Sqlite(rusqlite::Error::SqliteFailure(error, _)) => is_of_content(error.code),
            Self::Sqlite(_) => true,
            Self::NewTenant(_) | Self::Entropy(_) => false,
        }
    }

    /// For a question: nothing was written.
    pub(crate) fn of_read(self) -> StoreError {
        if self.is_full() {
            return StoreError::Full { detail: self.detail() };
        }
        match &self {
            Self::Sqlite(rusqlite::Error::SqliteFailure(error, _)) => match error.code {
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                    StoreError::Corrupt { detail: self.detail() }
                }
                _ => StoreError::Broken { detail: self.detail() },
            },
            Self::Sqlite(_) | Self::Corrupt(_) | Self::NewTenant(_) => {
                StoreError::Corrupt { detail: self.detail() }
            }
            Self::Refused(_) => StoreError::Refused { detail: self.detail() },
            Self::Entropy(_) => StoreError::Broken { detail: self.detail() },
        }
    }

    /// For a commit. What is not local ends the writing for good.
    pub(crate) fn of_write(self) -> StoreError {
        if self.is_full() {
            return StoreError::Full { detail: self.detail() };
        }
        match &self {
            Self::Sqlite(rusqlite::Error::SqliteFailure(error, _)) if is_of_content(error.code) => {
                StoreError::Refused { detail: self.detail() }
            }
            Self::Sqlite(rusqlite::Error::SqliteFailure(..)) | Self::Entropy(_) | Self::NewTenant(_) => {
                StoreError::Broken { detail: self.detail() }
            }
            Self::Refused(_) => StoreError::Refused { detail: self.detail() },
            Self::Sqlite(_) | Self::Corrupt(_) => StoreError::Corrupt { detail: self.detail() },
        }
    }

    /// In words. SQLite's messages hold no values.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::Sqlite(rusqlite::Error::SqliteFailure(error, message)) => {
                let message = message.as_deref().unwrap_or("no further message");
                format!("SQLite error {}: {message}", error.extended_code)
            }
            Self::Sqlite(rusqlite::Error::InvalidColumnType(_, column, found)) => {
                format!("column {column} holds {found}")
            }
            Self::Sqlite(rusqlite::Error::FromSqlConversionFailure(column, _, _)) => {
                format!("column {column} holds something else than it should")
            }
            Self::Sqlite(other) => other.to_string(),
            Self::Corrupt(why) | Self::Refused(why) => why.clone(),
            Self::NewTenant(tenant) => format!("tenant {tenant} has no keys here"),
            Self::Entropy(error) => format!("the system gives no random numbers: {error}"),
        }
    }
}

/// Whether SQLite refused what it was given, and stands as before.
const fn is_of_content(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::TooBig | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch)
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}
impl From<getrandom::Error> for Fault {
    fn from(error: getrandom::Error) -> Self {
        Self::Entropy(error)
    }
}
impl From<KeyringError> for Fault {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::UnknownTenant(tenant) => Self::NewTenant(tenant),
            other @ KeyringError::Unreadable { .. } => Self::Corrupt(other.to_string()),
        }
    }
}
impl From<SealError> for Fault {
    fn from(error: SealError) -> Self {
        Self::Corrupt(error.to_string())
    }
}
