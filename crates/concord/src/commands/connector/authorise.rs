//! `concord connector authorise`: a person's consent, made a refresh token, which is kept for the hub.

use std::io::BufRead as _;

use runtime::clock::Clock;
use serde_json::json;

use super::attempt::{load_systems, system};
use crate::arguments::ConnectorAuthorise;
use crate::exit::Exit;
use crate::output::{Output, Paint};
use crate::settings::Settings;
use crate::wiring::consent::Consenting;

/// Asks, reads what came back, keeps.
pub(super) fn run(given: &ConnectorAuthorise, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    let dir = given.folder.as_ref().unwrap_or(&settings.dir);
    let configuration = load_systems(dir, output)?;
    let of = system(&configuration, &given.system, dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let consenting = Consenting::open(dir, &configuration, of, Clock::system())?;
    let asked = consenting.ask(&given.redirect)?;
    output.one(&json!({ "open": asked.address }), |_| asked.address.clone());
    output.say(
        "open this address in a browser and give consent; then paste the address that the browser is led to (it need not show \
         a page)",
    );
    let mut pasted = String::new();
    std::io::stdin().lock().read_line(&mut pasted)?;
    let scopes = runtime.block_on(consenting.keep(&asked, &pasted))?;
    let ok = output.paint_talk(Paint::Good, "ok");
    output.say(&format!("{ok}: {} is authorised; the hub's next start uses it", of.system));
    let scopes = of.connector.told(scopes.unwrap_or_default());
    if !scopes.is_empty() {
        output.say(&format!("granted scopes: {}", scopes.join(", ")));
    }
    Ok(Exit::Done)
}
