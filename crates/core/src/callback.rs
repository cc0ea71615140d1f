//! Calls of the host: operations whose value a closure of the user computes, when it is asked for.
//!
//! They are no rows of the table: the laws of the table know what an operation computes, and nobody knows what
//! these do. All that is asked of a closure is that it computes the same of the same.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use pullback_base::{Aval, Error, Result, Shape};
use smallvec::SmallVec;

use crate::array::Array;
use crate::fun;
use crate::op::{Api, Batch, BatchRule, Diff, Dtypes, Infer, Kernel, OpDef, Reference, Results, Test};
use crate::params::Params;

/// A function of the host. It is called by the thread that asks for elements, between the steps of a run, and
/// may itself build arrays and ask for elements.
pub trait Callback: Send + Sync {
    /// Arrays for arrays. The arguments have their elements; the results need not.
    ///
    /// # Errors
    /// What the host raises; it ends the run, and is what whoever asked for elements gets.
    fn call(&self, args: &[Array]) -> Result<Vec<Array>>;
}

impl<F: Fn(&[Array]) -> Result<Vec<Array>> + Send + Sync> Callback for F {
    fn call(&self, args: &[Array]) -> Result<Vec<Array>> {
        self(args)
    }
}

/// What a call does under `vmap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VmapMethod {
    /// An error that names the others.
    Refuse,
    /// One call for each example, in order.
    Sequential,
    /// One call for all: operands that are not mapped get an axis of length 1 in front.
    ExpandDims,
    /// One call for all: operands that are not mapped are repeated.
    BroadcastAll,
}

/// A map over a call that is made once for each example.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Level {
    /// How many examples.
    pub size: usize,
    /// Per operand, whether it has the batch axis.
    pub mapped: Vec<bool>,
}

/// Params of a call of the host.
pub struct HostCall {
    /// Which row it is of.
    pub op: &'static OpDef,
    /// None once the node it belongs to has its elements: a closure may hold much, and nobody calls it again.
    fun: Mutex<Option<Arc<dyn Callback>>>,
    /// Types of the results of one call.
    pub avals: Vec<Aval>,
    /// What `vmap` makes of it.
    pub method: VmapMethod,
    /// Maps over it, outermost first, whose examples are calls of their own. Their axes are in front.
    pub levels: Vec<Level>,
}

impl HostCall {
    /// One call of `fun`, whose results are of the types `avals`.
    pub fn new(op: &'static OpDef, fun: Arc<dyn Callback>, avals: Vec<Aval>, method: VmapMethod) -> HostCall {
        HostCall { op, fun: Mutex::new(Some(fun)), avals, method, levels: Vec::new() }
    }

    /// The closure; none once it was forgotten.
    pub fn fun(&self) -> Option<Arc<dyn Callback>> {
        self.fun.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets go of the closure, and hands it over: what dies with it is not to die under a lock.
    pub(crate) fn forget(&self) -> Option<Arc<dyn Callback>> {
        self.fun.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Types of the results, with the axes of all levels.
    pub fn results(&self) -> Results {
        let lead = self.levels.iter().map(|level| level.size);
        let shape = |aval: &Aval| -> Shape { lead.clone().chain(aval.shape.iter().copied()).collect() };
        self.avals.iter().map(|aval| aval.reshaped(shape(aval))).collect()
    }
}

impl Clone for HostCall {
    fn clone(&self) -> HostCall {
        let (fun, avals) = (Mutex::new(self.fun()), self.avals.clone());
        HostCall { op: self.op, fun, avals, method: self.method, levels: self.levels.clone() }
    }
}

impl PartialEq for HostCall {
    /// Closures are the same if they are one.
    fn eq(&self, other: &HostCall) -> bool {
        let same = match (self.fun(), other.fun()) {
            (Some(a), Some(b)) => Arc::ptr_eq(&a, &b),
            _ => false,
        };
        same && self.avals == other.avals && self.method == other.method && self.levels == other.levels
    }
}

impl Eq for HostCall {}

impl Hash for HostCall {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.avals, self.method, &self.levels).hash(state);
    }
}

impl fmt::Debug for HostCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostCall({:?}, {:?}, {:?})", self.avals, self.method, self.levels)
    }
}

