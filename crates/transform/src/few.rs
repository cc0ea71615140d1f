//! A set for walks over graphs that are nearly always small: those of bodies and rules.

use std::hash::Hash;

use rustc_hash::FxHashSet;
use smallvec::SmallVec;

/// A set whose first members are looked through, without memory of its own.
pub(crate) struct Few<T> {
    first: SmallVec<[T; 8]>,
    more: FxHashSet<T>,
}

impl<T> Default for Few<T> {
    fn default() -> Few<T> {
        Few { first: SmallVec::new(), more: FxHashSet::default() }
    }
}

impl<T: Eq + Hash> Few<T> {
    pub fn has(&self, key: &T) -> bool {
        self.first.contains(key) || !self.more.is_empty() && self.more.contains(key)
    }

    /// Whether it is new.
    pub fn insert(&mut self, key: T) -> bool {
        if self.first.contains(&key) {
            return false;
        }
        if self.first.len() < self.first.inline_size() {
            self.first.push(key);
            return true;
        }
        self.more.insert(key)
    }
}

impl<T: Eq + Hash> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(keys: I) -> Few<T> {
        let mut few = Few::default();
        keys.into_iter().for_each(|key| _ = few.insert(key));
        few
    }
}
