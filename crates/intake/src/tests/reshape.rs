//! Two records become one, and two again: what each has, what each object stands for, and what a second object may say.

use std::collections::BTreeMap;

use canonical::{Before, JobId};
use ledger::{Fate, Side};

use super::*;
use crate::{Carried, Link, Order, Reshaped, Whole, merge, split};

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
        let order = Order { keep: &one, gone: &other, prefer, job, why: "ada: one person", trace: "" };
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

/// I6: what a second object says is nobody's word, and a person is told; how it stood says nothing.
#[test]
fn a_second_object_changes_nothing() {
    let (mut world, keep, gone) = two();
    world.merge((keep, gone));
    let stood = said("crm", "2", 4, json!({"name": "Ada B.", "email": "ada@y.org", "note": "second"}));
    let nothing = world.accept(&stood);
    assert!(nothing.record.is_none() && nothing.raises.is_empty());
    let pushed = Incoming { read: false, ..said("crm", "2", 5, json!({"name": "Ida"})) };
    assert!(world.accept(&pushed).refetch, "a late word is looked at first");
    let Verdict::Quarantine(why) = world.decide(&said("crm", "2", 6, json!({"name": "Ida"}))) else {
        panic!("not quarantined")
    };
    assert_eq!((why.class.as_str(), why.candidates), ("duplicate_there", vec![keep]));
    assert!(why.message.contains("crm:people/2") && why.message.contains("people/1"), "{}", why.message);
    // The vendor merges them: then it goes through.
    let end = world.accept(&merged_there("crm", "2", "1", 7));
    assert_eq!(end.unlink.as_ref().map(|link| link.external_id.as_str()), Some("2"));
    assert!(world.record(keep).second_objects(&system("crm"), &object("people")).next().is_none());
    let late = world.accept(&said("crm", "2", 6, json!({"name": "Ida"})));
    assert!(late.record.is_none() && late.link.is_none());
}

