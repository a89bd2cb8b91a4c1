//! What people do to customers: accounts, contacts, leads, consent; and what they do in the wrong place.

use super::{Business, Change, Deed, Mood, Screen};
use crate::demo::diary::{Key, Kind, Place, Policy, owner};

const FIRST: [&str; 12] =
    ["Ada", "Bo", "Carla", "Deniz", "Emil", "Fatou", "Grete", "Hiro", "Ines", "Jonas", "Kaya", "Léa"];
const LAST: [&str; 12] = [
    "Adler",
    "Björk",
    "Castro",
    "Dubois",
    "Eriksen",
    "Ferrari",
    "Gómez",
    "Huber",
    "Ito",
    "Jansen",
    "Kowalska",
    "Lindqvist",
];
const FIRMS: [&str; 10] = [
    "Nordwind",
    "Blaupause",
    "Kessel & Sohn",
    "Océan",
    "Quartz",
    "Riverside",
    "Sankt Jürgen",
    "Tallow",
    "Ümit",
    "Weir",
];
const TITLES: [&str; 6] = ["Head of Finance", "Buyer", "CTO", "Office Manager", "Controller", "Founder"];
const REGIONS: [&str; 4] = ["dach", "emea", "amer", "apac"];

/// How often somebody does which thing.
const WEIGHTS: [(u32, Draw); 19] = [
    (9, Business::new_account),
    (3, Business::account_by_finance),
    (4, Business::signs_up),
    (6, Business::new_lead),
    (5, Business::lead_moves),
    (12, Business::contact_changes),
    (8, Business::account_changes),
    (6, Business::credit_changes),
    (6, Business::plan_changes),
    (6, Business::consent_changes),
    (10, Business::edits_in_the_wrong_place),
    (6, Business::new_opportunity),
    (9, Business::opportunity_moves),
    (7, Business::new_order),
    (5, Business::order_moves),
    (8, Business::new_invoice),
    (9, Business::invoice_moves),
    (7, Business::subscription),
    (2, Business::product),
];

type Draw = fn(&mut Business, &Screen) -> Vec<Deed>;

/// Edits in the wrong place: what, where, which field, what must become of it, and values to choose from.
const WRONG: [(Kind, Place, &str, Policy, &[&str]); 9] = [
    (Kind::Account, Place::Erp, "sales_region", Policy::Revert, &REGIONS),
    (Kind::Account, Place::Crm, "credit_hold", Policy::Revert, &["true", "false"]),
    (Kind::Contact, Place::Crm, "consent", Policy::Revert, &["granted", "withdrawn"]),
    (Kind::Subscription, Place::Crm, "plan", Policy::Revert, &["free", "unlimited"]),
    (Kind::Invoice, Place::Crm, "payment_state", Policy::Revert, &["paid"]),
    (Kind::Product, Place::Crm, "price", Policy::Revert, &["0.99", "1.99"]),
    (Kind::Account, Place::Erp, "phone", Policy::Reject, &["+1 555 0100", "+1 555 0111"]),
    (Kind::Contact, Place::Marketing, "last_name", Policy::Revert, &["Nobody", "Unknown"]),
    (Kind::Account, Place::Crm, "payment_state", Policy::Reject, &["current", "overdue"]),
];

/// Most edits of one field in the wrong place: beyond some more the hub would rightly freeze it.
const WRONG_MAX: u32 = 2;

pub(super) fn set(field: &'static str, value: impl Into<String>) -> Change {
    Change::Set(field, value.into())
}

pub(super) fn create(place: Place, key: Key, changes: Vec<Change>) -> Deed {
    Deed { place, key, creates: true, changes, stray: None, tells: None }
}

pub(super) fn update(place: Place, key: Key, changes: Vec<Change>) -> Deed {
    Deed { place, key, creates: false, changes, stray: None, tells: None }
}

impl Business {
    /// Somebody has an idea; what belongs to it comes along. Empty when nothing is there to do it with.
    pub(super) fn draw(&mut self, screen: &Screen, mood: Mood) -> Vec<Deed> {
        let weights = WEIGHTS.map(|(weight, _)| weight);
        let drawn = WEIGHTS[self.dice.weighted(&weights)].1;
        let deeds = drawn(self, screen);
        let unwanted = |deed: &Deed| deed.creates || deed.stray.is_some();
        if mood.winding_down && deeds.iter().any(unwanted) { Vec::new() } else { deeds }
    }

