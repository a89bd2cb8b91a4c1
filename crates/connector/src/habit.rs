//! What a connector says of its vendor's habits: what becomes of values there, and by which values an object is known.

use canonical::{Object, Rewrites};

use crate::connector::Connector;

impl Connector {
    /// What the vendor makes of the values at the paths of that object; `None`: there is no such object.
    #[must_use]
    pub fn rewrites(&self, object: &Object) -> Option<&Rewrites> {
        Some(&self.object(object)?.rewrites)
    }

    /// The sets of paths, as mappings write them, whose values together the vendor has once only: a second object with them
    /// is refused, or becomes the same one.
    #[must_use]
    pub fn natural_keys(&self, object: &Object) -> &[Vec<String>] {
        self.object(object).map_or(&[], |plan| plan.natural_keys.as_slice())
    }
}
