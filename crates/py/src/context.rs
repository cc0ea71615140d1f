//! The context of a `Function`: what its forward pass leaves for its rules.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use pullback::custom::Call;
use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use pyo3::{ffi, intern};
use smallvec::SmallVec;

use crate::array::PyArray;
use crate::convert;
use crate::device::On;
use crate::grads::stop_gradient;
use crate::held::Held;
use crate::tree::Tree;

type Needs = SmallVec<[bool; 4]>;

/// What `forward` leaves for `backward` and `jvp`: saved arrays, and attributes of any kind.
///
/// Its dict has the user's attributes and no more.
#[pyclass(frozen, dict, name = "_Context", module = "pullback")]
pub struct Context {
    needs: Needs,
    saved: Held<Option<Py<PyTuple>>>,
    saved_forward: Held<Option<Py<PyTuple>>>,
    fixed: Held<Option<Py<PyTuple>>>,
    dirty: Held<Option<Py<PyTuple>>>,
    materialize: AtomicBool,
}

impl Context {
    fn new(needs: Needs) -> Context {
        Context {
            needs,
            saved: Held::default(),
            saved_forward: Held::default(),
            fixed: Held::default(),
            dirty: Held::default(),
            materialize: AtomicBool::new(true),
        }
    }

    /// That of a forward pass on these arguments.
    pub fn before(args: &[Bound<'_, PyAny>]) -> Context {
        let inexact = |arg: &Bound<'_, PyAny>| {
            arg.cast::<PyArray>().is_ok_and(|array| array.get().of(arg.py()).is_inexact())
        };
        Context::new(args.iter().map(inexact).collect())
    }

    /// That of a rule for a call of these arguments, by what was packed.
    pub fn after<'py>(call: &Call, tree: &Tree, packed: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Context>> {
        let needed = |i: usize| call.needs[i] && call.inputs[i].is_inexact();
        let needs = match tree.is_of_arrays(call.inputs.len()) {
            true => (0..call.inputs.len()).map(needed).collect(),
            false => tree.spans().into_iter().map(|mut span| span.any(needed)).collect(),
        };
        let whole = Bound::new(packed.py(), Context::new(needs))?;
        let context = whole.get();
        let Ok(packed) = packed.cast::<PyList>() else {
            context.put(&context.saved, packed)?;
            return Ok(whole);
        };
        context.put(&context.saved, &packed.get_item(0)?)?;
        context.put(&context.saved_forward, &packed.get_item(1)?)?;
        whole.setattr(intern!(packed.py(), "__dict__"), packed.get_item(2)?)?;
        context.materialize.store(packed.get_item(3)?.is_truthy()?, Ordering::Relaxed);
        Ok(whole)
    }

    fn places(&self) -> [&Held<Option<Py<PyTuple>>>; 4] {
        [&self.saved, &self.saved_forward, &self.fixed, &self.dirty]
    }

    fn put(&self, place: &Held<Option<Py<PyTuple>>>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        if !value.is_none() {
            drop(place.replace(value.py(), Some(value.clone().cast_into::<PyTuple>()?.unbind())));
        }
        Ok(())
    }

    /// What rules need of it, as a tree: nearly always the saved arrays; a list where there is more.
    pub fn packed<'py>(slf: &Bound<'py, Context>) -> PyResult<Bound<'py, PyAny>> {
        let (py, context) = (slf.py(), slf.get());
        let (saved, forward) = (context.saved.bound(py), context.saved_forward.bound(py));
        let attributes = attributes(slf)?.filter(|attributes| !attributes.is_empty());
        if attributes.is_none() && forward.is_none() && context.materializes() {
            return Ok(saved.map_or_else(|| py.None().into_bound(py), Bound::into_any));
        }
        let attributes = attributes.unwrap_or_else(|| PyDict::new(py));
        let all = (saved, forward, attributes, context.materializes());
        Ok(all.into_pyobject(py)?.to_list().into_any())
    }

    /// Whether tangents and cotangents that are zero arrive as zeros.
    pub fn materializes(&self) -> bool {
        self.materialize.load(Ordering::Relaxed)
    }

    /// In forward mode, what was saved for it goes first.
    pub fn forwards(&self, py: Python<'_>) {
        if let Some(saved) = self.saved_forward.bound(py) {
            drop(self.saved.replace(py, Some(saved.unbind())));
        }
    }

    /// What the forward pass said of its arguments and outputs, by position.
    pub fn marks(&self, args: &[Bound<'_, PyAny>], out: &Bound<'_, PyAny>) -> PyResult<Option<Box<Marks>>> {
        let py = out.py();
        let (fixed, dirty) = (self.fixed.bound(py), self.dirty.bound(py));
        if fixed.is_none() && dirty.is_none() {
            return Ok(None);
        }
        let outs = listed(out);
        let among = |all: &[Bound<'_, PyAny>], one: &Bound<'_, PyAny>| all.iter().position(|x| x.is(one));
        let mut marks = Marks::default();
        for output in fixed.iter().flatten() {
            marks.fixed.extend(outs.iter().enumerate().filter(|(_, y)| y.is(&output)).map(|(i, _)| i));
        }
        for changed in dirty.iter().flatten() {
            let (Some(at), Some(to)) = (among(args, &changed), among(&outs, &changed)) else {
                return Err(PyValueError::new_err(
                    "[Function] expected mark_dirty to name an argument that is returned, got another array",
                ));
            };
            marks.dirty.push((at, to));
        }
        Ok(Some(Box::new(marks)))
    }
}

/// The user's attributes, if there are any: to ask for the dict would make one.
fn attributes<'py>(context: &Bound<'py, Context>) -> PyResult<Option<Bound<'py, PyDict>>> {
    static PLACE: OnceLock<isize> = OnceLock::new();
    let py = context.py();
    let offset = match PLACE.get() {
        Some(&offset) => offset,
        None => {
            let said = context.get_type().getattr(intern!(py, "__dictoffset__"))?.extract()?;
            *PLACE.get_or_init(|| said)
        }
    };
    if offset <= 0 {
        return Err(convert::broken("[Function] expected a context with a dict"));
    }
    // SAFETY: where objects of this class, which has no subclass, have the pointer to their dict, null until there is
    // one; attached.
    let dict = unsafe {
        let place = context.as_ptr().byte_offset(offset).cast::<*mut ffi::PyObject>();
        Bound::from_borrowed_ptr_or_opt(py, *place)
    };
    dict.map(|dict| Ok(dict.cast_into::<PyDict>()?)).transpose()
}

