//! Recomputation as a rule, and what need not be computed again.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, OnceLock};

use pullback_base::{Error, Result};
use pullback_core::custom::fence::{self, after};
use pullback_core::custom::{
    Body, BodyFn, Call, Captured, CustomCall, Function, Missing, Offers, Owner, Rules, Site, Value, fresh_id,
};
use pullback_core::op::Kernel;
use pullback_core::{Array, Inputs, Key, Node, NodeKind, Outputs, Params, trace};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::smallvec;

use super::derive::{pull_some, recorded};
use super::door::call;
use crate::forward;
use crate::substitute::{order, substitute};
use crate::walk::id;

/// Calls `f` so that reverse mode recomputes it instead of keeping what it computed. What `f` captured is one
/// more argument of the rule, and gets its true gradient.
///
/// ```
/// use pullback_base::{Dtype, Scalar};
/// use pullback_core::Array;
/// use pullback_transform::custom::Site;
/// use pullback_transform::{checkpoint, grad};
///
/// # fn main() -> pullback_base::Result<()> {
/// let block = |x: &[Array]| {
///     let site = Site { file: file!(), line: line!() };
///     checkpoint(|x| Ok(vec![&x[0] * &x[0]]), x, site)
/// };
/// grad(&block, &[Array::scalar(Scalar::Float(3.), Dtype::F32)], &[0])?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// What `f` answers.
pub fn checkpoint(
    f: impl Fn(&[Array]) -> Result<Vec<Array>> + Send + Sync + 'static,
    args: &[Array],
    site: Site,
) -> Result<Vec<Array>> {
    checkpoint_with(f, args, Policy::Nothing, site)
}

/// Which values of a checkpoint are kept, and not computed again. A name is given by `checkpoint_name`, to the value
/// itself: what is in between (a cast, a call of a custom function) makes no other value of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Policy {
    Nothing,
    Everything,
    Only(Arc<[String]>),
    Except(Arc<[String]>),
}

/// As `checkpoint`, but for values that the policy keeps.
///
/// ```
/// use pullback_base::{Dtype, Scalar};
/// use pullback_core::Array;
/// use pullback_transform::custom::Site;
/// use pullback_transform::{Policy, checkpoint_name, checkpoint_with, grad};
///
/// # fn main() -> pullback_base::Result<()> {
/// let block = |x: &[Array]| {
///     let site = Site { file: file!(), line: line!() };
///     let square = |x: &[Array]| Ok(vec![checkpoint_name(&(&x[0] * &x[0]), "square")? * 2.]);
///     checkpoint_with(square, x, Policy::Only([String::from("square")].into()), site)
/// };
/// grad(&block, &[Array::scalar(Scalar::Float(3.), Dtype::F32)], &[0])?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// What `f` answers.
pub fn checkpoint_with(
    f: impl Fn(&[Array]) -> Result<Vec<Array>> + Send + Sync + 'static,
    args: &[Array],
    policy: Policy,
    site: Site,
) -> Result<Vec<Array>> {
    let func = Function {
        id: fresh_id(),
        name: "checkpoint".into(),
        args: (0..args.len()).map(|i| i.to_string()).collect(),
        missing: Missing::Derive,
        captured: Captured::Argument,
    };
    let func = Arc::new(func);
    let rules = Arc::new(Checkpoint { fun: Arc::new(f), policy, held: OnceLock::new() });
    let outs = call(Owner { func: func.clone(), rules: rules.clone() }, site, args.into())?;
    if DEPTH.get() == 0
        && let Some(custom) = outs.first().and_then(|out| out.node().custom())
        && Arc::ptr_eq(&custom.owner.func, &func)
        && let Some(body) = custom.body.get()
    {
        let kept = kept_by(&rules.policy, body).into_iter();
        let _ = rules.held.set(kept.flat_map(|kept| [viewed(kept.computed), kept.there]).collect());
    }
    Ok(outs.into_vec())
}

