//! `compile`: a function traced once for each structure of its arguments, and called without Python from then on.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use pullback::transform::{self, Traced};
use pullback::{Array, Aval, Device, origin, place};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::array::PyArray;
use crate::convert;
use crate::error::{OrRaise, guard, host};
use crate::places::{Place, lasting, places};
use crate::random;
use crate::site;
use crate::tree::{self, Tree};
use crate::vmap::{call_tree, flatten_call};
use crate::wrap::{self, Reduced, looks_like_its_function};

thread_local! {
    /// Custom functions that were called in the trace that is running, with the versions of their rules.
    static TOUCHED: RefCell<Vec<Vec<Use>>> = const { RefCell::new(Vec::new()) };
}

/// A custom function's count of registrations, and what it was.
type Use = (Arc<AtomicU64>, u64);

/// Notes that a custom function was called: a compiled function is traced anew when its rules have changed.
pub fn touch(version: &Arc<AtomicU64>) {
    TOUCHED.with_borrow_mut(|stack| {
        let now = version.load(Ordering::Relaxed);
        for uses in stack {
            if !uses.iter().any(|(known, _)| Arc::ptr_eq(known, version)) {
                uses.push((version.clone(), now));
            }
        }
    });
}

/// Collects what is touched while it lives.
struct Touching;

impl Touching {
    fn start() -> Touching {
        TOUCHED.with_borrow_mut(|stack| stack.push(Vec::new()));
        Touching
    }
}

impl Drop for Touching {
    fn drop(&mut self) {
        TOUCHED.with_borrow_mut(Vec::pop);
    }
}

/// What a trace depends on, but for what the function reads from elsewhere.
struct Key {
    tree: Tree,
    state: Tree,
    avals: Vec<Aval>,
    device: Device,
    /// Where each argument is placed, if it is.
    places: Vec<Option<Device>>,
}

/// What was traced for one structure of arguments.
struct Entry {
    key: Key,
    uses: Vec<Use>,
    traced: Traced,
    shape: Tree,
    /// How many arrays the function returned; the rest is state.
    results: usize,
    /// Whether it drew random numbers from the global state.
    draws: bool,
}

/// Structures that one function keeps.
const ENTRIES_MAX: usize = 64;

/// A compiled function.
#[pyclass(frozen, dict, weakref, module = "pullback")]
pub struct Compiled {
    fun: Py<PyAny>,
    inputs: Py<PyAny>,
    outputs: Py<PyAny>,
    shapeless: bool,
    entries: Mutex<Vec<Arc<Entry>>>,
    /// The structure of the state where no inputs are named.
    plain: OnceLock<Tree>,
}

looks_like_its_function!(Compiled);

impl Compiled {
    fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.fun)?;
        visit.call(&self.inputs)?;
        visit.call(&self.outputs)
    }
}

/// `fun`, whose Python code runs once for each structure of its arguments: shapes, types, and the values of what
/// is no array. `inputs` are lists or dicts of arrays that `fun` reads, `outputs` such that it changes. The state of
/// `pb.random` is read and changed without being named. A rule registered later is used.
///
/// >>> f = pb.compile(lambda x: pb.exp(x) + 1)
/// >>> f(pb.array(0.0)).item()
/// 2.0
#[pyfunction]
#[pyo3(signature = (fun, inputs=None, outputs=None, shapeless=false))]
pub fn compile(
    py: Python<'_>,
    fun: &Bound<'_, PyAny>,
    inputs: Option<Py<PyAny>>,
    outputs: Option<Py<PyAny>>,
    shapeless: bool,
) -> PyResult<Py<Compiled>> {
    wrap::callable(fun, "compile")?;
    let compiled = Compiled {
        fun: fun.clone().unbind(),
        inputs: inputs.unwrap_or_else(|| py.None()),
        outputs: outputs.unwrap_or_else(|| py.None()),
        shapeless,
        entries: Mutex::default(),
        plain: OnceLock::new(),
    };
    wrap::dressed(fun, compiled)
}

