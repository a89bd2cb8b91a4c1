//! `concord key`: root keys.

use guard::Secret;

use crate::arguments::Key;
use crate::exit::Exit;
use crate::output::Output;
use crate::place;

/// Makes a key.
pub(crate) fn run(given: &Key, output: &Output) -> anyhow::Result<Exit> {
    let Key::New { file } = given;
    let text = fresh()?;
    if file.exists() {
        return Err(Exit::Conflict.because(format!(
            "{} exists: a key that is in use must not be replaced; name a new file",
            file.display()
        )));
    }
    place::folder_of_secret(file)?;
    place::write_secret(file, &text)?;
    let id = guard::seal::RootKey::parse(&Secret::from(text))?.id();
    output.say(&format!(
        "wrote root key {id} to {}; keep a copy away from the store's backups: without it nothing personal can be read",
        file.display()
    ));
    Ok(Exit::Done)
}

/// A root key of 32 random bytes, in hexadecimal.
pub(crate) fn fresh() -> anyhow::Result<String> {
    Ok(random()?.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// 32 bytes from the operating system.
pub(crate) fn random() -> anyhow::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| {
        anyhow::anyhow!("the operating system gives no randomness ({error}): nothing was made")
    })?;
    Ok(bytes)
}