thread_local! {
    /// How many checkpoints are running. One within another holds nothing: the outer one says what is kept.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

struct Within;

thread_local! {
    /// What was given a name in the checkpoints that are running: where something is evaluated before they end, it is
    /// kept as well.
    static NAMED: RefCell<Vec<Array>> = const { RefCell::new(Vec::new()) };
}

impl Within {
    fn enter() -> Within {
        DEPTH.set(DEPTH.get() + 1);
        Within
    }
}

impl Drop for Within {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
        if DEPTH.get() == 0 {
            // Moved out first: dropping arrays may run code that looks here.
            drop(NAMED.take());
        }
    }
}

/// `x`, by a name that policies of `checkpoint` know it by.
///
/// # Errors
/// None.
pub fn checkpoint_name(x: &Array, name: &str) -> Result<Array> {
    if DEPTH.get() > 0 {
        NAMED.with_borrow_mut(|named| named.push(x.clone()));
    }
    fence::checkpoint_name(x, name)
}

/// A value that is kept.
struct Kept {
    /// What is computed for it.
    computed: Array,
    /// The same where it has its elements already, if it has: by its name, or as the result of a call.
    there: Array,
}

/// What a policy keeps of a body.
fn kept_by(policy: &Policy, body: &Body) -> Vec<Kept> {
    let (names, only): (&[String], bool) = match policy {
        Policy::Nothing => return Vec::new(),
        Policy::Everything => (&[], false),
        Policy::Only(names) => (names, true),
        Policy::Except(names) => (names, false),
    };
    let order = order(&body.outs, &body.leaves, &[], body.number);
    let inside: FxHashSet<usize> = order.iter().map(id).collect();
    let named = order.iter().filter_map(|node| match &node.kind {
        NodeKind::Op(_, Params::Name(name)) if names.iter().any(|other| **other == **name) => {
            kept(&Array::output(node, 0), &inside)
        }
        _ => None,
    });
    if only {
        return distinct(named);
    }
    let named: FxHashSet<Key> = named.map(|kept| kept.computed.key()).collect();
    let all = order.iter().flat_map(|node| node.outputs()).filter_map(|x| kept(&x, &inside));
    distinct(all).into_iter().filter(|kept| !named.contains(&kept.computed.key())).collect()
}

/// What `x` looks at: it is that whose elements are kept, for a view has none of its own.
fn viewed(mut x: Array) -> Array {
    while let NodeKind::Op(op, _) = &x.node().kind
        && let Kernel::View(_) = op.kernel
        && let Some(operand) = x.node().with_inputs(|inputs| inputs.first().cloned())
    {
        x = operand;
    }
    x
}

/// Each value once; of several that are the same, one that is there.
fn distinct(all: impl Iterator<Item = Kept>) -> Vec<Kept> {
    let (mut at, mut found) = (FxHashMap::default(), Vec::<Kept>::new());
    for kept in all {
        let next = found.len();
        match at.entry(kept.computed.key()).or_insert(next) {
            known if *known == next => found.push(kept),
            known if found[*known].there.data().is_none() => found[*known] = kept,
            _ => {}
        }
    }
    found
}

/// What is kept where `x` is: neither a name nor an alias of it, nor a call whose body answers, is computed. `None`
/// where that is an argument.
fn kept(x: &Array, inside: &FxHashSet<usize>) -> Option<Kept> {
    let (mut x, mut there) = (x.clone(), None);
    while inside.contains(&id(x.node())) {
        if x.data().is_some() {
            there.get_or_insert_with(|| x.clone());
        }
        let below = match &x.node().kind {
            NodeKind::Alias | NodeKind::Op(_, Params::Name(_)) => x.node().inputs().first().cloned(),
            NodeKind::Custom => x.node().custom()?.body.get().map(|body| body.outs[x.out()].clone()),
            _ => None,
        };
        match below {
            Some(below) => x = below,
            None => return Some(Kept { there: there.unwrap_or_else(|| x.clone()), computed: x }),
        }
    }
    None
}