/// Whether functions are compiled: 0 until somebody asks, then as the environment says, or the last call.
static ENABLED: AtomicU8 = AtomicU8::new(0);
const YES: u8 = 1;
const NO: u8 = 2;

fn disabled() -> bool {
    if ENABLED.load(Ordering::Relaxed) == 0 {
        let set = std::env::var_os("PULLBACK_DISABLE_COMPILE").is_some_and(|value| !value.is_empty());
        ENABLED.store(if set { NO } else { YES }, Ordering::Relaxed);
    }
    ENABLED.load(Ordering::Relaxed) == NO
}

/// From now on calls of compiled functions run their Python code, in all threads. So does the environment variable
/// `PULLBACK_DISABLE_COMPILE`, if it is set before the first call.
///
/// >>> f = pb.compile(lambda x: print("called") or x)
/// >>> pb.disable_compile()
/// >>> y, z = f(pb.array(1.0)), f(pb.array(1.0))
/// called
/// called
/// >>> pb.enable_compile()
#[pyfunction]
pub fn disable_compile() {
    ENABLED.store(NO, Ordering::Relaxed);
}

/// Undoes `disable_compile`, and the environment variable.
///
/// >>> pb.enable_compile()
#[pyfunction]
pub fn enable_compile() {
    ENABLED.store(YES, Ordering::Relaxed);
}

