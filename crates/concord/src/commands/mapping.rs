//! `concord mapping`: mappings tested and tried, without a hub.

use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use canonical::Fields;
use config::{Files, Trial};
use mapping::{Coverage, suggest};
use serde_json::{Value, json};

use crate::arguments::{Form, Mapping, MappingTest, MappingTry};
use crate::commands::check::{counted, document, tell};
use crate::commands::lineage;
use crate::cost::median_us;
use crate::exit::Exit;
use crate::folders;
use crate::output::{Column, Output, Paint, shown};
use crate::settings::Settings;

/// The folder with a configuration's mappings.
const FOLDER: &str = "mappings";
/// Largest sample, in bytes: that of a message that is taken in.
const SAMPLE_BYTES_MAX: u64 = 1024 * 1024;

/// Tests, tries, or shows.
pub(crate) fn run(given: Mapping, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    match given {
        Mapping::Test(given) => test(&given, settings, output),
        Mapping::Try(given) => attempt(&given, settings, output),
        Mapping::Lineage(given) => lineage::run(&given, settings, output),
    }
}

/// The files of one tenant's folder.
fn files(folder: &Path, output: &Output) -> anyhow::Result<Files> {
    if let folders::Folder::Hub(names) = folders::look(folder)? {
        return Err(Exit::Failed.because(format!(
            "{} is a hub's folder: name a tenant's with --dir, such as --dir {}",
            folder.display(),
            folder.join("tenants").join(names.first().map_or("NAME", String::as_str)).display(),
        )));
    }
    Files::read(folder).map_err(|problems| {
        tell(&problems, output);
        Exit::Failed.because(format!("{} cannot be read", folder.display()))
    })
}

const TESTED: [Column; 7] = [
    ("MAPPING", "/mapping"),
    ("VERSION", "/version"),
    ("EXAMPLES", "/examples"),
    ("TWO-WAY ROWS", "/rows"),
    ("VALUES", "/values"),
    ("REFUSED", "/refused"),
    ("RESULT", "/result"),
];

fn test(given: &MappingTest, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    let folder = &settings.dir;
    let trials = config::trials(&files(folder, output)?);
    let names = trials.mappings.iter().map(|trial| trial.name.as_str());
    let asked = |trial: &&Trial| given.name.as_ref().is_none_or(|name| trial.name == *name);
    let tried: Vec<&Trial> = trials.mappings.iter().filter(asked).collect();
    if let (Some(name), true) = (&given.name, tried.is_empty()) {
        tell(&trials.problems, output);
        let hint = suggest::hint(name, names);
        return Err(Exit::NotFound.because(format!("{} has no mapping `{name}`; {hint}", folder.display())));
    }
    let rows: Vec<Value> = tried.iter().map(|trial| tested(trial)).collect();
    output.rows(&TESTED, &rows);
    let unusable = tried.iter().any(|trial| trial.compiled.is_none());
    // Files that no mapping asked for needs may be as they are.
    let needed = if given.name.is_none() || unusable { trials.problems.as_slice() } else { &[] };
    tell(needed, output);
    let mut failed = needed.len();
    for trial in &tried {
        failed += trial.problems.len();
        if output.form() == Form::Table {
            tell(&trial.problems, output);
        }
    }
    if failed > 0 || unusable {
        return Err(Exit::Failed.because(counted(failed, "failure")));
    }
    let sum = |key: &str| rows.iter().filter_map(|row| row[key].as_u64()).sum::<u64>() as usize;
    output.say(&format!(
        "{}: {}, {}, {} proven on {}",
        output.paint_talk(Paint::Good, "ok"),
        counted(rows.len(), "mapping"),
        counted(sum("examples"), "example"),
        counted(sum("rows"), "two-way row"),
        counted(sum("values"), "value"),
    ));
    Ok(Exit::Done)
}

/// One mapping's row: what was run, and what of it failed.
fn tested(trial: &Trial) -> Value {
    let problems: Vec<Value> = trial.problems.iter().map(document).collect();
    let result = if trial.problems.is_empty() { "ok" } else { "failed" };
    let Some((mapping, _)) = &trial.compiled else {
        return json!({
            "mapping": trial.name, "file": trial.file, "result": "unusable", "problems": problems
        });
    };
    let proofs = mapping.proofs();
    json!({
        "mapping": trial.name,
        "file": trial.file,
        "version": mapping.version(),
        "examples": mapping.examples(),
        "rows": proofs.len(),
        "values": proofs.iter().map(|proof| proof.values).sum::<usize>(),
        "refused": proofs.iter().map(|proof| proof.refused).sum::<usize>(),
        "result": result,
        "problems": problems,
    })
}

