//! Installs the SDKs with npm into the target folder, once per lock file, and runs a script with them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/npm");
const NEEDED: &str = "this test drives the vendor's own SDK: install Node.js 18 or newer with npm \
                      (Debian: apt-get install nodejs npm), and let npm reach its registry once";

static INSTALLED: OnceLock<PathBuf> = OnceLock::new();

/// Runs `script` with what it is told, such as the sandbox's URL, and returns the JSON on its last line of output.
pub(crate) fn run(script: &str, told: &str) -> Value {
    let packages = INSTALLED.get_or_init(install);
    let output =
        finish(Command::new("node").arg(Path::new(SCRIPTS).join(script)).arg(packages).arg(told), "node");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = said.lines().last().unwrap_or_default();
    serde_json::from_str(last)
        .unwrap_or_else(|error| panic!("{script} did not end with JSON ({error}):\n{said}"))
}

/// `npm ci` beside the build's own output, skipped when the same lock was installed before.
fn install() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .with_file_name("npm")
        .join(concat!(env!("CARGO_PKG_NAME"), "-sdk"));
    let lock = fs::read_to_string(Path::new(SCRIPTS).join("package-lock.json")).unwrap();
    let done = folder.join("installed.lock");
    fs::create_dir_all(&folder).unwrap();
    // Each test may be a process of its own: one installs, the others wait for it.
    let turn = fs::File::create(folder.with_extension("turn")).unwrap();
    turn.lock().unwrap();
    if fs::read_to_string(&done).is_ok_and(|known| known == lock) {
        return folder;
    }
    for name in ["package.json", "package-lock.json"] {
        fs::copy(Path::new(SCRIPTS).join(name), folder.join(name)).unwrap();
    }
    finish(
        Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder),
        "npm",
    );
    fs::write(done, lock).unwrap();
    folder
}

fn finish(command: &mut Command, program: &str) -> Output {
    let output =
        command.output().unwrap_or_else(|error| panic!("{program} can't be started: {error}; {NEEDED}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{program} failed ({}):\n{}\n{}\n{NEEDED}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    output
}
