//! `concord connector new`: a first manifest out of an OpenAPI document.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use connector::{Manifest, Scaffold};
use serde_json::{Value, json};

use super::found;
use crate::arguments::{ConnectorNew, Form};
use crate::commands::check::counted;
use crate::exit::Exit;
use crate::output::{Column, Output};

/// Most bytes of a document; what makes a manifest of it refuses less.
const BYTES_MAX: u64 = 33 << 20;

const MADE: [Column; 2] = [("OBJECT", "/object"), ("OPERATIONS", "/operations")];

/// Makes both files.
pub(super) fn run(given: &ConnectorNew, dir: &Path, output: &Output) -> anyhow::Result<Exit> {
    let text = read(&given.document)?;
    let name = given.name.as_deref();
    if let Some(name) = name.filter(|name| !is_name(name)) {
        return Err(Exit::Usage.because(format!(
            "`{name}` is no name for a connector: small letters, digits and `-`, beginning with a letter"
        )));
    }
    let made = connector::scaffold(&text, name, &given.objects)
        .map_err(|error| Exit::Failed.because(format!("{}: {error}", given.document.display())))?;
    if Manifest::builtin(&made.name).is_some() {
        output.warn(&format!(
            "a connector `{}` comes with Concord: see `concord connector show {0}`",
            made.name
        ));
    }
    let folder = dir.join("connectors");
    let manifest = folder.join(format!("{}.yaml", made.name));
    let fixtures = folder.join("fixtures").join(format!("{}.yaml", made.name));
    for path in [&manifest, &fixtures] {
        if path.exists() {
            let what =
                format!("{} is there already, and nothing is replaced: give another --name", path.display());
            return Err(Exit::Conflict.because(what));
        }
    }
    write(&fixtures, &made.fixtures)?;
    write(&manifest, &made.manifest)?;
    tell(&made, &manifest, &fixtures, output);
    Ok(Exit::Done)
}

fn is_name(name: &str) -> bool {
    name.starts_with(|one: char| one.is_ascii_lowercase())
        && name.chars().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-')
}

fn read(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let from = path.display();
    if path == Path::new("-") {
        std::io::stdin().take(BYTES_MAX).read_to_string(&mut text).context("stdin cannot be read")?;
    } else {
        let file = fs::File::open(path).with_context(|| format!("the file {from} cannot be read"))?;
        file.take(BYTES_MAX)
            .read_to_string(&mut text)
            .with_context(|| format!("the file {from} cannot be read"))?;
    }
    Ok(text)
}

fn write(path: &PathBuf, text: &str) -> anyhow::Result<()> {
    let what = || format!("{} cannot be written", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(what)?;
    }
    let mut file = fs::File::create_new(path).with_context(what)?;
    file.write_all(text.as_bytes()).with_context(what)
}

fn tell(made: &Scaffold, manifest: &Path, fixtures: &Path, output: &Output) {
    let rows: Vec<Value> = made
        .objects
        .iter()
        .map(|(object, operations)| json!({ "object": object, "operations": operations.join(", ") }))
        .collect();
    let questions = made.manifest.matches(found::OPEN).count();
    if output.form() == Form::Table {
        output.rows(&MADE, &rows);
    } else {
        let sheet = json!({
            "connector": made.name, "manifest": manifest, "fixtures": fixtures, "base_url": made.base_url,
            "objects": rows, "left_out": made.left_out, "questions": questions,
        });
        output.one(&sheet, |_| String::new());
    }
    output.say(&format!("wrote {} and {}", manifest.display(), fixtures.display()));
    if !made.left_out.is_empty() {
        let some: Vec<&str> = made.left_out.iter().take(5).map(String::as_str).collect();
        let more = made.left_out.len().saturating_sub(some.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        output.say(&format!("nothing was made of {}{more}", some.join(", ")));
    }
    output.say(&format!(
        "next: answer {} marked OPEN in the manifest; `concord connector check {}`; `concord connector show {}`",
        counted(questions, "question"),
        manifest.display(),
        manifest.display()
    ));
}
