//! Two records become one, and two again: what each has, what each object stands for, and what a second object may say.

mod second;
mod split;

use std::collections::BTreeMap;

use canonical::{Before, JobId};
use ledger::{Fate, Side};

use super::*;
use crate::{Carried, Link, Order, Reshaped, There, Whole, merge, split};

fn gone(from: &str, id: &str, order: i64) -> Incoming {
    Incoming { deleted: true, matches: Vec::new(), ..said(from, id, order, json!({})) }
}

fn merged_there(from: &str, id: &str, into: &str, order: i64) -> Incoming {
    let into = Some(external(from, into));
    Incoming { merged_into: into, matches: Vec::new(), ..said(from, id, order, json!({})) }
}

type Prefer = BTreeMap<Field, Side>;

impl World {
    fn id(&self, from: &str, id: &str) -> RecordId {
        self.view.links[&external(from, id)].record
    }

    fn record(&self, id: RecordId) -> &Record {
        &self.view.records[&id]
    }

    fn whole(&self, id: RecordId) -> Whole {
        let of = |link: &&Link| link.record == id;
        Whole {
            record: self.record(id).clone(),
            links: self.view.links.values().filter(of).cloned().collect(),
            shadows: self.view.shadows.values().filter(|shadow| shadow.record == id).cloned().collect(),
            obligations: Vec::new(),
            open: Vec::new(),
        }
    }

    /// What its objects have: paths are fields here.
    fn there(whole: &Whole) -> There {
        whole.shadows.iter().map(|shadow| (shadow.system.clone(), shadow.fields.clone())).collect()
    }

