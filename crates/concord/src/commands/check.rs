//! `concord check`: everything that is wrong with a folder, or with all those of a hub, said at once, with places and hints.

use std::path::Path;

use config::{Checked, Configuration, Files, Problem};
use serde_json::{Value, json};

use crate::arguments::{Folder, Form};
use crate::exit::Exit;
use crate::folders::{self, Tenants};
use crate::output::{Output, Paint};
use crate::settings::Settings;

/// Checks a folder.
pub(crate) fn run(given: &Folder, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    let folder = given.folder.as_ref().unwrap_or(&settings.dir);
    let (problems, checked) = match folders::look(folder)? {
        folders::Folder::Tenant => {
            match Files::read(folder).and_then(|files| Ok((config::load(&files)?, files))) {
                Ok((Checked { configuration, warnings }, files)) => {
                    let stored = against_store(folder, &configuration, &files);
                    (warnings.into_iter().chain(stored).collect(), vec![(None, configuration)])
                }
                Err(problems) => (problems, Vec::new()),
            }
        }
        folders::Folder::Hub(names) => {
            let Tenants { loaded, problems, clashes, .. } = folders::load(folder, &names);
            let stored = loaded.iter().flat_map(|one| {
                let stored = against_store(&one.dir, &one.configuration, one.files()).into_iter();
                stored.map(|problem| folders::under(problem, &one.name))
            });
            let problems = problems.into_iter().chain(clashes).chain(stored).collect();
            let checked = loaded.into_iter().map(|one| (Some(one.name), one.configuration)).collect();
            (problems, checked)
        }
    };
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    let warnings = problems.len() - errors;
    if output.form() == Form::Table {
        tell(&problems, output);
    } else {
        let rows: Vec<Value> = problems.iter().map(document).collect();
        output.rows(&[], &rows);
    }
    if errors > 0 {
        let folder = folder.display();
        return Err(Exit::Failed.because(format!("{folder} cannot be used: {}", counted(errors, "error"))));
    }
    let good = output.paint_talk(Paint::Good, "ok");
    let doubts = if warnings > 0 { format!("; {}", counted(warnings, "warning")) } else { String::new() };
    for (tenant, configuration) in &checked {
        let whose = tenant.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
        output.say(&format!(
            "{good}: {whose}{}, {}, {}, {}{doubts}",
            counted(configuration.systems.len(), "system"),
            counted(configuration.entities.len(), "entity"),
            counted(configuration.mappings.len(), "mapping"),
            counted(configuration.routes.len(), "route"),
        ));
    }
    Ok(if given.detailed_exit_code && warnings > 0 { Exit::Differences } else { Exit::Done })
}

/// Refuses a folder that is not what was applied to its store under the same versions.
pub(crate) fn refuse_other(dir: &Path, configuration: &Configuration, output: &Output) -> anyhow::Result<()> {
    // Only for the places: what counts is what was checked.
    let files = Files::read(dir).unwrap_or_default();
    let problems = against_store(dir, configuration, &files);
    tell(&problems, output);
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    if errors == 0 {
        return Ok(());
    }
    Err(Exit::Failed.because(format!("{} cannot be used: {}", dir.display(), counted(errors, "error"))))
}

/// What in the folder is not what was applied, as far as the folder has a store. It is read beside a hub that runs on it.
fn against_store(dir: &Path, configuration: &Configuration, files: &Files) -> Vec<Problem> {
    let store = dir.join(&configuration.settings.store.folder);
    match embedded::applied_versions(&store, &configuration.tenant) {
        Ok(applied) => {
            let applied: Vec<_> = applied.into_iter().filter_map(hub::versions::known).collect();
            let mut problems = config::against(configuration, files, &applied);
            problems.extend(config::unkept(configuration, files, &applied));
            problems
        }
        Err(why) => {
            let what = format!(
                "the store could not be read ({why}): whether versions are what was applied is not known"
            );
            let hint = "ask the hub that runs on it: concord plan";
            vec![Problem::of_file("", what, hint).warning()]
        }
    }
}

/// Shows problems like a compiler's messages, on stderr.
pub(crate) fn tell(problems: &[Problem], output: &Output) {
    for problem in problems {
        let text = problem.to_string();
        let (word, paint) =
            if problem.is_error() { ("error", Paint::Bad) } else { ("warning", Paint::Doubt) };
        let painted = text.replacen(&format!("{word}:"), &format!("{}:", output.paint_talk(paint, word)), 1);
        output.always(&painted);
        output.always("");
    }
}

/// A problem as data.
pub(crate) fn document(problem: &Problem) -> Value {
    json!({
        "file": problem.file,
        "line": Some(problem.line).filter(|line| *line > 0),
        "column": Some(problem.column).filter(|column| *column > 0),
        "severity": if problem.is_error() { "error" } else { "warning" },
        "what": problem.what,
        "hint": problem.hint,
    })
}

/// A number of things, as people write it.
pub(crate) fn counted(count: usize, word: &str) -> String {
    let plural = match (count, word.strip_suffix('y')) {
        (1, _) => word.to_owned(),
        (_, Some(stem)) => format!("{stem}ies"),
        (_, None) => format!("{word}s"),
    };
    format!("{count} {plural}")
}

#[cfg(test)]
mod tests {
    //! Counts read well.
    #[test]
    fn counts_read_well() {
        assert_eq!(super::counted(1, "entity"), "1 entity");
        assert_eq!(super::counted(2, "entity"), "2 entities");
        assert_eq!(super::counted(0, "error"), "0 errors");
    }
}
