//! A set and a map for walks over graphs that are nearly always small: those of bodies and rules.

use std::hash::Hash;

use pullback_base::Result;
use pullback_core::{Array, Key, fun};
use rustc_hash::{FxHashMap, FxHashSet};
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

/// Cotangents by what they are of. Few are known at a time: they are taken out where they are used.
#[derive(Default)]
pub(crate) struct Known {
    first: SmallVec<[(Key, Array); 8]>,
    more: FxHashMap<Key, Array>,
}

impl Known {
    fn position(&self, key: &Key) -> Option<usize> {
        self.first.iter().position(|(known, _)| known == key)
    }

    pub fn get(&self, key: &Key) -> Option<&Array> {
        match self.position(key) {
            Some(at) => Some(&self.first[at].1),
            None => self.more.get(key),
        }
    }

    pub fn take(&mut self, key: &Key) -> Option<Array> {
        match self.position(key) {
            Some(at) => Some(self.first.swap_remove(at).1),
            None if self.more.is_empty() => None,
            None => self.more.remove(key),
        }
    }

    /// Adds to what is known.
    pub fn give(&mut self, key: Key, g: Array) -> Result<()> {
        let known = match self.position(&key) {
            Some(at) => Some(&mut self.first[at].1),
            None => self.more.get_mut(&key),
        };
        if let Some(known) = known {
            *known = fun::add(known, &g)?;
        } else if self.first.len() < self.first.inline_size() {
            self.first.push((key, g));
        } else {
            self.more.insert(key, g);
        }
        Ok(())
    }
}