    fn reshape(
        &mut self,
        what: impl FnOnce(Context<'_>, Order<'_>, &Carried<'_>) -> Result<Reshaped, String>,
        (keep, gone): (RecordId, RecordId),
        prefer: &Prefer,
    ) -> Result<Reshaped, String> {
        self.turn += 1;
        let routes: Vec<&Route> = self.routes.iter().collect();
        let now = Wall(100_000 + self.turn as i64);
        let context = Context {
            tenant: &Tenant::new("acme").unwrap(),
            schema: &self.schema,
            routes: &routes,
            now,
            event: EventId::from_parts(now, self.turn << 48),
            fresh: RecordId::from_parts(now, self.turn << 48),
            restored_at: None,
        };
        let (one, other) = (self.whole(keep), self.whole(gone));
        let job = JobId::from_parts(now, 7);
        let there = [&one, &other].map(World::there);
        let there = [&there[0], &there[1]];
        let order = Order { keep: &one, gone: &other, there, prefer, job, why: "ada: one person", trace: "" };
        let all =
            |_: &Route, record: &Record| record.fields.keys().map(|name| Field::new(name).unwrap()).collect();
        let out = what(context, order, &all)?;
        self.apply(&out);
        Ok(out)
    }

    fn apply(&mut self, out: &Reshaped) {
        for (record, before) in &out.records {
            assert_eq!(self.record(record.id).version, *before);
            self.view.records.insert(record.id, record.clone());
        }
        for (id, (key, value)) in &out.matches_dropped {
            let key = (self.schema.entity.clone(), key.clone(), value.clone());
            self.view.matches.entry(key).or_default().retain(|other| other != id);
        }
        for (id, (key, value)) in &out.matches_added {
            let having = self.view.matches.entry((self.schema.entity.clone(), key.clone(), value.clone()));
            having.or_default().push(*id);
        }
        for link in &out.links {
            let former = self.view.links.insert(link.external(), link.clone());
            let key = |link: &Link| (link.record, link.system.clone(), link.object.clone());
            former.map(|former| self.view.linked.remove(&key(&former)));
            self.view.linked.insert(key(link), link.external_id.clone());
        }
        for (shadow, before) in &out.shadows {
            let key = (shadow.record, shadow.system.clone(), shadow.object.clone());
            assert_eq!(self.view.shadows.get(&key).map_or(0, |known| known.revision), *before);
            self.view.shadows.insert(key, Shadow { revision: before + 1, ..shadow.clone() });
        }
    }

    fn merge(&mut self, pair: (RecordId, RecordId)) -> Reshaped {
        self.reshape(merge, pair, &Prefer::new()).unwrap()
    }
}

/// Two contacts: one of the CRM alone, one of CRM and ERP.
fn two() -> (World, RecordId, RecordId) {
    let mut world = World::new();
    world.accept(&said("crm", "1", 1, json!({"name": "Ada", "email": "ada@x.org", "note": "first"})));
    world.accept(&said("crm", "2", 2, json!({"name": "Ada B.", "email": "ada@y.org", "note": "second"})));
    let erp = said("erp", "9", 3, json!({"email": "ada@y.org", "hold": true}));
    world.accept(&erp);
    let (keep, gone) = (world.id("crm", "1"), world.id("crm", "2"));
    assert_eq!(world.id("erp", "9"), gone);
    (world, keep, gone)
}

/// I5: what stands in the owner's object that goes on speaking is the owner's word, whoever said it first: it is not written
/// there, and the next sight of it would say it again.
#[test]
fn i5_an_owners_object_that_stays_speaks_for_it() {
    let (mut world, keep, gone) = two();
    // The ERP owns it: it was told "no" with the first one, and said "yes" itself of the second.
    world.accept(&said("erp", "8", 4, json!({"email": "ada@x.org"})));
    world.remember("erp", "8", json!({"hold": false}));
    let mut first = world.record(keep).clone();
    first.fields.insert("hold".to_owned(), json!(false));
    first.provenance.insert(field("hold"), first.provenance[&field("note")].clone());
    world.view.records.insert(keep, first);
    let out = world.merge((keep, gone));
    assert_eq!(world.record(keep).fields["hold"], false);
    let line = out.shown.fields.iter().find(|line| line.field.as_str() == "hold").unwrap();
    assert!(line.takes == Some(Side::Keep) && line.why.contains("erp owns hold"), "{line:?}");
}

#[test]
fn the_survivor_has_what_owners_say_and_what_only_the_other_had() {
    let (mut world, keep, gone) = two();
    let versions = (world.record(keep).version, world.record(gone).version);
    let out = world.merge((keep, gone));
    let one = world.record(keep);
    // The CRM has two of them: the survivor's speaks for it.
    assert_eq!((&one.fields["name"], &one.fields["email"]), (&json!("Ada"), &json!("ada@x.org")));
    assert_eq!((&one.fields["hold"], &one.fields["note"]), (&json!(true), &json!("second")));
    assert_eq!(one.version, versions.0.max(versions.1) + 1);
    assert_eq!(world.record(gone).alive, Alive::Merged { into: keep });
    assert_eq!(one.absorbed[&gone].version, one.version);
    assert_eq!((world.id("erp", "9"), world.id("crm", "2")), (keep, gone));
    let fates: Vec<Fate> = out.shown.objects.iter().map(|line| line.fate).collect();
    assert_eq!(fates, [Fate::Stays, Fate::Duplicate, Fate::Moves]);
    assert_eq!(out.shown.by_hand.len(), 1);
    let written: Vec<_> =
        out.shown.writes.iter().map(|line| (line.system.as_str(), line.fields.join(","))).collect();
    assert_eq!(
        written,
        [
            ("crm", "hold,note".to_owned()),
            ("erp", "email,name".to_owned()),
            ("marketing", "email,hold,name,note".to_owned())
        ]
    );
    let kinds: Vec<&str> = out.facts.iter().map(|fact| fact.kind.as_str()).collect();
    assert_eq!(kinds, ["contact.updated", "contact.merged"]);
    let rule = |record: RecordId, name: Option<&str>| {
        let found = out
            .decisions
            .iter()
            .find(|decision| decision.record == record && decision.field.as_ref().map(Field::as_str) == name);
        found.map(|decision| decision.rule.as_str()).unwrap()
    };
    assert!(rule(gone, None).contains(&keep.to_string()) && rule(gone, None).contains("ada: one person"));
    assert!(rule(keep, Some("note")).contains("said last"));
    assert!(rule(keep, Some("email")).contains("crm owns email"));
}

#[test]
fn a_preference_counts_where_no_rule_does() {
    let (mut world, keep, gone) = two();
    let owned = Prefer::from([(field("email"), Side::Gone)]);
    let refused = world.reshape(merge, (keep, gone), &owned).unwrap_err();
    assert!(refused.contains("crm owns email"), "{refused}");
    let unknown = Prefer::from([(field("shoe"), Side::Gone)]);
    assert!(world.reshape(merge, (keep, gone), &unknown).unwrap_err().contains("no field shoe"));
    let free = Prefer::from([(field("note"), Side::Keep)]);
    world.reshape(merge, (keep, gone), &free).unwrap();
    assert_eq!(world.record(keep).fields["note"], "first");
}

#[test]
fn what_cannot_be_one_says_why() {
    let (mut world, keep, gone) = two();
    let prefer = Prefer::new();
    assert!(world.reshape(merge, (keep, keep), &prefer).unwrap_err().contains("into itself"));
    let refused = world.reshape(split, (keep, gone), &prefer).unwrap_err();
    assert!(refused.contains("was not merged") && refused.contains("at a vendor"), "{refused}");
    world.merge((keep, gone));
    assert!(world.reshape(merge, (keep, gone), &prefer).unwrap_err().contains("already"));
    world.accept(&said("crm", "3", 4, json!({"name": "Eve"})));
    let third = world.id("crm", "3");
    world.merge((third, keep));
    // From the last one back.
    let refused = world.reshape(split, (keep, gone), &prefer).unwrap_err();
    assert!(refused.contains(&format!("split it from {third} first")), "{refused}");
    assert!(world.record(third).stands_for(gone) && world.record(third).stands_for(keep));
}

/// A vendor merged two objects of two records: a person merges the records, and the message goes through.
#[test]
fn a_merge_at_the_vendor_waits_for_one_of_the_records() {
    let (mut world, keep, gone) = two();
    let there = merged_there("crm", "2", "1", 9);
    let Verdict::Quarantine(why) = world.decide(&there) else { panic!("not quarantined") };
    let command = format!("concord record merge Contact/{keep} Contact/{gone}");
    assert!(why.class == "merged_there" && why.message.contains(&command), "{}", why.message);
    world.merge((keep, gone));
    let through = world.accept(&there);
    assert_eq!(through.unlink.as_ref().map(|link| link.external_id.as_str()), Some("2"));
    // There is nothing to give back of it.
    let out = world.reshape(split, (keep, gone), &Prefer::new()).unwrap();
    assert!(out.shown.objects.iter().all(|line| line.object != external("crm", "2")));
}

#[test]
fn what_an_alias_is_called_by_leads_to_the_survivor() {
    let (mut world, keep, gone) = two();
    world.merge((keep, gone));
    // By the match key that it had.
    world.accept(&said("marketing", "m", 4, json!({"email": "ada@y.org", "consent": "no"})));
    assert_eq!(world.id("marketing", "m"), keep);
    assert_eq!(world.record(keep).fields["consent"], "no");
    // By a reference: the same record under another name is no change.
    let mut child = blank_account(&world, gone);
    child.version = 3;
    world.view.records.insert(child.id, child.clone());
    let about = external("crm", "c");
    let link =
        Link { external_id: "c".into(), record: child.id, ..world.view.links[&external("crm", "1")].clone() };
    world.view.links.insert(about, link);
    let refers = |order| Incoming {
        references: vec![(field("account"), external("erp", "9"))],
        ..said("crm", "c", order, json!({}))
    };
    let again = world.accept(&refers(6));
    assert!(again.raises.is_empty());
    assert_eq!(world.record(child.id).fields["account"], json!(gone.to_string()));
}

fn blank_account(world: &World, account: RecordId) -> Record {
    let any = world.view.records.values().next().unwrap().clone();
    let id = RecordId::from_parts(Wall(77_000_000), 77);
    let fields = fields(json!({"account": account.to_string()}));
    Record { id, fields, absorbed: BTreeMap::new(), alive: Alive::Live, ..any }
}

fn word() -> impl Strategy<Value = (usize, usize, Value)> {
    let text = prop::option::of("[a-c]");
    let values = (text.clone(), text, prop::option::of(any::<bool>()), prop::option::of("[a-c]")).prop_map(
        |(name, note, hold, consent)| {
            let all = [
                ("name", name.map(Value::from)),
                ("note", note.map(Value::from)),
                ("hold", hold.map(Value::from)),
                ("consent", consent.map(Value::from)),
            ];
            let said = all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
            Value::Object(said.collect())
        },
    );
    (0..3_usize, 0..2_usize, values)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Nothing is lost, an owner's value stands, versions go up; and where nothing was said between, a split gives both
    /// records back as they were.
    #[test]
    fn a_merge_loses_nothing_and_a_split_takes_it_back(
        words in prop::collection::vec(word(), 0..14),
        prefer in prop::option::of(any::<bool>()),
        both in any::<[bool; 3]>(),
    ) {
        let systems = ["crm", "erp", "marketing"];
        let mut world = World::new();
        let mail = ["k@x.org", "g@x.org"];
        for (side, mail) in mail.iter().enumerate() {
            world.accept(&said("crm", &side.to_string(), 1, json!({"email": mail})));
        }
        for (order, (place, side, values)) in words.iter().enumerate() {
            // The second record may have no object in some of the systems.
            if *place > 0 && !both[place + side - 1] {
                continue;
            }
            let mut values = values.clone();
            values["email"] = json!(mail[*side]);
            world.accept(&said(systems[*place], &side.to_string(), order as i64 + 2, values));
        }
        let (keep, gone) = (world.id("crm", "0"), world.id("crm", "1"));
        let (one, other) = (world.record(keep).clone(), world.record(gone).clone());
        let side = prefer.map(|gone| if gone { Side::Gone } else { Side::Keep });
        let prefer: Prefer = side.map(|side| (field("note"), side)).into_iter().collect();
        let links = world.view.links.clone();
        let (first, second) = (world.whole(keep), world.whole(gone));
        world.reshape(merge, (keep, gone), &prefer).unwrap();
        let merged = world.record(keep).clone();
        prop_assert_eq!(merged.version, one.version.max(other.version) + 1);
        for name in one.fields.keys().chain(other.fields.keys()) {
            let had = |record: &Record| record.fields.get(name).cloned();
            prop_assert!(had(&merged) == had(&one) || had(&merged) == had(&other), "{}", name);
            prop_assert!(merged.fields.contains_key(name));
            let owner = world.schema.fields[&field(name)].owner.clone();
            let from = |record: &Record| record.provenance.get(&field(name)).map(|from| from.system.clone());
            // Its object that goes on speaking has a value, or it said the one of the two.
            let speaks = |system: &System| if first.links.iter().any(|link| link.system == *system) { &first } else { &second };
            let stands = owner.as_ref().filter(|owner| {
                World::there(speaks(owner)).get(*owner).is_some_and(|fields| fields.contains_key(name))
            });
            if let Some(owner) = stands {
                prop_assert_eq!(had(&merged), had(&speaks(owner).record));
                continue;
            }
            if owner.is_some() && from(&one) == owner && from(&other) != owner {
                prop_assert_eq!(had(&merged), had(&one));
            }
            if owner.is_some() && from(&one) != owner && from(&other) == owner {
                prop_assert_eq!(had(&merged), had(&other));
            }
        }
        // Every object still stands for the record, or for its alias.
        for (object, link) in &world.view.links {
            prop_assert!(merged.stands_for(link.record) && links.contains_key(object));
        }
        world.reshape(split, (keep, gone), &Prefer::new()).unwrap();
        let (back, apart) = (world.record(keep), world.record(gone));
        prop_assert_eq!(Before::of(back, 1), Before::of(&one, 1));
        prop_assert_eq!(Before::of(apart, 1), Before::of(&other, 1));
        prop_assert!(back.version > merged.version && apart.version > merged.version);
        prop_assert!(back.absorbed.is_empty());
        let whose = |links: &BTreeMap<ExternalRef, Link>| -> Vec<_> {
            links.iter().map(|(object, link)| (object.clone(), link.record)).collect()
        };
        prop_assert_eq!(whose(&world.view.links), whose(&links));
    }
}

/// One of the two sides of a row of the page: who said it, when, and what.
fn cell(text: &str) -> Option<(System, Wall, Value)> {
    let (who, value) = text.trim().split_once('`')?;
    let mut who = who.split_whitespace();
    let (from, at) = (who.next()?, who.next()?);
    let (hours, minutes) = at.split_once(':').unwrap();
    let seconds = hours.parse::<i64>().unwrap() * 3600 + minutes.parse::<i64>().unwrap() * 60;
    Some((
        system(from),
        Wall(seconds * 1_000_000),
        serde_json::from_str(value.trim_end_matches('`')).unwrap(),
    ))
}

/// `docs/ownership.md`: its table of a merge is played, row by row, and comes out as the page says.
#[test]
fn the_pages_merge_comes_out_as_it_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ownership.md");
    let page = std::fs::read_to_string(path).unwrap();
    let table = page.split_once("<!-- merge -->").unwrap().1.split_once("<!-- end -->").unwrap().0;
    let rows: Vec<Vec<&str>> =
        table.lines().skip(3).filter(|line| !line.is_empty()).map(|line| line.split('|').collect()).collect();
    assert_eq!(rows.len(), 8);
    let (mut world, keep, gone) = two();
    let mut sides = [keep, gone].map(|id| {
        let record = world.record(id).clone();
        Record { fields: Fields::new(), provenance: BTreeMap::new(), ..record }
    });
    for row in &rows {
        let name = row[1].trim().trim_matches('`');
        let (owner, policy) = row[2].trim().split_once(',').unwrap_or((row[2].trim(), ""));
        let on_conflict = match policy.trim() {
            "" => OnConflict::Reject,
            "min" => OnConflict::Min,
            "union" => OnConflict::Union,
            other => panic!("{other}"),
        };
        let kind = match on_conflict {
            OnConflict::Min => FieldType::Decimal,
            OnConflict::Union => FieldType::List { set: true },
            _ => FieldType::Text,
        };
        let owner = Some(owner.trim()).filter(|owner| !owner.is_empty());
        world.schema.fields.insert(field(name), spec(kind, owner, on_conflict));
        for (side, text) in sides.iter_mut().zip([row[3], row[4]]) {
            let Some((from, at, value)) = cell(text) else { continue };
            side.fields.insert(name.to_owned(), value);
            let event = EventId::from_parts(at, 1);
            let provenance = canonical::Provenance { system: from, event, at, mapping: 1, changed: None };
            side.provenance.insert(field(name), provenance);
        }
    }
    for side in sides {
        world.view.records.insert(side.id, side);
    }
    let out = world.merge((keep, gone));
    for row in &rows {
        let name = row[1].trim().trim_matches('`');
        let becomes: Value = serde_json::from_str(row[5].trim().trim_matches('`')).unwrap();
        assert_eq!(world.record(keep).fields[name], becomes, "{name}");
        let line = out.shown.fields.iter().find(|line| line.field.as_str() == name).unwrap();
        let why = match row[6].trim() {
            "the policy" => "on_conflict",
            "it was said last" => "said last",
            "only it has one" => "only this one",
            _ => "owns",
        };
        assert!(line.why.contains(why), "{name}: {}", line.why);
    }
}