fn attempt(given: &MappingTry, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    let trial = one(&given.file, settings, output)?;
    let Some((mapping, _)) = &trial.compiled else {
        tell(&trial.problems, output);
        return Err(Exit::Failed.because(format!("{} cannot be used", given.file.display())));
    };
    // A mapping that is being written may fail its tests: the sample says more.
    for problem in &trial.problems {
        output.warn(&format!("{}:{}:{}: {}", problem.file, problem.line, problem.column, problem.what));
    }
    let sample = sample()?;
    let refused = |error: String| Exit::Failed.because(format!("the sample is refused: {error}"));
    let (result, coverage, us) = if given.out {
        let links = |_: &canonical::Entity, _: &canonical::Object, _: &canonical::RecordId| None;
        let projection = mapping.project(&sample, &links).map_err(|error| refused(error.to_string()))?;
        let coverage = mapping.coverage_out(&sample, &projection);
        (json!(projection), coverage, median_us(|| mapping.project(&sample, &links)))
    } else {
        let patch = mapping.normalise(&sample).map_err(|error| refused(error.to_string()))?;
        let coverage = mapping.coverage_in(&sample, &patch);
        (json!(patch), coverage, median_us(|| mapping.normalise(&sample)))
    };
    let warnings = warnings(&coverage, &result, given.out);
    let cost = json!({ "rows": coverage.rows, "cpu_us": (us * 100.0).round() / 100.0 });
    let whole = json!({ "result": result, "warnings": warnings, "cost": cost });
    output.one(&whole, |_| serde_json::to_string_pretty(&result).unwrap_or_else(|_| result.to_string()));
    if output.form() == Form::Table {
        for warning in &warnings {
            output.warn(&format!("{}: {}", shown(&warning["what"]), shown(&warning["at"])));
        }
        output.say(&format!("{}, {} µs of CPU time", counted(coverage.rows, "row"), shown(&cost["cpu_us"])));
    }
    Ok(Exit::Done)
}

/// Compiles one file with the entities and tables of its folder.
fn one(file: &Path, settings: &Settings, output: &Output) -> anyhow::Result<Trial> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("the file {} cannot be read", file.display()))?;
    let parent = file.parent().filter(|parent| parent.file_name().is_some_and(|name| name == FOLDER));
    let folder = parent.and_then(Path::parent).map(|folder| match folder.as_os_str() {
        name if name.is_empty() => Path::new("."),
        _ => folder,
    });
    let mut files = files(folder.unwrap_or(&settings.dir), output)?;
    let others: Vec<String> = files.iter().map(|(path, _)| path.to_owned()).collect();
    for other in others.iter().filter(|path| path.starts_with("mappings/")) {
        files.remove(other);
    }
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    files.put(&format!("{FOLDER}/{name}"), text);
    let trials = config::trials(&files);
    let trial = trials.mappings.into_iter().next();
    if trial.as_ref().is_none_or(|trial| trial.compiled.is_none()) {
        tell(&trials.problems, output);
    }
    trial.ok_or_else(|| Exit::Failed.because(format!("{} cannot be used", file.display())))
}

/// The sample on stdin.
pub(crate) fn sample() -> anyhow::Result<Fields> {
    let mut text = String::new();
    std::io::stdin().take(SAMPLE_BYTES_MAX + 1).read_to_string(&mut text).context("stdin cannot be read")?;
    if text.len() as u64 > SAMPLE_BYTES_MAX {
        return Err(Exit::Usage.because(format!("the sample is larger than {SAMPLE_BYTES_MAX} bytes")));
    }
    match serde_json::from_str(&text) {
        Ok(Value::Object(sample)) => Ok(sample),
        Ok(_) => Err(Exit::Usage.because("the sample on stdin is JSON, but no object: give one object")),
        Err(error) => {
            // The place only: the rest of the message may hold what the sample holds.
            let place = format!("line {}, column {}", error.line(), error.column());
            Err(Exit::Usage.because(format!("the sample on stdin is not JSON ({place}): give one object")))
        }
    }
}

/// What a person should look at: each with what it is, and where.
fn warnings(coverage: &Coverage, result: &Value, out: bool) -> Vec<Value> {
    let (holds, lacks, silent) = if out {
        ("nobody writes these fields", "the sample lacks these fields", "nothing is written to")
    } else {
        ("nobody reads these paths", "the sample lacks these paths", "nothing is said of these fields")
    };
    let extensions = result["extensions"].as_object().into_iter().flat_map(|kept| kept.keys().cloned());
    let links = result["missing"].as_array().into_iter().flatten();
    let links = links.filter_map(|link| link["field"].as_str().map(str::to_owned));
    let all: [(&str, Vec<String>); 5] = [
        (holds, coverage.unused.clone()),
        (lacks, coverage.missing.clone()),
        (silent, coverage.silent.clone()),
        ("kept as extensions, which have no field", extensions.collect()),
        ("these references have no link here", links.collect()),
    ];
    let found = all.into_iter().filter(|(_, at)| !at.is_empty());
    found.map(|(what, at)| json!({ "what": what, "at": at })).collect()
}