    fn pick(&mut self, of: &[&'static str]) -> &'static str {
        self.dice.one(of).copied().unwrap_or_default()
    }

    fn person(&mut self) -> (&'static str, &'static str) {
        (self.pick(&FIRST), self.pick(&LAST))
    }

    fn phone(&mut self, key: &Key) -> Change {
        let number = self.count(key, "phone");
        let line = self.dice.below(900) + 100;
        set("phone", format!("+49 30 {line} {number:04}"))
    }

    /// Sales wins a customer: an account with a contact.
    fn new_account(&mut self, _screen: &Screen) -> Vec<Deed> {
        let account = self.fresh(Kind::Account);
        let changes = vec![
            set("name", format!("{} {}", self.pick(&FIRMS), account.id)),
            set("domain", format!("{}.example", account.id.to_lowercase())),
            set("lifecycle", "prospect"),
            set("sales_region", self.pick(&REGIONS)),
            self.phone(&account),
        ];
        let contact = self.fresh(Kind::Contact);
        let people = self.contact_of(contact, &account);
        vec![create(Place::Crm, account, changes), people]
    }

    fn contact_of(&mut self, contact: Key, account: &Key) -> Deed {
        let (first, last) = self.person();
        let consent = if self.dice.below(5) < 4 { "granted" } else { "none" };
        let email = format!("{}@{}.example", contact.id.to_lowercase(), account.id.to_lowercase());
        self.accounts.insert(contact.clone(), account.clone());
        let changes = vec![
            set("first_name", first),
            set("last_name", last),
            set("email", email),
            set("job_title", self.pick(&TITLES)),
            self.phone(&contact),
            set("consent", consent),
            Change::Refer("account", account.clone()),
        ];
        create(Place::Crm, contact, changes)
    }

    /// A customer who came by himself: finance knows him first.
    fn account_by_finance(&mut self, _screen: &Screen) -> Vec<Deed> {
        let account = self.fresh(Kind::Account);
        let changes = vec![
            set("name", format!("{} {}", self.pick(&FIRMS), account.id)),
            set("credit_hold", "false"),
            set("payment_state", "current"),
        ];
        vec![create(Place::Erp, account, changes)]
    }

    /// Somebody nobody knew signs up for the newsletter.
    fn signs_up(&mut self, _screen: &Screen) -> Vec<Deed> {
        let contact = self.fresh(Kind::Contact);
        let (first, last) = self.person();
        let email = format!("{}@news.example", contact.id.to_lowercase());
        let changes = vec![
            set("email", email),
            set("consent", "granted"),
            set("first_name", first),
            set("last_name", last),
        ];
        vec![create(Place::Marketing, contact, changes)]
    }

    fn new_lead(&mut self, _screen: &Screen) -> Vec<Deed> {
        let lead = self.fresh(Kind::Lead);
        let (first, last) = self.person();
        self.stages.insert(lead.clone(), 0);
        let changes = vec![
            set("name", format!("{first} {last}")),
            set("company", self.pick(&FIRMS)),
            set("email", format!("{}@leads.example", lead.id.to_lowercase())),
            set("status", "new"),
        ];
        vec![create(Place::Crm, lead, changes)]
    }

    /// A lead is qualified, then converted: then it is an account with a contact, too.
    fn lead_moves(&mut self, screen: &Screen) -> Vec<Deed> {
        let Some(lead) = self.some(Kind::Lead) else { return Vec::new() };
        let stage = self.stages.get(&lead).copied().unwrap_or(2);
        let changes = match stage {
            0 => vec![set("status", "qualified")],
            1 => vec![set("status", "converted"), set("converted_on", "2026-11-22")],
            _ => return Vec::new(),
        };
        self.stages.insert(lead.clone(), stage + 1);
        let mut deeds = vec![update(Place::Crm, lead, changes)];
        if stage == 1 {
            deeds.extend(self.new_account(screen));
        }
        deeds
    }

    fn contact_changes(&mut self, _screen: &Screen) -> Vec<Deed> {
        let Some(contact) = self.some(Kind::Contact) else { return Vec::new() };
        let change = match self.dice.below(3) {
            0 => {
                let (title, count) = (self.pick(&TITLES), self.count(&contact, "job_title"));
                set("job_title", format!("{title} {count}"))
            }
            1 => {
                let (last, count) = (self.pick(&LAST), self.count(&contact, "last_name"));
                set("last_name", format!("{last}-{count}"))
            }
            _ => self.phone(&contact),
        };
        vec![update(Place::Crm, contact, vec![change])]
    }

    fn account_changes(&mut self, _screen: &Screen) -> Vec<Deed> {
        let Some(account) = self.some(Kind::Account) else { return Vec::new() };
        let change = match self.dice.below(4) {
            0 => {
                let (firm, count) = (self.pick(&FIRMS), self.count(&account, "name"));
                set("name", format!("{firm} {} ({count})", account.id))
            }
            1 => set("sales_region", self.pick(&REGIONS)),
            // A stage that makes no sense is left to whoever invented it.
            2 if !self.garbled.contains(&account) => set("lifecycle", "customer"),
            _ => self.phone(&account),
        };
        vec![update(Place::Crm, account, vec![change])]
    }

    /// Finance stops or lets go an account's credit, or changes how much of it there is.
    fn credit_changes(&mut self, _screen: &Screen) -> Vec<Deed> {
        let Some(account) = self.some(Kind::Account) else { return Vec::new() };
        let entry = self.diary.records.get(&account);
        let held = entry.and_then(|entry| entry.now("credit_hold")) == Some("true");
        let change = match self.dice.below(3) {
            0 => {
                let count = self.count(&account, "credit_limit");
                set("credit_limit", format!("{}.5", 1_000 * (self.dice.below(50) + 1) + count as usize))
            }
            1 => set("payment_state", if held { "overdue" } else { "current" }),
            _ => set("credit_hold", if held { "false" } else { "true" }),
        };
        vec![update(Place::Erp, account, vec![change])]
    }

    /// Finance says which plan a contact uses.
    fn plan_changes(&mut self, _screen: &Screen) -> Vec<Deed> {
        let Some(contact) = self.some(Kind::Contact) else { return Vec::new() };
        let count = self.count(&contact, "plan");
        vec![update(Place::Erp, contact, vec![set("plan", format!("team-{count}"))])]
    }

    /// A contact opts out, or in again.
    fn consent_changes(&mut self, _screen: &Screen) -> Vec<Deed> {
        let Some(contact) = self.some(Kind::Contact) else { return Vec::new() };
        let entry = self.diary.records.get(&contact);
        let consent = match entry.and_then(|entry| entry.now("consent")) {
            Some("granted") => "withdrawn",
            Some("withdrawn") => "granted",
            _ => return Vec::new(),
        };
        vec![update(Place::Marketing, contact, vec![set("consent", consent)])]
    }

    /// Somebody edits what is not theirs to edit.
    fn edits_in_the_wrong_place(&mut self, screen: &Screen) -> Vec<Deed> {
        let Some((kind, place, field, policy, values)) = self.dice.one(&WRONG).copied() else {
            return Vec::new();
        };
        let Some(key) = self.some(kind) else { return Vec::new() };
        let Some(now) = self.diary.records.get(&key).and_then(|entry| entry.now(field)).map(str::to_owned)
        else {
            // Before the owner has spoken, anybody's word is as good.
            return Vec::new();
        };
        if !screen.contains_key(&(owner(kind, field), key.clone())) {
            // Nor does its owner know it yet: the first word is still on its way.
            return Vec::new();
        }
        let value = self.pick(values);
        if value == now || self.count(&key, field_of_wrong(field)) > WRONG_MAX {
            return Vec::new();
        }
        vec![Deed { stray: Some(policy), ..update(place, key, vec![set(field, value)]) }]
    }

    /// Somebody invents a stage that nobody has mapped; a colleague puts it right later.
    pub(crate) fn invents_a_stage(&mut self, screen: &Screen) -> Option<Deed> {
        let seen =
            |key: &&Key| screen.contains_key(&(Place::Crm, (*key).clone())) && !self.garbled.contains(*key);
        let account = self.ranks.get(&Kind::Account)?.iter().rev().find(seen)?.clone();
        self.garbled.insert(account.clone());
        let deed = update(Place::Crm, account, vec![set("lifecycle", "123456789")]);
        Some(Deed { stray: Some(Policy::Garbage), ..deed })
    }

    /// The colleague.
    pub(crate) fn puts_the_stage_right(&mut self) {
        while let Some(account) = self.garbled.pop_first() {
            self.queue.push_back(update(Place::Crm, account, vec![set("lifecycle", "former")]));
        }
    }
}

/// Under which name edits of a field in the wrong place are counted.
fn field_of_wrong(field: &'static str) -> &'static str {
    match field {
        "sales_region" => "wrong sales_region",
        "credit_hold" => "wrong credit_hold",
        "consent" => "wrong consent",
        "plan" => "wrong plan",
        "payment_state" => "wrong payment_state",
        "price" => "wrong price",
        "phone" => "wrong phone",
        _ => "wrong",
    }
}