/// However often the newer one stays: who was merged first still leads to the survivor, and where aliases are followed no
/// further, the merge is refused.
#[test]
fn a_chain_of_merges_is_followed_to_its_end() {
    let mut world = World::new();
    let names: Vec<String> = (0..=canonical::ALIAS_HOPS_MAX + 1).map(|number| number.to_string()).collect();
    let mut all = Vec::new();
    for (order, name) in names.iter().enumerate() {
        world.accept(&said("crm", name, order as i64 + 1, json!({"email": format!("{name}@x.org")})));
        all.push(world.id("crm", name));
    }
    for pair in all.windows(2).take(canonical::ALIAS_HOPS_MAX) {
        world.merge((pair[1], pair[0]));
    }
    let (last, one_more) = (all[canonical::ALIAS_HOPS_MAX], all[canonical::ALIAS_HOPS_MAX + 1]);
    world.accept(&said("marketing", "m", 99, json!({"email": "0@x.org", "consent": "no"})));
    assert_eq!(world.id("marketing", "m"), last);
    assert_eq!(world.record(last).fields["consent"], "no");
    let refused = world.reshape(merge, (one_more, last), &Prefer::new()).unwrap_err();
    assert!(refused.contains(&format!("merge {one_more} into it instead")), "{refused}");
    world.merge((last, one_more));
    assert_eq!(world.record(last).alias_hops(), canonical::ALIAS_HOPS_MAX);
}
