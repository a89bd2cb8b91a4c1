//! The stage: three running sandboxes, and the people who work in them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use sandbox::shelf::Values;
use sandbox::{Books, Edit, Fault, Handle, Kind as Plays, Limits, Options, Sandbox, WebhookTarget};

use super::business::{Change, Deed, Screen};
use super::diary::{Key, Place};
use super::folder::Credentials;
use super::timeline::{self, Read};
use super::views::{self, AUDIENCE, View};
use crate::commands::sandbox::properties;

/// What plays each system.
const CAST: [(Place, Plays); 3] =
    [(Place::Crm, Plays::HubSpot), (Place::Erp, Plays::NetSuite), (Place::Marketing, Plays::Mailchimp)];

/// The sandboxes, and what people see in their screens.
pub(crate) struct Stage {
    pub(crate) sandboxes: BTreeMap<Place, Handle>,
    pub(crate) views: Vec<View>,
    screen: Screen,
}

impl Stage {
    /// Starts the sandboxes on free ports.
    pub(crate) async fn start(seed: u64, with: &Credentials) -> anyhow::Result<Self> {
        let mut sandboxes = BTreeMap::new();
        for (place, plays) in CAST {
            sandboxes.insert(place, Sandbox::start(plays, options(plays, seed, with)).await?);
        }
        Ok(Self { sandboxes, views: views::all(), screen: Screen::new() })
    }

    /// A running sandbox.
    pub(crate) fn sandbox(&self, place: Place) -> anyhow::Result<&Handle> {
        self.sandboxes.get(&place).with_context(|| format!("the {} sandbox does not run", place.name()))
    }

    /// Sends webhooks to the hub at `public_url` from now on.
    pub(crate) fn connect(&self, public_url: &str, with: &Credentials, now_ms: u64) -> anyhow::Result<()> {
        let target = |url: String, secret: &str| {
            Some(WebhookTarget { url, secret: secret.to_owned(), events: Vec::new() })
        };
        let crm = ingress::webhook_address(public_url, "crm", None);
        let marketing = ingress::webhook_address(public_url, "marketing", Some(&with.marketing_address));
        self.sandbox(Place::Crm)?.lock().set_webhook(target(crm, &with.crm_signing), now_ms);
        self.sandbox(Place::Marketing)?.lock().set_webhook(target(marketing, ""), now_ms);
        Ok(())
    }

    /// Puts a fault in force.
    pub(crate) fn fault(&self, place: Place, fault: Fault) {
        if let Some(sandbox) = self.sandboxes.get(&place) {
            sandbox.lock().add_fault(fault);
        }
    }

    /// Ends all faults.
    pub(crate) fn heal(&self) {
        self.sandboxes.values().for_each(|sandbox| sandbox.lock().clear_faults());
    }

    /// What people see: as fresh as the last look.
    pub(crate) fn screen(&self) -> &Screen {
        &self.screen
    }

    /// Looks at all screens.
    pub(crate) fn look(&mut self) {
        let mut screen = Screen::new();
        for (place, sandbox) in &self.sandboxes {
            let books = sandbox.lock().books_without_history();
            for view in self.views.iter().filter(|view| view.place == *place) {
                for object in books.objects.get(view.object).into_iter().flat_map(BTreeMap::values) {
                    let id = timeline::look(&object.values, view.id, Read::Text);
                    if let Some(id) = id.filter(|_| object.archived_ms.is_none()) {
                        screen.insert((*place, Key::new(view.kind, id)), object.id.clone());
                    }
                }
            }
        }
        self.screen = screen;
    }

    /// Somebody does it. The error is the system's own refusal.
    pub(crate) fn perform(&mut self, deed: &Deed) -> anyhow::Result<()> {
        let Deed { place, key, creates, changes, .. } = deed;
        let view = views::of(&self.views, key.kind, *place)
            .with_context(|| format!("{} has no {}", place.name(), key.kind.name()))?;
        let mut values = Values::new();
        if *creates {
            views::put_id(view, &key.id, &mut values);
        }
        for change in changes {
            let id = match change {
                Change::Refer(_, to) => self.screen.get(&(*place, to.clone())).map(String::as_str),
                Change::Set(..) => None,
            };
            view.typed(change.field(), change.value(), id, &mut values);
        }
        let object_type = view.object.to_owned();
        let at = (*place, key.clone());
        let edit = if *creates {
            Edit::Create { object_type, values }
        } else {
            let id =
                self.screen.get(&at).cloned().with_context(|| format!("nobody sees {} there", key.id))?;
            Edit::Update { object_type, id, values }
        };
        let id = self.sandbox(*place)?.person(edit)?;
        self.screen.insert(at, id);
        Ok(())
    }

    /// All books.
    pub(crate) fn books(&self) -> BTreeMap<Place, Books> {
        self.sandboxes.iter().map(|(place, sandbox)| (*place, sandbox.lock().books())).collect()
    }

    /// Writes all books and the business's diary into a folder, for whoever looks into a broken proof.
    pub(crate) fn keep_books(&self, dir: &Path, diary: &str) -> anyhow::Result<()> {
        fs::create_dir_all(dir)?;
        fs::write(dir.join("diary.txt"), diary)?;
        for (place, books) in self.books() {
            fs::write(dir.join(format!("{}.json", place.name())), serde_json::to_vec_pretty(&books)?)?;
        }
        Ok(())
    }

    /// Ends the sandboxes.
    pub(crate) async fn stop(self) {
        for sandbox in self.sandboxes.into_values() {
            sandbox.stop().await;
        }
    }
}

fn options(plays: Plays, seed: u64, with: &Credentials) -> Options {
    let base = properties(plays, Options { seed, ..Options::of(plays) });
    match plays {
        Plays::HubSpot => Options {
            credential: with.crm_token.clone(),
            // The vendor's pace would make the demonstration one about rate limits alone.
            limits: Limits { burst: 4_000, ..Limits::of(plays) },
            ..base
        },
        Plays::NetSuite => Options { credential: with.erp_client.clone(), ..base },
        Plays::Mailchimp => {
            Options { credential: with.marketing_key.clone(), lists: vec![AUDIENCE.to_owned()], ..base }
        }
        Plays::Salesforce | Plays::Sink => base,
    }
}
