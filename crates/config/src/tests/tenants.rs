//! Several tenants' folders beside each other: what they must agree about, and what must be each one's own.

use std::path::PathBuf;

use guard::Secret;

use super::folder::{CONCORD, base, shown};
use crate::tenants::{Member, Own, path_of, together, tokens_apart};
use crate::{Configuration, Files, load};

/// `acme` as the small folder has it, and `globex` beside it, with some texts in place of others.
fn pair(changes: &[(&str, &str)]) -> [(String, PathBuf, Configuration, Files); 2] {
    let shared = |text: &str| text.replace("./data", "../../data").replace("./root.key", "../../root.key");
    let globex = shared(CONCORD)
        .replace("tenant: acme", "tenant: globex")
        .replace("https://hub.example.com/", "https://hub.example.com/globex")
        .replace("SHOP_TOKEN", "GLOBEX_TOKEN");
    let changed = changes.iter().fold(globex, |text, (part, by)| {
        assert!(text.contains(part), "{part} is not in {text}");
        text.replacen(part, by, 1)
    });
    [("acme", shared(CONCORD)), ("globex", changed)].map(|(name, concord)| {
        let mut files = base();
        files.put("concord.yaml", concord);
        let checked = load(&files).unwrap_or_else(|problems| panic!("{}", shown(&problems)));
        (name.to_owned(), PathBuf::from("/hub/tenants").join(name), checked.configuration, files)
    })
}

fn members(pair: &[(String, PathBuf, Configuration, Files); 2]) -> [Member<'_>; 2] {
    pair.each_ref().map(|(name, dir, configuration, files)| Member { name, dir, configuration, files })
}

/// What is said of `globex`, whose folder was changed.
fn said(changes: &[(&str, &str)]) -> String {
    let pair = pair(changes);
    let found = together(&members(&pair));
    assert!(found.iter().all(|(number, _)| *number == 1), "{found:?}");
    shown(&found.into_iter().map(|(_, problem)| problem).collect::<Vec<_>>())
}

#[test]
fn folders_that_fit_are_let_be() {
    assert_eq!(said(&[]), "");
    // The same place, written otherwise.
    assert_eq!(said(&[("../../data", "/hub/data"), ("../../root.key", "../acme/./../../root.key")]), "");
}

#[test]
fn what_is_shared_must_be_the_same() {
    assert_eq!(
        said(&[("../../data", "./data")]),
        "concord.yaml:4:11: error: all tenants of a hub share one store: this is /hub/tenants/globex/data, that of \
               `acme` is /hub/data\n  |\n4 |   folder: ./data\n  |           ^^^^^^\n  = write what \
               tenants/acme/concord.yaml says, or run this tenant in a hub of its own"
    );
    let key = said(&[("{file: ../../root.key}", "{env: GLOBEX_KEY}")]);
    assert!(key.starts_with("concord.yaml:5:3: error: all tenants of a hub share one root key"), "{key}");
    let listens = said(&[("127.0.0.1:4000", "127.0.0.1:4002"), ("127.0.0.1:4001", "127.0.0.1:4003")]);
    assert!(listens.contains("concord.yaml:7:12: error: all tenants of a hub are reached at one address: `acme` says 127.0.0.1:4000"), "{listens}");
    assert!(listens.contains("concord.yaml:8:13: error: "), "{listens}");
}

#[test]
fn a_folder_is_called_as_its_tenant() {
    let twice = said(&[("tenant: globex", "tenant: acme")]);
    assert!(
        twice.starts_with("concord.yaml:1:9: error: the tenant is `acme`, and its folder is called `globex`"),
        "{twice}"
    );
}

