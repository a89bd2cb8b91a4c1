//! Files of an archive: JSON lines, packed with gzip. A file appears under its name when all of it is durable.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use hub::retention::Archive;

/// Writes a file; gives its size. What failed leaves nothing under the file's name.
///
/// # Errors
/// In words: which file, and what the system said.
pub(crate) fn write(base: &Path, archive: &Archive) -> Result<u64, String> {
    let folder = base.join(&archive.folder);
    let part = folder.join(format!(".{}.part", archive.name));
    let written = put(&folder, &part, &folder.join(&archive.name), &archive.lines);
    written.map_err(|error| {
        // Half a file is worth nothing; one that can't be removed is in nobody's way.
        drop(std::fs::remove_file(&part));
        let file = folder.join(&archive.name);
        format!("the archive {} can't be written ({error}): see to its folder and its disk", file.display())
    })
}

fn put(folder: &Path, part: &Path, name: &Path, lines: &[String]) -> io::Result<u64> {
    // Names and ids of objects are not sealed: nobody else looks into a folder that is made here.
    make(folder)?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(part)?;
    let mut packed = GzEncoder::new(BufWriter::new(file), Compression::default());
    for line in lines {
        packed.write_all(line.as_bytes())?;
        packed.write_all(b"\n")?;
    }
    let file = packed.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    let bytes = file.metadata()?.len();
    std::fs::rename(part, name)?;
    File::open(folder)?.sync_all()?;
    Ok(bytes)
}

/// Makes a folder, and those above it that are missing: each is durable in the one above, or a file in it could be gone
/// with it after a crash.
fn make(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().unwrap_or(Path::new("/"));
    make(above)?;
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => File::open(if above.as_os_str().is_empty() { Path::new(".") } else { above })?.sync_all(),
        // Somebody else was faster, or it is no folder: then its file can't be opened.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    //! A file is whole or not there.
    use std::io::Read as _;

    use super::*;

    fn archive(name: &str) -> Archive {
        let lines = vec!["{\"kind\":\"event\"}".to_owned(), "{\"kind\":\"intent\"}".to_owned()];
        Archive { folder: "kept".into(), name: name.to_owned(), lines: lines.into() }
    }

    #[test]
    fn lines_come_back_and_nothing_else_is_left() {
        let base = tempfile::tempdir().expect("a folder");
        let bytes = write(base.path(), &archive("events.jsonl.gz")).expect("written");
        let folder = base.path().join("kept");
        let file = folder.join("events.jsonl.gz");
        assert_eq!(std::fs::metadata(&file).expect("there").len(), bytes);
        let mut text = String::new();
        let packed = File::open(&file).expect("there");
        flate2::read::GzDecoder::new(packed).read_to_string(&mut text).expect("packed");
        assert_eq!(text, archive("").lines.join("\n") + "\n");
        let names = std::fs::read_dir(&folder).expect("a folder").count();
        assert_eq!(names, 1, "no part is left");
    }

    /// Folders above that are missing are made, for nobody else to look into.
    #[test]
    fn folders_above_are_made() {
        use std::os::unix::fs::PermissionsExt as _;
        let base = tempfile::tempdir().expect("a folder");
        let deep = Archive { folder: "a/b/c".into(), ..archive("events.jsonl.gz") };
        write(base.path(), &deep).expect("written");
        for folder in ["a", "a/b", "a/b/c"] {
            let found = std::fs::metadata(base.path().join(folder)).expect("made");
            assert_eq!(found.permissions().mode() & 0o777, 0o700, "{folder}");
        }
    }

    #[test]
    fn what_fails_is_said_and_leaves_nothing() {
        let base = tempfile::tempdir().expect("a folder");
        std::fs::write(base.path().join("kept"), "a file in its place").expect("written");
        let why = write(base.path(), &archive("events.jsonl.gz")).expect_err("no folder");
        assert!(why.contains("events.jsonl.gz"), "{why}");
        assert_eq!(std::fs::read_dir(base.path()).expect("a folder").count(), 1);
    }
}
