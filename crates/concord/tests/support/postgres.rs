//! A PostgreSQL server of a test's own: the Debian package's binaries, a fresh folder, a free port. It refuses to be root's,
//! so as root it runs as the user `postgres`.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::free_port;

/// The administrator's password.
const PASSWORD: &str = "of-a-test";

/// A running server; ended and removed with it.
pub(crate) struct Postgres {
    dir: tempfile::TempDir,
    bin: PathBuf,
    /// The user and group that it runs as, where we are root.
    other: Option<(u32, u32)>,
    options: Vec<String>,
    server: Option<Child>,
    pub(crate) port: u16,
}

impl Postgres {
    /// Starts one with these settings, such as `max_connections=20`.
    pub(crate) fn start(settings: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let other = (numbers("-u", None) == Some(0)).then(|| {
            let number = |flag| numbers(flag, Some("postgres")).unwrap();
            (number("-u"), number("-g"))
        });
        let port = free_port();
        let mut options = vec![
            format!("port={port}"),
            "listen_addresses=127.0.0.1".to_owned(),
            format!("unix_socket_directories={}", dir.path().display()),
            "fsync=off".to_owned(),
        ];
        options.extend(settings.iter().map(|setting| (*setting).to_owned()));
        let mut postgres = Self { bin: binaries(), dir, other, options, server: None, port };
        postgres.own(postgres.dir.path());
        postgres.put("password", PASSWORD);
        let made = postgres
            .command("initdb")
            .args(["--auth=scram-sha-256", "--username=admin", "--encoding=UTF8", "--locale=C", "--no-sync"])
            .arg(format!("--pwfile={}", postgres.path("password").display()))
            .arg(format!("--pgdata={}", postgres.path("data").display()))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        postgres.up();
        postgres
    }

    /// A file of the server's own, readable by nobody else.
    pub(crate) fn put(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        self.own(&path);
        path
    }

    /// Begins to serve.
    pub(crate) fn up(&mut self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.path("data"));
        for option in &self.options {
            command.arg("-c").arg(option);
        }
        let server = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        self.server = Some(server);
        for _ in 0..400 {
            if self.ask("postgres", "SELECT 1").is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("PostgreSQL does not start:\n{}", fs::read_to_string(self.path("log")).unwrap_or_default());
    }

    /// Ends at once, as after a crash: nothing is finished, clients hear nothing good.
    pub(crate) fn crash(&mut self) {
        let stopped = self
            .command("pg_ctl")
            .args(["stop", "--mode=immediate", "--wait", "--silent"])
            .arg(format!("--pgdata={}", self.path("data").display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(stopped.unwrap().success(), "PostgreSQL does not stop");
        if let Some(mut server) = self.server.take() {
            server.wait().unwrap();
        }
    }

    /// What the administrator is answered: rows as lines, columns with `|` between them.
    pub(crate) fn sql(&self, database: &str, statement: &str) -> String {
        self.ask(database, statement).unwrap_or_else(|said| panic!("{statement}\n{said}"))
    }

    /// The same where it may fail.
    pub(crate) fn ask(&self, database: &str, statement: &str) -> Result<String, String> {
        let output = self.psql(database).arg("-c").arg(statement).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// `psql` as the administrator, to be given statements.
    pub(crate) fn psql(&self, database: &str) -> Command {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.env("PGPASSWORD", PASSWORD)
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "admin"])
            .args(["-p", &self.port.to_string(), "-d", database]);
        psql
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn own(&self, path: &Path) {
        if let Some((user, group)) = self.other {
            chown(path, Some(user), Some(group)).unwrap();
        }
    }

    fn command(&self, program: &str) -> Command {
        let program = self.bin.join(program);
        let mut command = match self.other {
            None => Command::new(program),
            Some((user, group)) => {
                let mut command = Command::new("setpriv");
                command
                    .arg(format!("--reuid={user}"))
                    .arg(format!("--regid={group}"))
                    .arg("--clear-groups")
                    .arg(program);
                command
            }
        };
        command.current_dir("/");
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.server.is_some() && !std::thread::panicking() {
            self.crash();
        } else if let Some(server) = &mut self.server {
            drop(server.kill());
            drop(server.wait());
        }
    }
}

/// What `id` says.
fn numbers(flag: &str, user: Option<&str>) -> Option<u32> {
    let output = Command::new("id").arg(flag).args(user).output().ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

/// The newest version that is installed.
fn binaries() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|version| version.path().join("bin")).filter(|bin| bin.join("initdb").exists());
    let Some(bin) = found.max() else {
        panic!("PostgreSQL is missing: install the Debian package postgresql (./test does)")
    };
    bin
}
