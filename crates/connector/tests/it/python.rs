//! Installs the SDKs that vendors publish for Python, once per list of them, and runs a script with them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/python");
const NEEDED: &str = "this test drives the vendor's own SDK: install Python 3.10 or newer with venv \
                      (Debian: apt-get install python3 python3-venv), and let pip reach its registry once";

static INSTALLED: OnceLock<PathBuf> = OnceLock::new();

/// Runs `script` with a file, and returns the JSON on its last line of output.
pub(crate) fn run(script: &str, file: &Path) -> Value {
    let packages = INSTALLED.get_or_init(install);
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = finish(command.arg(Path::new(SCRIPTS).join(script)).arg(file));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    serde_json::from_str(said.lines().last().unwrap_or_default())
        .unwrap_or_else(|error| panic!("{script} did not end with JSON ({error}):\n{said}"))
}

/// `pip install` beside the build's own output, of exactly what is listed, each by its hash; skipped when the same list was
/// installed before.
fn install() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .with_file_name("python")
        .join(concat!(env!("CARGO_PKG_NAME"), "-sdk"));
    let listed = Path::new(SCRIPTS).join("requirements.txt");
    let (list, done) = (fs::read_to_string(&listed).unwrap(), folder.join("installed.txt"));
    let packages = folder.join("packages");
    fs::create_dir_all(&folder).unwrap();
    // Each test may be a process of its own: one installs, the others wait for it.
    let turn = fs::File::create(folder.with_extension("turn")).unwrap();
    turn.lock().unwrap();
    if fs::read_to_string(&done).is_ok_and(|known| known == list) {
        return packages;
    }
    if packages.exists() {
        fs::remove_dir_all(&packages).unwrap();
    }
    // Debian has pip in environments, and else in a package of its own.
    finish(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder.join("venv")));
    let pip = [
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        "--no-deps",
        "--require-hashes",
        "--only-binary=:all:",
        "--platform=any",
    ];
    let mut command = Command::new(folder.join("venv/bin/python"));
    finish(command.args(pip).arg("--target").arg(&packages).arg("-r").arg(&listed));
    fs::write(done, list).unwrap();
    packages
}

fn finish(command: &mut Command) -> Output {
    let output =
        command.output().unwrap_or_else(|error| panic!("python3 can't be started: {error}; {NEEDED}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?} failed ({}):\n{}\n{}\n{NEEDED}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    output
}
