//! Programs that have run: found again by address, else by what they are, with the tile code made of them.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use pullback_compile::Program;
use pullback_kernels::Isa;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::ir::{Axis, Layout};
use crate::run::Group;
use crate::translate::{Facts, Part, translate};

/// Programs kept before all are forgotten. Far above what a training loop has.
const LIMIT: usize = 4096;

/// What tile code depends on beside the program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Form {
    pub part: Part,
    pub axis: Option<Axis>,
    pub layouts: SmallVec<[Layout; 8]>,
}

/// A program and its tile code.
pub(crate) struct Known {
    pub program: Arc<Program>,
    pub facts: Facts,
    groups: RwLock<Vec<(Form, Arc<Group>)>>,
}

impl Known {
    pub(crate) fn new(program: Arc<Program>) -> Known {
        let facts = Facts::new(&program);
        Known { program, facts, groups: RwLock::default() }
    }

    /// The tile code of a form, made at most once.
    pub(crate) fn group(&self, form: Form, isa: Isa) -> Arc<Group> {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, group)) = groups.iter().find(|(known, _)| *known == form) {
            return group.clone();
        }
        drop(groups);
        let tiled = translate(&self.program, &self.facts, form.part, form.axis, &form.layouts);
        let group = Arc::new(Group::new(&tiled, isa));
        let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
        groups.push((form, group.clone()));
        group
    }
}

/// A program seen at an address.
struct Seen {
    known: Arc<Known>,
    /// Keeps the address from being used again.
    _program: Arc<Program>,
}

/// The programs of a device.
#[derive(Default)]
pub(crate) struct Programs {
    by_address: RwLock<FxHashMap<usize, Seen>>,
    by_content: Mutex<FxHashMap<Arc<Program>, Arc<Known>>>,
}

impl Programs {
    /// What is known of a program.
    pub(crate) fn get(&self, program: &Arc<Program>) -> Arc<Known> {
        let address = Arc::as_ptr(program) as usize;
        let by_address = self.by_address.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = by_address.get(&address) {
            return seen.known.clone();
        }
        drop(by_address);
        let mut by_content = self.by_content.lock().unwrap_or_else(PoisonError::into_inner);
        let mut by_address = self.by_address.write().unwrap_or_else(PoisonError::into_inner);
        if by_address.len() >= LIMIT {
            by_address.clear();
            by_content.clear();
        }
        let known = by_content
            .entry(program.clone())
            .or_insert_with(|| Arc::new(Known::new(program.clone())))
            .clone();
        by_address.insert(address, Seen { known: known.clone(), _program: program.clone() });
        known
    }

    /// How many different programs there are.
    pub(crate) fn len(&self) -> usize {
        self.by_content.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
