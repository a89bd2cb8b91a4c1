//! What an object's vendor does with values, and by which values it knows an object.

use std::collections::BTreeMap;

use canonical::{Rewrite, Rewrites};

use super::Compiler;
use crate::path::Path;
use crate::source::ObjectSource;

impl Compiler<'_> {
    /// What the vendor makes of values, by path.
    pub(super) fn rewrites(&mut self, source: &ObjectSource) -> Rewrites {
        let mut paths = BTreeMap::new();
        for (path, all) in &source.normalises {
            let (at, all) = (all.referenced, &all.value.0);
            let plain = path.strip_suffix('*').map_or(Some(path.as_str()), |start| match start {
                "" => Some("all"),
                start => start.strip_suffix('.'),
            });
            match plain.filter(|plain| !plain.is_empty()).map(Path::parse) {
                Some(Ok(_)) => {}
                Some(Err(why)) => self.error(at, format!("normalises: `{path}` is not a path: {why}"), ""),
                None => {
                    let hint = "write `*` for all paths, or `a.*` for those under `a`";
                    self.error(at, format!("normalises: `{path}` is not a path"), hint);
                }
            }
            if let Some((what, hint)) = Rewrite::flaw(all) {
                self.error(at, format!("normalises.{path}: {what}"), hint);
            }
            paths.insert(path.clone(), all.clone());
        }
        Rewrites::new(paths)
    }

    /// The sets of paths by which the vendor knows an object.
    pub(super) fn natural_keys(&mut self, source: &ObjectSource) -> Vec<Vec<String>> {
        let mut keys: Vec<Vec<String>> = Vec::new();
        for key in &source.keys {
            if key.value.is_empty() {
                let hint = "name the paths whose values the vendor holds to be unique together";
                self.error(key.referenced, "keys: a key names nothing", hint);
                continue;
            }
            let mut paths: Vec<String> = Vec::new();
            for path in &key.value {
                let mut text = path.value.clone();
                if text.contains('{') {
                    self.fill(&mut text, path.referenced);
                }
                match Path::parse(&text) {
                    Ok(_) if !text.is_empty() && !paths.contains(&text) => {}
                    Ok(_) => {
                        let what = format!("keys: `{}` names nothing more", path.value);
                        self.error(path.referenced, what, "name each path once");
                    }
                    Err(why) => {
                        let what = format!("keys: `{}` is not a path: {why}", path.value);
                        self.error(path.referenced, what, "");
                    }
                }
                paths.push(text);
            }
            if keys.contains(&paths) {
                self.error(key.referenced, "keys: the same key stands here twice", "keep one");
            }
            keys.push(paths);
        }
        keys
    }
}
