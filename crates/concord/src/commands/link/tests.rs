//! Which plan may be applied, and how times are written.

use std::path::PathBuf;
use std::time::Duration;

use canonical::Wall;
use hub::cutover::Report;

use super::apply::{AGE_MAX, fits};
use super::kept::{FORMAT, Kept, Place};
use super::shown::time;

fn kept(configuration: &str, made_at: Wall) -> Kept {
    Kept {
        format: FORMAT,
        id: "link-1".to_owned(),
        tenant: "acme".to_owned(),
        made_at: made_at.to_string(),
        made_at_us: made_at.micros(),
        configuration: configuration.to_owned(),
        program: "0".to_owned(),
        blake3: String::new(),
        report: Report::default(),
        unlisted: Vec::new(),
        blind: Vec::new(),
        load: Vec::new(),
        findings: 0,
        applied: None,
    }
}

#[test]
fn a_plan_fits_its_configuration_for_a_day() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/subscription-business");
    let configuration = config::load_folder(&dir).expect("a folder that can be used").configuration;
    let made_at = Wall(1_795_000_000_000_000);
    let good = kept(&configuration.digest, made_at);
    let second = Duration::from_secs(1);
    fits(&good, &configuration, made_at).unwrap();
    fits(&good, &configuration, made_at + AGE_MAX).unwrap();
    for (plan, now, why) in [
        (&good, made_at + AGE_MAX + second, "may be applied for 24 hours"),
        // A clock that was set back says nothing about how old it is.
        (&good, made_at - second, "may be applied for 24 hours"),
        (&kept("another", made_at), made_at, "the configuration changed"),
    ] {
        let refused = fits(plan, &configuration, now).unwrap_err().to_string();
        assert!(refused.contains(why) && refused.contains("plan again"), "{refused}");
    }
}

/// A plan has its name when it is whole; a new one takes the place of the last; what was cut off is none.
#[test]
fn the_newest_plan_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::of(dir.path());
    let none = place.read(None).unwrap_err().to_string();
    assert!(none.contains("make one with `concord link plan`"), "{none}");
    for id in ["link-1", "link-2"] {
        let part = place.part().unwrap();
        assert!(place.read(Some(id)).is_err(), "half a plan is none");
        place.name(&part, &Kept { id: id.to_owned(), ..kept("digest", Wall(1)) }).unwrap();
        assert_eq!(place.read(None).unwrap().id, id);
    }
    let gone = place.read(Some("link-1")).unwrap_err().to_string();
    assert!(gone.contains("the newest is link-2"), "{gone}");
    assert!(place.read(Some("..")).is_err(), "a name leads nowhere else");
}

#[test]
fn times_are_written_as_people_do() {
    let cases = [
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (121, "3 min"),
        (7_200, "2 h 0 min"),
        (9_000, "2 h 30 min"),
    ];
    for (seconds, text) in cases {
        assert_eq!(time(seconds), text);
    }
}