const fn row(name: &'static str, doc: &'static str, diff: Diff, batch: BatchRule) -> OpDef {
    OpDef {
        name,
        doc,
        args: &["args"],
        dtypes: Dtypes::Any,
        infer: Infer::Many(|params, _| Ok(params.host().results())),
        diff,
        batch: Batch::Custom(batch),
        kernel: Kernel::Host,
        api: Api::Composed,
        test: Test { reference: Reference::Elsewhere("engine/tests/host.rs"), samples: &[], ulps: 0. },
    }
}

const WRAP: &str = "wrap it in a custom function with a rule";

/// What a function of the user returns, which must have no effects that matter.
pub static PURE_CALLBACK: OpDef =
    row("pure_callback", "What a function of the host returns.", Diff::Opaque(WRAP), batched);
/// As `PURE_CALLBACK`, for functions of ours: their errors must not name what the user did not write.
pub static HOST_CALL: OpDef = row(
    "host_call",
    "What a function of the engine's host returns.",
    Diff::Opaque("what is computed by the host takes a custom function with a rule"),
    batched,
);
/// A kernel in the text of a user, which runs on the GPU: the closure hands it over to the device. So it is bound with
/// each run, waits for its operands and is refused a derivative as all calls are.
pub static WGSL_KERNEL: OpDef = row(
    "wgsl_kernel",
    "What a kernel of the user writes.",
    Diff::Opaque(WRAP),
    |params, xs, axes, size| match params.host().method {
        VmapMethod::Sequential => batched(params, xs, axes, size),
        _ => Err(Error::rule(
            "[wgsl_kernel] expected vmap_method='sequential' under vmap, got None: give it to the call, or give a \
             custom function around it a vmap rule",
        )),
    },
);

/// The results of a call of the host, made when somebody asks for one of them.
///
/// # Errors
/// `Value` for results that are none.
pub fn call(call: HostCall, args: &[&Array]) -> Result<SmallVec<[Array; 1]>> {
    let op = call.op;
    if call.avals.is_empty() {
        let text = "expected at least one result, got none: such a call would never be made";
        return Err(Error::value(format!("[{}] {text}", op.name)));
    }
    Array::apply_all(op, Params::Host(Box::new(call)), args)
}

/// Refuses results of other types than those declared.
///
/// # Errors
/// `Value`, and `Type` where only the dtype differs.
pub fn check(name: &str, want: &[Aval], got: &[Array]) -> Result<()> {
    if want.len() != got.len() {
        let (want, got) = (want.len(), got.len());
        return Err(Error::value(format!("[{name}] expected {want} results, got {got}")));
    }
    let Some(i) = (0..want.len()).find(|&i| want[i] != *got[i].aval()) else { return Ok(()) };
    let text = format!("[{name}] expected {} for result {i}, got {}", want[i], got[i].aval());
    Err(if want[i].shape == got[i].aval().shape { Error::type_(text) } else { Error::value(text) })
}

fn batched(
    params: &Params,
    xs: &[Array],
    axes: &[Option<usize>],
    size: usize,
) -> Result<Vec<(Array, Option<usize>)>> {
    let mut call = params.host().clone();
    let mut operands = xs.to_vec();
    match call.method {
        VmapMethod::Refuse => {
            return Err(Error::rule(format!(
                "[{}] expected a vmap_method under vmap, got None: \
                 give vmap_method='sequential', 'expand_dims' or 'broadcast_all'",
                call.op.name
            )));
        }
        VmapMethod::Sequential => {
            call.levels.insert(0, Level { size, mapped: axes.iter().map(Option::is_some).collect() });
        }
        VmapMethod::ExpandDims | VmapMethod::BroadcastAll => {
            for (x, _) in operands.iter_mut().zip(axes).filter(|(_, axis)| axis.is_none()) {
                *x = fun::reshape(x, x.shape().with(0, 1))?;
                if call.method == VmapMethod::BroadcastAll {
                    *x = fun::broadcast_to(x, &x.shape().without(0).with(0, size))?;
                }
            }
            call.avals.iter_mut().for_each(|aval| *aval = aval.reshaped(aval.shape.with(0, size)));
        }
    }
    let operands: SmallVec<[&Array; 3]> = operands.iter().collect();
    let outs = Array::apply_all(call.op, Params::Host(Box::new(call)), &operands)?;
    Ok(outs.into_iter().map(|out| (out, Some(0))).collect())
}
