//! The configuration under which a cutover reads what the systems hold already: see `hub::cutover`.

use std::sync::Arc;

use canonical::{Object, System};
use ledger::{Lane, Route};

use crate::configuration::{Configuration, History, Index};
use crate::settings::Backlog;
use crate::words::Period;

impl Configuration {
    /// The same, for reading: of all listings only `listing` is read, nothing waits for deliveries that wait, and what is
    /// raised waits on the bulk lane. Files and digest are those of the folder.
    #[must_use]
    pub fn for_cutover(&self, listing: Option<(&System, &Object)>) -> Self {
        let mut all = self.clone();
        all.settings.intake.backlog = Backlog { age_max: Period::default(), open_max: 0, total_max: 0 };
        for (system, settings) in &mut all.systems {
            let read = listing.filter(|(of, _)| *of == system).map(|(_, object)| object);
            // Its pace is only that of its second look, which nobody waits for.
            let every = |object: &Object| settings.connector.poll(object).map(|spec| spec.every);
            settings.history = History::All;
            settings.poll =
                read.and_then(|object| Some((object.clone(), every(object)?))).into_iter().collect();
        }
        let bulk = |route: &Arc<Route>| Arc::new(Route { lane: Lane::Bulk, ..Route::clone(route) });
        all.routes = self.routes.iter().map(bulk).collect();
        all.index = Index::of(&all.entities, &all.mappings, &all.routes);
        all
    }
}