#[pymethods]
impl Compiled {
    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if transform::any_active() || disabled() {
            // Part of a larger trace, in which it is inlined; or nobody wants it.
            return self.fun.bind(py).call(args, kwargs);
        }
        guard(|| self.call(py, args, kwargs))
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Reduced<'py>> {
        let shapeless = self.shapeless.into_pyobject(py)?.to_owned().into_any();
        let parts = [self.fun.bind(py), self.inputs.bind(py), self.outputs.bind(py), &shapeless];
        Ok((wrap::maker(py, "compile")?, PyTuple::new(py, parts)?))
    }

    /// How many structures of arguments it has been traced for.
    #[getter]
    fn _entries(&self) -> usize {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Compiled {
    fn call<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (mut arrays, tree) = flatten_call(py, args, kwargs)?;
        let random = random::state(py)?;
        let random = random.bind(py);
        let (held, state_tree) = self.state(py, random)?;
        arrays.extend(held);
        let avals: Vec<Aval> = arrays.iter().map(|x| x.aval().clone()).collect();
        let places = arrays.iter().map(|x| x.node().placed.then_some(x.node().device)).collect();
        let key = Key { tree, state: state_tree, avals, device: place::current(), places };
        let entry = match self.known(py, &key)? {
            Some(entry) => entry,
            None => self.trace(py, key, random)?,
        };
        let within =
            || format!("compiled '{}', called at {}", wrap::name_of(self.fun.bind(py)), site::caller(py));
        let outs = {
            let _within = origin::within(within);
            entry.traced.call(&arrays).or_raise()?
        };
        let (results, after) = outs.split_at(entry.results);
        let mut targets = Vec::new();
        self.changed(py, random, entry.draws, &mut targets)?;
        if targets.len() != after.len() {
            return Err(convert::broken("[compile] expected the outputs to keep their structure"));
        }
        for (place, array) in targets.iter().zip(after) {
            place.put(Bound::new(py, PyArray::new(array.clone()))?.as_any())?;
        }
        entry.shape.rebuild(py, results)
    }

    /// Arrays that are read besides the arguments: those named, and the random state.
    fn state(&self, py: Python<'_>, random: &Bound<'_, PyList>) -> PyResult<(Vec<Array>, Tree)> {
        if self.inputs.is_none(py)
            && random.len() == 1
            && let Ok(key) = random.get_item(0)?.cast_exact::<PyArray>()
            && let Some(tree) = self.plain.get()
        {
            return Ok((vec![key.get().get()], tree.clone()));
        }
        let both = PyTuple::new(py, [self.inputs.bind(py), random.as_any()])?;
        let (held, tree) = tree::flatten(both.as_any())?;
        if self.inputs.is_none(py) && held.len() == 1 {
            let _ = self.plain.set(tree.clone());
        }
        Ok((held, tree))
    }

    /// Places of the arrays that are written.
    fn changed<'py>(
        &self,
        py: Python<'py>,
        random: &Bound<'py, PyList>,
        draws: bool,
        found: &mut Vec<Place<'py>>,
    ) -> PyResult<()> {
        if !self.outputs.is_none(py) {
            places(self.outputs.bind(py), found)?;
        }
        if draws { places(random.as_any(), found) } else { Ok(()) }
    }

    fn known(&self, py: Python<'_>, key: &Key) -> PyResult<Option<Arc<Entry>>> {
        // Comparing runs Python code: not under the lock.
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for entry in entries {
            let current = |(version, was): &Use| version.load(Ordering::Relaxed) == *was;
            let known = &entry.key;
            if known.device == key.device
                && known.avals == key.avals
                && known.places == key.places
                && entry.uses.iter().all(current)
                && known.tree.same(py, &key.tree)?
                && known.state.same(py, &key.state)?
            {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    fn trace<'py>(&self, py: Python<'py>, key: Key, random: &Bound<'py, PyList>) -> PyResult<Arc<Entry>> {
        let mut before = Vec::new();
        places(self.inputs.bind(py), &mut before)?;
        places(random.as_any(), &mut before)?;
        let originals = before.iter().map(Place::array).collect::<PyResult<Vec<Array>>>()?;
        let taken = RefCell::new(None);
        let touching = Touching::start();
        let inner = |leaves: &[Array]| -> pullback::Result<Vec<Array>> {
            let run = || -> PyResult<Vec<Array>> {
                let (own, held) = leaves.split_at(leaves.len() - before.len());
                for (place, leaf) in before.iter().zip(held) {
                    place.put(Bound::new(py, PyArray::new(leaf.clone()))?.as_any())?;
                }
                let (outs, shape) = call_tree(self.fun.bind(py), &key.tree, own)?;
                let mut outs = outs.into_vec();
                let results = outs.len();
                let mut keys = Vec::new();
                places(random.as_any(), &mut keys)?;
                // A key that is still the leaf was not used, and need not be put back.
                let same = |(key, leaf): (&Array, &Array)| key.key() == leaf.key();
                let now = keys.iter().map(Place::array).collect::<PyResult<Vec<Array>>>()?;
                let draws = !now.iter().rev().zip(held.iter().rev()).all(same);
                let mut after = Vec::new();
                self.changed(py, random, draws, &mut after)?;
                for place in &after {
                    outs.push(place.array()?);
                }
                taken.replace(Some((shape, results, draws)));
                Ok(outs)
            };
            run().map_err(host)
        };
        lasting(self.outputs.bind(py))?;
        let traced = transform::trace_at(&inner, &key.avals, &key.places);
        let uses = TOUCHED.with_borrow_mut(|stack| stack.last_mut().map(std::mem::take).unwrap_or_default());
        drop(touching);
        // Whatever happened, no tracer stays behind in the user's containers.
        for (place, array) in before.iter().zip(&originals) {
            place.restore(array)?;
        }
        let traced = traced.or_raise()?;
        wrap::warn(py)?;
        let (shape, results, draws) =
            taken.take().ok_or_else(|| convert::broken("[compile] expected the function to be called"))?;
        let entry = Arc::new(Entry { key, uses, traced, shape, results, draws });
        self.keep(entry.clone());
        Ok(entry)
    }

    /// Keeps an entry, and lets go of those that are of no use any more.
    fn keep(&self, entry: Arc<Entry>) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        // What was traced with other rules is of no use any more.
        let current = |(version, was): &Use| version.load(Ordering::Relaxed) == *was;
        let mut stale: Vec<Arc<Entry>> = Vec::new();
        entries.retain(|entry| {
            let keep = entry.uses.iter().all(current);
            if !keep {
                stale.push(entry.clone());
            }
            keep
        });
        if entries.len() >= ENTRIES_MAX {
            stale.push(entries.remove(0));
        }
        entries.push(entry);
        drop(entries);
        drop(stale);
    }
}
