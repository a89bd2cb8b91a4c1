//! `concord connector`: what connectors can do, whether their manifests and fixtures hold, and one call to a real
//! system.

mod attempt;
mod authorise;
mod describe;
mod found;
mod new;
mod scopes;
mod several;
mod show;

use std::path::Path;

use config::Problem;
use connector::{CaseReport, Fixtures, Report};
use serde_json::{Value, json};

use crate::arguments::{Connector, ConnectorCheck, ConnectorTest, Form};
use crate::commands::check::{counted, document, tell};
use crate::exit::Exit;
use crate::output::{Column, Output, Paint};
use crate::settings::Settings;
use found::Found;

/// Lists, shows, checks or tests.
pub(crate) fn run(given: Connector, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    match given {
        Connector::List => show::list(&settings.dir, output),
        Connector::Show(given) => show::one(&given, &settings.dir, output),
        Connector::Check(given) => check(&given, &settings.dir, output),
        Connector::New(given) => new::run(&given, &settings.dir, output),
        Connector::Test(given) => test(&given, &settings.dir, output),
        Connector::Try(given) => attempt::run(&given, &settings.dir, output),
        Connector::Authorise(given) => authorise::run(&given, settings, output),
        Connector::Describe(given) => describe::run(&given, settings, output),
    }
}

const CHECKED: [Column; 6] = [
    ("CONNECTOR", "/connector"),
    ("VERSION", "/version"),
    ("OBJECTS", "/objects"),
    ("OPERATIONS", "/operations"),
    ("CASES", "/cases"),
    ("RESULT", "/result"),
];

fn check(given: &ConnectorCheck, dir: &Path, output: &Output) -> anyhow::Result<Exit> {
    let all = match given.names.as_slice() {
        [] => found::of_folder(dir)?,
        names => names.iter().map(|name| found::find(name, dir)).collect::<anyhow::Result<_>>()?,
    };
    if all.is_empty() {
        return Err(Exit::NotFound.because(format!(
            "{} has no connectors of its own: name one, such as `concord connector check hubspot`",
            dir.display()
        )));
    }
    let mut rows = Vec::new();
    let mut problems = Vec::new();
    for found in &all {
        let (row, found_wrong) = checked(found, given.strict);
        rows.push(row);
        problems.extend(found_wrong);
    }
    output.rows(&CHECKED, &rows);
    if output.form() == Form::Table {
        tell(&problems, output);
    }
    match problems.iter().filter(|problem| problem.is_error()).count() {
        0 => {
            let ok = output.paint_talk(Paint::Good, "ok");
            output.say(&format!("{ok}: {}", counted(rows.len(), "connector")));
            Ok(Exit::Done)
        }
        errors => Err(Exit::Failed.because(counted(errors, "error"))),
    }
}

/// One manifest's row, and what is wrong with it.
fn checked(found: &Found, strict: bool) -> (Value, Vec<Problem>) {
    let mut row = json!({ "connector": found.name, "file": found.file, "result": "unusable" });
    let mut problems = Vec::new();
    match found.manifest() {
        Err(errors) => problems.extend(errors),
        Ok(manifest) => {
            if let Ok(outline) = manifest.outline() {
                row["version"] = json!(outline.version());
                row["objects"] = json!(outline.objects().count());
                let operations: usize =
                    outline.objects().map(|object| outline.operations(object).count()).sum();
                row["operations"] = json!(operations);
            }
            problems.extend(found.open_questions(strict));
            match found.fixtures(None) {
                Err(errors) => problems.extend(errors),
                Ok(None) => problems.extend(unshown(found, strict, "there are no fixtures")),
                Ok(Some(fixtures)) => {
                    let report = fixtures.run(&manifest);
                    let wrong = report.as_ref().map_or_else(
                        |errors| found.of_fixtures(errors),
                        |report| {
                            row["cases"] = json!(report.cases.len());
                            let mut wrong = failed(found, report);
                            wrong.extend(
                                report.lacking().into_iter().flat_map(|what| unshown(found, strict, &what)),
                            );
                            wrong
                        },
                    );
                    problems.extend(wrong);
                }
            }
            let errors = problems.iter().any(Problem::is_error);
            row["result"] = json!(if errors { "failed" } else { "ok" });
        }
    }
    row["problems"] = problems.iter().map(document).collect();
    (row, problems)
}

/// What no fixture shows: an error where that is asked for, else a warning.
fn unshown(found: &Found, strict: bool, what: &str) -> Option<Problem> {
    let hint = "add cases with requests and answers as the vendor documents them, or as they were seen";
    let problem = Problem::of_file(&found.fixtures_file(), what, hint);
    Some(if strict { problem } else { problem.warning() })
}

/// The cases that do not hold.
fn failed(found: &Found, report: &Report) -> Vec<Problem> {
    let cases = report.cases.iter().filter(|case| !case.problems.is_empty());
    let told = cases.flat_map(|case| case.problems.iter().map(move |problem| (case, problem)));
    told.map(|(case, problem)| {
        found.in_fixtures((case.line, case.column), &format!("{}: {problem}", case.name))
    })
    .collect()
}

const TESTED: [Column; 6] = [
    ("LINE", "/line"),
    ("KIND", "/kind"),
    ("OPERATION", "/operation"),
    ("ANSWERS", "/answers"),
    ("CASE", "/case"),
    ("RESULT", "/result"),
];

fn test(given: &ConnectorTest, dir: &Path, output: &Output) -> anyhow::Result<Exit> {
    let found = found::find(&given.name, dir)?;
    let refuse = |problems: Vec<Problem>| {
        tell(&problems, output);
        Exit::Failed.because(format!("{} cannot be tested", found.name))
    };
    let manifest = found.manifest().map_err(refuse)?;
    let fixtures: Fixtures = match found.fixtures(given.fixtures.as_deref()) {
        Ok(Some(fixtures)) => fixtures,
        Ok(None) => {
            let file = found.fixtures_file();
            return Err(Exit::NotFound.because(format!("{} has no fixtures: write {file}", found.name)));
        }
        Err(problems) => return Err(refuse(problems)),
    };
    let report = fixtures.run(&manifest).map_err(|errors| refuse(found.of_fixtures(&errors)))?;
    let rows: Vec<Value> = report.cases.iter().map(tested).collect();
    output.rows(&TESTED, &rows);
    let problems = failed(&found, &report);
    if output.form() == Form::Table {
        tell(&problems, output);
    }
    for what in report.lacking() {
        output.warn(&what);
    }
    let broken = report.cases.iter().filter(|case| !case.problems.is_empty()).count();
    if broken > 0 {
        let hold = if broken == 1 { "does not hold" } else { "do not hold" };
        return Err(Exit::Failed.because(format!("{} {hold}", counted(broken, "case"))));
    }
    let answers = report.cases.iter().map(|case| case.answers).sum();
    let ok = output.paint_talk(Paint::Good, "ok");
    output.say(&format!("{ok}: {}, {}", counted(rows.len(), "case"), counted(answers, "answer")));
    Ok(Exit::Done)
}

fn tested(case: &CaseReport) -> Value {
    json!({
        "case": case.name,
        "line": case.line,
        "kind": case.kind.name(),
        "operation": case.operation,
        "answers": case.answers,
        "result": if case.problems.is_empty() { "ok" } else { "failed" },
        "problems": case.problems,
    })
}