/// The value of `saved`, with the derivative of `again`: a call, because where values are computed its body alone
/// counts, and where derivatives are its rule.
fn instead(again: Array, saved: &Array, site: &Site) -> Array {
    struct Pass;
    impl Rules for Pass {
        fn offers(&self) -> Offers {
            Offers { vjp: true, jvp: true, ..Offers::default() }
        }
        fn run(&self, inputs: &[Array]) -> Result<Outputs> {
            Ok(inputs.into())
        }
        fn vjp(&self, _: &Call, cotangents: &[Option<Array>]) -> Result<Value> {
            Ok(cotangents.to_vec().into())
        }
        fn jvp(&self, _: &Call, tangents: &[Option<Array>]) -> Result<Value> {
            Ok(tangents.to_vec().into())
        }
    }
    let number = trace::next();
    let func = Function {
        id: fresh_id(),
        name: "checkpoint_name".into(),
        args: ["a".into()].into(),
        missing: Missing::Derive,
        captured: Captured::Constant,
    };
    let owner = Owner { func: Arc::new(func), rules: Arc::new(Pass) };
    let body = Body { leaves: smallvec![again.alias(number)], outs: smallvec![saved.clone()], number };
    let call = CustomCall::new(owner, *site, 1).with_body(body);
    let aval = saved.aval().clone();
    Array::output(&call.into_node(smallvec![again, saved.clone()], smallvec![aval]), 0)
}

struct Checkpoint {
    fun: Arc<BodyFn>,
    policy: Policy,
    /// What is kept, so that it is still there when the results have been computed before the cotangents come.
    held: OnceLock<Vec<Array>>,
}

/// The node of a call, which is batched into itself and so never without.
fn recorded_call<'a>(call: &Call<'a>) -> Result<(&'a Arc<Node>, Arc<CustomCall>)> {
    let node = call.node;
    let custom = node.and_then(|node| node.custom());
    node.zip(custom).ok_or_else(|| Error::internal("[checkpoint] lost its recorded body"))
}

impl Rules for Checkpoint {
    fn offers(&self) -> Offers {
        Offers { vjp: true, jvp: true, ..Offers::default() }
    }

    fn run(&self, inputs: &[Array]) -> Result<Outputs> {
        let _within = Within::enter();
        (self.fun)(inputs).map(Outputs::from_vec)
    }

    /// The recorded body again, over copies of the arguments that wait for the cotangent. The function itself is
    /// not called a second time: what it drew at random it drew once.
    fn vjp(&self, call: &Call, cotangents: &[Option<Array>]) -> Result<Value> {
        let (node, custom) = recorded_call(call)?;
        let body = recorded(node, &custom)?;
        let Some(start) = cotangents.iter().flatten().next() else {
            return Ok(vec![None; call.inputs.len()].into());
        };
        if self.policy == Policy::Everything {
            // No list of what is kept: nothing is done twice.
            return Ok(pull_some(body, cotangents, &body.leaves, call.needs, &[])?.into_iter().collect());
        }
        let kept: FxHashMap<Key, Array> =
            kept_by(&self.policy, body).into_iter().map(|kept| (kept.computed.key(), kept.there)).collect();
        let put = |old: &Array, new: Array| {
            Ok(match kept.get(&old.key()) {
                Some(there) => instead(new, there, call.site),
                None => new,
            })
        };
        let number = trace::next();
        let copy = |x: &Array| Ok(after(x, start)?.alias(number));
        let copies: Inputs = call.inputs.iter().map(copy).collect::<Result<_>>()?;
        let outs = substitute(&body.outs, &body.leaves, &copies, body.number, &put)?;
        let again = Body { leaves: copies, outs: outs.into(), number };
        Ok(pull_some(&again, cotangents, &again.leaves, call.needs, &[])?.into_iter().collect())
    }

    /// Forward mode keeps nothing: the recorded body will do.
    fn jvp(&self, call: &Call, tangents: &[Option<Array>]) -> Result<Value> {
        let (node, custom) = recorded_call(call)?;
        let body = recorded(node, &custom)?;
        Ok(forward::push(&body.outs, &body.leaves, tangents, body.number)?.into())
    }

    fn batched(&self) -> Option<Arc<dyn Rules>> {
        let (fun, policy) = (self.fun.clone(), self.policy.clone());
        Some(Arc::new(Checkpoint { fun, policy, held: OnceLock::new() }))
    }
}
