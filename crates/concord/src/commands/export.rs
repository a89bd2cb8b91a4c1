//! `concord export` and `concord import`: records as compressed JSONL, and back as state.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read, Write};
use std::path::Path;

use anyhow::Context as _;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::arguments::{Export, Import};
use crate::exit::Exit;
use crate::operator::{Operator, items};
use crate::output::{Column, Output, raw_data};
use crate::settings::Settings;

/// Lines sent at once: at most so many, and about so many bytes.
const LINES: usize = 100;
const BYTES: usize = 2 << 20;
/// A line is at most so long.
const LINE_BYTES_MAX: u64 = 4 << 20;

const LINES_OF: [Column; 4] =
    [("LINE", "/line"), ("OUTCOME", "/outcome"), ("UNLINKED", "/unlinked"), ("WHY", "/why")];

/// Writes records, a page at a time.
pub(crate) fn export(given: &Export, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    let operator = Operator::of(settings)?;
    let Some(file) = given.to.as_deref().filter(|file| file.as_os_str() != "-") else {
        let count = pages(&operator, given, GzEncoder::new(raw_data(), Compression::default()), output)?.1;
        output.say(&format!("{count} records"));
        return Ok(Exit::Done);
    };
    if file.exists() {
        return Err(Exit::Conflict.because(format!("{} is there: give another name", file.display())));
    }
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let part = Path::new(&part);
    let written = whole(&operator, given, part, output);
    let count = written.inspect_err(|_| drop(fs::remove_file(part)))?;
    fs::rename(part, file).with_context(|| format!("{} cannot be given its name", file.display()))?;
    output.say(&format!("{count} records in {}", file.display()));
    Ok(Exit::Done)
}

fn whole(operator: &Operator, given: &Export, part: &Path, output: &Output) -> anyhow::Result<u64> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let cannot = || format!("{} cannot be written", part.display());
    // It may hold personal values: for its owner only.
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(part);
    let packed = GzEncoder::new(BufWriter::new(file.with_context(cannot)?), Compression::default());
    let (packed, count) = pages(operator, given, packed, output)?;
    let file = packed.into_inner().map_err(io::IntoInnerError::into_error).with_context(cannot)?;
    file.sync_all().with_context(cannot)?;
    Ok(count)
}

fn pages<W: Write>(
    operator: &Operator,
    given: &Export,
    mut packed: GzEncoder<W>,
    output: &Output,
) -> anyhow::Result<(W, u64)> {
    let (mut after, mut count): (Option<String>, u64) = (None, 0);
    loop {
        let filters =
            [("entity", &given.entity), ("from", &given.from), ("until", &given.until), ("after", &after)];
        let mut query: Vec<(&str, String)> =
            filters.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect();
        if given.mask.unmask {
            query.push(("unmask", "true".to_owned()));
        }
        let page = operator.get(&["export"], &query)?;
        after = page.get("next").and_then(Value::as_str).map(str::to_owned);
        for row in items(page) {
            writeln!(packed, "{row}").context("the export cannot be written")?;
            count += 1;
        }
        output.detail(&format!("{count} records so far"));
        if after.is_none() {
            return Ok((packed.finish().context("the export cannot be written")?, count));
        }
    }
}

/// Says the records of an export again.
pub(crate) fn import(given: &Import, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    let operator = Operator::of(settings)?;
    let mut lines = opened(&given.from)?;
    let mut told = Told::default();
    let (mut part, mut bytes, mut number) = (Vec::new(), 0, 0_u64);
    loop {
        let mut line = Vec::new();
        let read = (&mut lines).take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        let read = read.with_context(|| format!("{} cannot be read on", given.from.display()))?;
        if read == 0 {
            break;
        }
        number += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice::<Value>(&line) {
            // So are all lines of that export.
            Ok(value) if value.get("masked") == Some(&Value::Bool(true)) => {
                send(&operator, &given.reason, &mut part, &mut told)?;
                let text = format!(
                    "{}, line {number}: its values are hidden; export again with --unmask (from this line on nothing \
                     was taken in)",
                    given.from.display()
                );
                return Err(Exit::Failed.because(text));
            }
            Ok(value) => {
                bytes += line.len();
                part.push(json!([number, value]));
            }
            Err(error) => told.take(&json!({
                "line": number,
                "outcome": "refused",
                "why": format!("it is no JSON document (column {})", error.column()),
            })),
        }
        if part.len() >= LINES || bytes >= BYTES {
            send(&operator, &given.reason, &mut part, &mut told)?;
            bytes = 0;
            output.detail(&format!("{number} lines so far"));
        }
    }
    send(&operator, &given.reason, &mut part, &mut told)?;
    output.rows(&LINES_OF, &told.shown);
    let said: Vec<String> = told.counts.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    output.say(&if said.is_empty() { "nothing to import".to_owned() } else { said.join(", ") });
    if told.unlinked > 0 {
        let text = "of {} lines some objects are not linked here: their systems say them again";
        output.say(&text.replace("{}", &told.unlinked.to_string()));
    }
    let refused = told.counts.get("refused").copied().unwrap_or(0);
    match refused {
        0 => Ok(Exit::Done),
        all if all == told.counts.values().sum::<u64>() => {
            Err(Exit::Failed.because(format!("all {all} lines were refused; each is named above")))
        }
        some => Err(Exit::Partial.because(format!("{some} lines were refused; each is named above"))),
    }
}

/// What became of the lines.
#[derive(Default)]
struct Told {
    counts: std::collections::BTreeMap<String, u64>,
    unlinked: u64,
    /// Those that a person should look at.
    shown: Vec<Value>,
}

impl Told {
    fn take(&mut self, row: &Value) {
        let outcome = row.get("outcome").and_then(Value::as_str).unwrap_or("refused");
        *self.counts.entry(outcome.to_owned()).or_default() += 1;
        self.unlinked += u64::from(row.get("unlinked").is_some());
        if matches!(outcome, "refused" | "quarantined") {
            self.shown.push(row.clone());
        }
    }
}

fn send(operator: &Operator, reason: &str, part: &mut Vec<Value>, told: &mut Told) -> anyhow::Result<()> {
    if part.is_empty() {
        return Ok(());
    }
    let body = json!({ "reason": reason, "lines": std::mem::take(part) });
    let answer = operator
        .post(&["import"], &body)
        .context("what was sent before is taken in, and running it again repeats nothing of it")?;
    let rows = answer.get("lines").and_then(Value::as_array).cloned().unwrap_or_default();
    rows.iter().for_each(|row| told.take(row));
    Ok(())
}

/// A file, or stdin; packed or plain.
fn opened(from: &Path) -> anyhow::Result<BufReader<Box<dyn Read>>> {
    let raw: Box<dyn Read> = if from.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(from).with_context(|| format!("{} cannot be read", from.display()))?)
    };
    let mut raw = BufReader::new(raw);
    let packed = raw.fill_buf().context("the import cannot be read")?.starts_with(&[0x1f, 0x8b]);
    let plain: Box<dyn Read> = if packed { Box::new(MultiGzDecoder::new(raw)) } else { Box::new(raw) };
    Ok(BufReader::new(plain))
}