#[test]
fn a_tenant_is_reached_at_a_path_of_its_own() {
    let same = said(&[("example.com/globex", "example.com")]);
    assert!(
        same.starts_with("concord.yaml:2:13: error: the tenant `acme` is reached at the path `/`, too"),
        "{same}"
    );
    assert!(same.contains("https://hub.example.com/globex"), "what would be right: {same}");
    // Another host does not tell them apart: the hub sees only the path.
    let host = said(&[("hub.example.com/globex", "globex.example.com")]);
    assert!(host.contains("is reached at the path `/`, too"), "{host}");
    let hidden = said(&[("example.com/globex", "example.com/globex/v1")]);
    assert!(hidden.contains("has a part `v1`"), "{hidden}");
    let odd = said(&[("example.com/globex", "example.com/gl%6fbex")]);
    assert!(odd.contains("is no plain path"), "{odd}");
    assert_eq!(path_of("https://hub.example.com/a/b/"), "/a/b");
    assert_eq!(path_of("https://hub.example.com"), "");
}

#[test]
fn a_token_and_an_archive_are_one_tenants_alone() {
    let token = said(&[("GLOBEX_TOKEN", "SHOP_TOKEN")]);
    assert!(
        token.starts_with(
            "concord.yaml:11:33: error: the token of the client `shop` is also one of the tenant `acme`"
        ),
        "{token}"
    );
    let mut pair = pair(&[]);
    for (_, dir, configuration, _) in &mut pair {
        configuration.settings.retention.archive = Some(PathBuf::from("/archive"));
        assert!(dir.is_absolute());
    }
    let found = together(&members(&pair));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].1.what.contains("archives into the same folder"), "{found:?}");
}

/// Two references may lead to one token: that shows when they are followed.
#[test]
fn the_same_token_under_two_names_is_found() {
    let pair = pair(&[]);
    let members = members(&pair);
    let resolved = |value: fn(&str) -> String| {
        pair.each_ref().map(|(name, _, configuration, _)| {
            let token = value(name);
            configuration.resolve_secrets(&|_| Ok(Secret::from(token.clone()))).unwrap()
        })
    };
    let apart = resolved(str::to_owned);
    assert!(tokens_apart(&members, &apart.each_ref()).is_empty());
    let same = resolved(|_| "one".to_owned());
    let found = tokens_apart(&members, &same.each_ref());
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].0, found[0].1.line), (1, 11), "{found:?}");
    assert!(!found[0].1.to_string().contains("one\n"), "the token is not shown");
}

/// What a running hub says of a folder that takes what is another's: by reference, by what it leads to, or by path;
/// nobody is named.
#[test]
fn what_is_in_use_is_not_taken() {
    let pair = pair(&[
        ("GLOBEX_TOKEN", "NEW_TOKEN"),
        ("tenant: globex", "tenant: globex\nretention: {archive: ./old}"),
    ]);
    let [(_, there, acme, _), (_, here, globex, files)] = &pair;
    let resolved =
        |of: &Configuration, value: &str| of.resolve_secrets(&|_| Ok(Secret::from(value))).unwrap();
    let theirs = Own::of(there, acme, Some(&resolved(acme, "one")));
    let said = |own: &Own, theirs: &Own| shown(&own.taken(globex, files, &[theirs]));
    let apart = Own::of(here, globex, Some(&resolved(globex, "two")));
    assert_eq!(said(&apart, &theirs), "");
    assert_eq!(
        said(&apart, &Own::of(there, globex, Some(&resolved(globex, "one")))).matches("error").count(),
        1,
        "the name"
    );
    let token = said(&Own::of(here, globex, Some(&resolved(globex, "one"))), &theirs);
    assert!(
        token
            .starts_with("concord.yaml:12:33: error: the client `shop` cannot have this token: it is in use"),
        "{token}"
    );
    let both = said(&apart, &Own::of(here, globex, Some(&resolved(globex, "three"))));
    assert!(
        both.contains("concord.yaml:12:33: error: ")
            && both.contains("concord.yaml:2:22: error: the archive cannot be in this folder: it is in use"),
        "{both}"
    );
    assert!(![token, both].concat().contains("acme"), "nobody is named");
}