#[pymethods]
impl Context {
    /// For each argument whether a derivative with respect to it is asked for; in `forward`, whether it can be.
    #[getter]
    fn needs_input_grad<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.needs.iter())
    }

    /// The arrays that were saved.
    #[getter]
    fn saved_tensors<'py>(&self, py: Python<'py>) -> Bound<'py, PyTuple> {
        let saved = self.saved.bound(py).or_else(|| self.saved_forward.bound(py));
        saved.unwrap_or_else(|| PyTuple::empty(py))
    }

    /// Keeps arrays (`None` is allowed) for `backward`, as `saved_tensors`.
    #[pyo3(signature = (*arrays))]
    fn save_for_backward(&self, arrays: Bound<'_, PyTuple>) {
        drop(self.saved.replace(arrays.py(), Some(arrays.unbind())));
    }

    /// Keeps arrays for `jvp`, as `saved_tensors`, where `save_for_backward` has not been called.
    #[pyo3(signature = (*arrays))]
    fn save_for_forward(&self, arrays: Bound<'_, PyTuple>) {
        drop(self.saved_forward.replace(arrays.py(), Some(arrays.unbind())));
    }

    /// Says of outputs that they have no derivative.
    #[pyo3(signature = (*outputs))]
    fn mark_non_differentiable(&self, outputs: Bound<'_, PyTuple>) {
        drop(self.fixed.replace(outputs.py(), Some(outputs.unbind())));
    }

    /// Says of arguments that they are changed in place, and returned: so is what the caller passed.
    #[pyo3(signature = (*inputs))]
    fn mark_dirty(&self, inputs: Bound<'_, PyTuple>) {
        drop(self.dirty.replace(inputs.py(), Some(inputs.unbind())));
    }

    /// Whether cotangents and tangents that are zero arrive as zeros, as they do unless said otherwise, or as `None`.
    fn set_materialize_grads(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.materialize.store(value.is_truthy()?, Ordering::Relaxed);
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.places().into_iter().try_for_each(|place| place.visit(&visit))
    }

    fn __clear__(&self) {
        self.places().into_iter().for_each(Held::clear);
    }
}

/// What a forward pass said of its arguments and outputs, by position.
#[derive(Default)]
pub struct Marks {
    fixed: Vec<usize>,
    /// Arguments that are changed, and the outputs that they are.
    dirty: Vec<(usize, usize)>,
}

/// The outputs, one by one.
fn listed<'py>(out: &Bound<'py, PyAny>) -> Vec<Bound<'py, PyAny>> {
    match out.cast::<PyTuple>() {
        Ok(outs) => outs.iter().collect(),
        Err(_) => vec![out.clone()],
    }
}

impl Marks {
    /// What the caller gets of a call with these arguments.
    pub fn said_of<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        out: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = args.py();
        let mut outs = listed(&out);
        for &i in &self.fixed {
            outs[i] = stop_gradient(&outs[i], On::default())?;
        }
        for &(at, to) in &self.dirty {
            let changed = args.get_item(at)?;
            changed.set_item(py.Ellipsis(), &outs[to])?;
            outs[to] = changed;
        }
        Ok(match out.cast_exact::<PyTuple>() {
            Ok(_) => PyTuple::new(py, outs)?.into_any(),
            Err(_) if out.is_instance_of::<PyTuple>() => out.get_type().call_method1("_make", (outs,))?,
            Err(_) => outs.swap_remove(0),
        })
    }
}
