//! References to secrets become secrets: from the environment, or from files.

use std::path::Path;

use config::SecretRef;
use guard::Secret;

use crate::environment;

/// Largest file that holds a secret, in bytes.
const BYTES_MAX: u64 = 64 * 1024;

/// Resolves one reference. The error says why not, never what was found.
pub(crate) fn resolve(dir: &Path, reference: &SecretRef) -> Result<Secret, String> {
    match reference {
        SecretRef::Env(name) => match environment::variable(name) {
            Some(value) => Ok(Secret::from(value)),
            None => Err("it is not set, or empty".to_owned()),
        },
        SecretRef::File(path) => {
            let path = dir.join(path);
            let meta = std::fs::metadata(&path).map_err(|error| error.to_string())?;
            if !meta.is_file() || meta.len() > BYTES_MAX {
                return Err(format!("it is not a plain file of at most {BYTES_MAX} bytes"));
            }
            let mut bytes = std::fs::read(&path).map_err(|error| error.to_string())?;
            // What an editor adds at the end is not part of the secret.
            while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
                bytes.pop();
            }
            Ok(Secret::new(bytes))
        }
    }
}

#[cfg(test)]
mod tests {
    //! Files are read without their line's end; what is missing is said without values.
    use config::SecretRef;

    use super::resolve;

    #[test]
    fn files_are_read_from_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "abc\r\n").unwrap();
        let secret = resolve(folder.path(), &SecretRef::File("token".into())).unwrap();
        assert_eq!(secret.expose(), b"abc");
        let missing = resolve(folder.path(), &SecretRef::File("nothing".into())).unwrap_err();
        assert!(missing.contains("No such file"), "{missing}");
        assert!(resolve(folder.path(), &SecretRef::File(".".into())).unwrap_err().contains("plain file"));
        let unset =
            resolve(folder.path(), &SecretRef::Env("CONCORD_NO_SUCH_VARIABLE".to_owned())).unwrap_err();
        assert!(unset.contains("not set"), "{unset}");
    }
}