/// The first one is deleted there, or merged into the second: the second is the record's own, and the record stands.
#[test]
fn a_second_object_takes_over() {
    for end in [gone("crm", "1", 8), merged_there("crm", "1", "2", 8)] {
        let (mut world, keep, gone) = two();
        world.merge((keep, gone));
        let over = world.accept(&end);
        assert_eq!((world.id("crm", "2"), &world.record(keep).alive), (keep, &Alive::Live));
        assert!(!world.view.links.contains_key(&external("crm", "1")));
        assert_eq!(over.wanted, Some(external("crm", "2")));
        assert!(raised(&over).contains(&"to-crm".to_owned()));
        // By its own order, whatever the other's was.
        world.accept(&said("crm", "2", 5, json!({"name": "Ada Byron"})));
        assert_eq!(world.record(keep).fields["name"], "Ada Byron");
        // And then it is the last.
        world.accept(&self::gone("crm", "2", 9));
        assert!(matches!(world.record(keep).alive, Alive::Deleted { .. }));
    }
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

/// What was said since goes to whom it belongs.
#[test]
fn a_split_gives_both_what_their_own_objects_said() {
    let (mut world, keep, gone) = two();
    world.merge((keep, gone));
    world.accept(&said("erp", "9", 20, json!({"hold": false, "note": "from erp"})));
    world.accept(&said("crm", "1", 21, json!({"name": "Ada L."})));
    let at = (world.record(keep).version, world.record(gone).version);
    let out = world.reshape(split, (keep, gone), &Prefer::new()).unwrap();
    let (one, other) = (world.record(keep), world.record(gone));
    assert_eq!((one.version, other.version), (at.0 + 1, at.0.max(at.1) + 1));
    assert_eq!(other.alive, Alive::Live);
    assert_eq!((&other.fields["hold"], &other.fields["note"]), (&json!(false), &json!("from erp")));
    assert_eq!((&other.fields["name"], &other.fields["email"]), (&json!("Ada B."), &json!("ada@y.org")));
    assert_eq!((&one.fields["name"], &one.fields["note"]), (&json!("Ada L."), &json!("first")));
    assert!(!one.fields.contains_key("hold") && one.absorbed.is_empty());
    assert_eq!((world.id("erp", "9"), world.id("crm", "2")), (gone, gone));
    // Whoever was a duplicate may have said something that nobody heard.
    assert!(out.wanted.contains(&external("crm", "2")) && out.wanted.contains(&external("erp", "9")));
    let kinds: Vec<&str> = out.facts.iter().map(|fact| fact.kind.as_str()).collect();
    assert_eq!(kinds, ["contact.updated", "contact.split", "contact.updated"]);
    let ids: BTreeSet<_> = out.facts.iter().map(|fact| fact.id).collect();
    assert_eq!(ids.len(), 3);
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
        world.reshape(merge, (keep, gone), &prefer).unwrap();
        let merged = world.record(keep).clone();
        prop_assert_eq!(merged.version, one.version.max(other.version) + 1);
        for name in one.fields.keys().chain(other.fields.keys()) {
            let had = |record: &Record| record.fields.get(name).cloned();
            prop_assert!(had(&merged) == had(&one) || had(&merged) == had(&other), "{}", name);
            prop_assert!(merged.fields.contains_key(name));
            let owner = world.schema.fields[&field(name)].owner.clone();
            let from = |record: &Record| record.provenance.get(&field(name)).map(|from| from.system.clone());
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

/// An alias is found by its match keys, and so is the record that comes back, whatever became of its keys meanwhile.
#[test]
fn an_alias_keeps_its_match_keys() {
    let (mut world, keep, gone) = two();
    world.merge((keep, gone));
    let keys = crate::kept_keys(&world.schema, world.record(gone));
    assert_eq!(keys, match_values(&world.schema, &fields(json!({"email": "ada@y.org"}))));
    world.view.matches.clear();
    world.reshape(split, (keep, gone), &Prefer::new()).unwrap();
    world.accept(&said("marketing", "m", 4, json!({"email": "ada@y.org", "consent": "no"})));
    assert_eq!(world.id("marketing", "m"), gone);
}

/// What came with a record that was merged later is nobody else's: the last one is split first.
#[test]
fn what_was_merged_last_is_split_first() {
    let mut world = World::new();
    for (order, (from, id, note)) in
        [("crm", "1", "one's"), ("erp", "2", "two's"), ("marketing", "3", "three's")].into_iter().enumerate()
    {
        world.schema.creators = vec![system(from)];
        world.accept(&said(from, id, order as i64 + 1, json!({"note": note})));
    }
    let [one, two, three] =
        [("crm", "1"), ("erp", "2"), ("marketing", "3")].map(|(from, id)| world.id(from, id));
    world.merge((one, two));
    world.merge((one, three));
    let refused = world.reshape(split, (one, two), &Prefer::new()).unwrap_err();
    assert!(
        refused.contains(&format!("split that one first (concord record split Contact/{three})")),
        "{refused}"
    );
    for gone in [three, two] {
        world.reshape(split, (one, gone), &Prefer::new()).unwrap();
    }
    let notes = [one, two, three].map(|id| world.record(id).fields["note"].clone());
    assert_eq!(notes, ["one's", "two's", "three's"]);
}

/// A value that came since the merge, of which nobody knows who said it, stays with the survivor.
#[test]
fn a_value_of_unknown_origin_is_not_taken_for_an_older_one() {
    let (mut world, keep, gone) = two();
    world.merge((keep, gone));
    let record = world.view.records.get_mut(&keep).unwrap();
    assert!(!record.provenance.contains_key("consent"));
    record.fields.insert("consent".to_owned(), json!("no"));
    world.reshape(split, (keep, gone), &Prefer::new()).unwrap();
    assert_eq!(world.record(keep).fields.get("consent"), Some(&json!("no")));
    assert!(!world.record(gone).fields.contains_key("consent"));
}

/// Whose object was deleted while the records were one is deleted once they are two, and nobody else is.
#[test]
fn a_split_knows_whose_object_was_deleted() {
    let stands = |world: &World, id| world.record(id).alive == Alive::Live;
    // The second one, the first one, and the only one that there is of the two.
    for (object, survives) in [("2", true), ("1", false)] {
        let (mut world, keep, gone) = two();
        world.merge((keep, gone));
        world.accept(&self::gone("crm", object, 8));
        assert!(stands(&world, keep), "one object is left");
        let out = world.reshape(split, (keep, gone), &Prefer::new()).unwrap();
        assert_eq!((stands(&world, keep), stands(&world, gone)), (survives, !survives), "{object}");
        assert!(out.shown.irreversible.iter().any(|line| line.contains("is deleted")), "{object}");
    }
    let mut world = World::new();
    world.accept(&said("erp", "9", 1, json!({"hold": true})));
    world.accept(&said("crm", "2", 2, json!({"name": "Ada"})));
    let (keep, gone) = (world.id("erp", "9"), world.id("crm", "2"));
    world.merge((keep, gone));
    world.accept(&self::gone("crm", "2", 8));
    assert!(!stands(&world, keep));
    world.reshape(split, (keep, gone), &Prefer::new()).unwrap();
    assert_eq!((stands(&world, keep), stands(&world, gone)), (true, false));
}

/// A has two objects in the CRM, one of them since B was merged into it; K has none there.
fn three() -> (World, [RecordId; 3]) {
    let mut world = World::new();
    world.accept(&said("erp", "9", 1, json!({"hold": true})));
    world.accept(&said("crm", "2", 2, json!({"name": "Ada"})));
    world.accept(&said("crm", "3", 3, json!({"name": "Ada B."})));
    let all = [world.id("erp", "9"), world.id("crm", "2"), world.id("crm", "3")];
    world.merge((all[1], all[2]));
    world.merge((all[0], all[1]));
    (world, all)
}

/// A second object is one of whoever its record is merged into next: it goes on in place of the first one there, too.
#[test]
fn a_second_object_is_one_of_the_next_survivor() {
    let stands = |world: &World, id| world.record(id).alive == Alive::Live;
    let (mut world, [k, a, b]) = three();
    assert_eq!((world.id("crm", "2"), world.id("crm", "3")), (k, b));
    world.accept(&gone("crm", "2", 8));
    assert!(stands(&world, k), "crm/3 stands");
    assert_eq!(world.id("crm", "3"), k);
    // It is a second one of the other record again, and goes on in place of that one's.
    let out = world.reshape(split, (k, a), &Prefer::new()).unwrap();
    assert_eq!((stands(&world, k), stands(&world, a)), (true, true));
    assert_eq!(world.id("crm", "3"), a);
    assert!(out.shown.objects.iter().any(|line| line.fate == Fate::Returns), "{:?}", out.shown.objects);
    world.reshape(split, (a, b), &Prefer::new()).unwrap();
    assert_eq!((stands(&world, a), stands(&world, b)), (false, true), "crm/2 was deleted");
    assert_eq!(world.id("crm", "3"), b);

    // The last of both takes the record along, and neither of those that had none.
    let (mut world, [k, a, _]) = three();
    world.accept(&gone("crm", "2", 8));
    world.accept(&gone("crm", "3", 9));
    assert!(!stands(&world, k));
    world.reshape(split, (k, a), &Prefer::new()).unwrap();
    assert_eq!((stands(&world, k), stands(&world, a)), (true, false));

    // As long as both stand, nothing of them is lost by two splits.
    let (mut world, [k, a, b]) = three();
    let out = world.reshape(split, (k, a), &Prefer::new()).unwrap();
    assert!(out.shown.objects.iter().all(|line| line.fate != Fate::Lost), "{:?}", out.shown.objects);
    let second = external("crm", "3");
    let (crm, people) = (system("crm"), object("people"));
    assert_eq!(world.record(a).second_objects(&crm, &people).collect::<Vec<_>>(), [&second]);
    world.accept(&gone("crm", "3", 9));
    world.reshape(split, (a, b), &Prefer::new()).unwrap();
    assert_eq!((stands(&world, a), stands(&world, b)), (true, false));
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
