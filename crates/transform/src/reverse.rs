//! Reverse mode.

use std::sync::Arc;

use pullback_base::{Error, Kind as Family, Result};
use pullback_core::op::Diff;
use pullback_core::origin::{self, How};
use pullback_core::trace::Live;
use pullback_core::{Array, Node, NodeKind, fun, place};
use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};

use crate::custom::derive;
use crate::few::Known;
use crate::forward::{fit_all, opaque};
use crate::stack::{self, Kind};
use crate::walk::{Reached, flowing, id};
use crate::{Derivatives, Fun, count};

/// A function that has been traced, for walks to come.
pub(crate) struct Trail {
    pub outs: Vec<Array>,
    pub leaves: Vec<Array>,
    pub number: u64,
    /// What was traced keeps its history for as long as this lives.
    _live: Option<Live>,
}

impl Trail {
    /// Runs `f` on leaves of a new trace, which is named in errors.
    pub fn run(name: &'static str, f: &Fun, leaves: impl FnOnce(u64) -> Vec<Array>) -> Result<Trail> {
        let trace = stack::open(Kind::Derivative(name));
        let number = trace.number;
        let leaves = leaves(number);
        let outs = f(&leaves)?;
        let _live = trace.close().map(Live::ended);
        Ok(Trail { outs, leaves, number, _live })
    }

    /// Cotangents of the leaves, given those of the results.
    pub fn pull(&self, op: &str, cotangents: &[Option<Array>]) -> Result<Vec<Option<Array>>> {
        let seeds = fit_all(op, ("cotangent", "output"), &self.outs, cotangents)?;
        Ok(pull(&self.outs, &seeds, &self.leaves, &[], self.number)?.into_vec())
    }
}

/// Pulls cotangents back through a function that has been traced. It may be called any number of times, on any
/// thread.
pub struct Pullback(Trail);

impl Pullback {
    /// Cotangents of the arguments, given those of the results; `None` is zero, coming and going.
    ///
    /// # Errors
    /// What rules answer; `Value` and `Type` for cotangents that do not fit; `Rule` where something has no
    /// derivative.
    pub fn call(&self, cotangents: &[Option<Array>]) -> Result<Vec<Option<Array>>> {
        self.0.pull("vjp", cotangents)
    }

    /// As `call`, with zeros where a cotangent is zero by structure.
    ///
    /// # Errors
    /// As `call`.
    pub fn call_dense(&self, cotangents: &[Array]) -> Result<Vec<Array>> {
        let seeds: Vec<Option<Array>> = cotangents.iter().cloned().map(Some).collect();
        let pulled = self.call(&seeds)?;
        Ok(self.0.leaves.iter().zip(pulled).map(|(x, g)| g.unwrap_or_else(|| x.zeros_like())).collect())
    }
}

/// Values of `f` at `primals`, and the way back.
///
/// ```
/// use pullback_base::{Dtype, Scalar};
/// use pullback_core::Array;
///
/// # fn main() -> pullback_base::Result<()> {
/// let x = Array::scalar(Scalar::Float(3.), Dtype::F32);
/// let (y, pullback) = pullback_transform::vjp(&|x| Ok(vec![&x[0] * &x[0]]), &[x])?;
/// let gradient = pullback.call(&[Some(y[0].full_like(1.))])?;
/// assert!(gradient[0].is_some());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// What `f` answers.
pub fn vjp(f: &Fun, primals: &[Array]) -> Result<(Vec<Array>, Pullback)> {
    let trail = Trail::run("grad", f, |number| primals.iter().map(|x| x.alias(number)).collect())?;
    Ok((trail.outs.clone(), Pullback(trail)))
}

/// What `f` returns, and the gradients of its first result by the arguments numbered `wrt`. Further results are
/// not differentiated.
///
/// ```
/// use pullback_base::{Dtype, Scalar};
/// use pullback_core::Array;
/// use pullback_transform::value_and_grad;
///
/// # fn main() -> pullback_base::Result<()> {
/// let x = Array::scalar(Scalar::Float(3.), Dtype::F32);
/// let (y, slopes) = value_and_grad(&|x| Ok(vec![&x[0] * &x[1]]), &[x.clone(), x], &[1])?;
/// assert_eq!((y.len(), slopes.len()), (1, 1));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `Value` for a result that is no scalar, `Type` for arguments and results that have no derivative; and as
/// `vjp`.
pub fn value_and_grad(f: &Fun, primals: &[Array], wrt: &[usize]) -> Result<(Vec<Array>, Vec<Array>)> {
    for &i in wrt {
        let Some(x) = primals.get(i) else {
            let have = count(primals.len(), "argument");
            return Err(Error::value(format!("[grad] expected an argument that exists, got {i} of {have}")));
        };
        if !x.is_inexact() {
            let aval = x.aval();
            let text = format!("[grad] expected a float or complex array for argument {i}, got {aval}");
            return Err(Error::type_(text + "; cast it, or leave it out of the arguments to differentiate"));
        }
    }
    // Somebody may ask for one argument twice: it is one leaf.
    let mut distinct: Vec<usize> = wrt.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let among = |x: &[Array]| {
        let mut all = primals.to_vec();
        distinct.iter().zip(x).for_each(|(&i, x)| all[i] = x.clone());
        f(&all)
    };
    let wanted: Vec<Array> = distinct.iter().map(|&i| primals[i].clone()).collect();
    let (outs, pullback) = vjp(&among, &wanted)?;
    let Some(loss) = outs.first() else {
        return Err(Error::value("[grad] expected a function that returns a scalar, got one without result"));
    };
    check_loss(loss)?;
    let mut seeds = vec![None; outs.len()];
    seeds[0] = Some(loss.full_like(1.));
    let pulled = pullback.call(&seeds)?;
    let found: FxHashMap<usize, Option<Array>> = distinct.into_iter().zip(pulled).collect();
    let gradient = |i: &usize| found[i].clone().unwrap_or_else(|| primals[*i].zeros_like());
    Ok((outs, wrt.iter().map(gradient).collect()))
}

/// Whether an array can be differentiated: it is a real scalar.
///
/// # Errors
/// `Value` for another shape, `Type` for another type.
pub fn check_loss(loss: &Array) -> Result<()> {
    if loss.ndim() > 0 {
        let aval = loss.aval();
        let fix = "; sum or average it, or use vjp with a cotangent";
        return Err(Error::value(format!("[grad] expected a scalar from the function, got {aval}{fix}")));
    }
    if loss.dtype().kind() != Family::Float {
        let dtype = loss.dtype();
        return Err(Error::type_(format!("[grad] expected a float scalar from the function, got {dtype}")));
    }
    Ok(())
}

/// The gradients of the first result of `f` by the arguments numbered `wrt`.
///
/// # Errors
/// As `value_and_grad`.
pub fn grad(f: &Fun, primals: &[Array], wrt: &[usize]) -> Result<Vec<Array>> {
    Ok(value_and_grad(f, primals, wrt)?.1)
}

/// Cotangents of `leaves`, given those of `outs`. `None` is zero, coming and going. No path leads through
/// `ends`.
pub(crate) fn pull(
    outs: &[Array],
    cotangents: &[Option<Array>],
    leaves: &[Array],
    ends: &[Array],
    floor: u64,
) -> Result<Derivatives> {
    // A rule may evaluate what it gets: what lies below, and has yet to be walked, must not forget its inputs.
    let _live = Live::new(floor);
    // Derivatives go only where they can arrive at a leaf.
    along(&flowing(outs, leaves, ends, floor), outs, cotangents.iter().cloned(), leaves)
}

/// As `pull`, where the nodes on the way are known.
pub(crate) fn along(
    reached: &Reached,
    outs: &[Array],
    cotangents: impl IntoIterator<Item = Option<Array>>,
    leaves: &[Array],
) -> Result<Derivatives> {
    let mut known = Known::default();
    for (out, g) in outs.iter().zip(cotangents) {
        give(&mut known, out, g)?;
    }
    let wanted = |x: &Array| x.is_inexact() && reached.has(x);
    for node in reached.order.iter().rev() {
        let out = |i: usize| known.take(&(id(node), i as u32));
        let gs: SmallVec<[Option<Array>; 1]> = (0..node.avals.len()).map(out).collect();
        if gs.iter().all(Option::is_none) {
            continue;
        }
        let _here = place::beside(node);
        let _from = origin::from(node, How::Derivative);
        let (inputs, custom) = node.history();
        let needs: SmallVec<[bool; 4]> = inputs.iter().map(wanted).collect();
        let results = match &node.kind {
            NodeKind::Custom => derive::pull(node, custom, (&inputs, &node.outputs()), &gs, &needs)?,
            _ => pull_op(node, &inputs, &gs, &needs)?,
        };
        for ((x, g), needed) in inputs.iter().zip(results).zip(needs) {
            if needed {
                give(&mut known, x, g)?;
            }
        }
    }
    // To count a reference takes longer than to move it.
    if let [leaf] = leaves {
        return Ok(smallvec![known.take(&leaf.key())]);
    }
    Ok(leaves.iter().map(|leaf| known.get(&leaf.key()).cloned()).collect())
}

fn give(known: &mut Known, x: &Array, g: Option<Array>) -> Result<()> {
    match g {
        Some(g) if x.is_inexact() => known.give(x.key(), g),
        _ => Ok(()),
    }
}

fn pull_op(node: &Arc<Node>, xs: &[Array], gs: &[Option<Array>], needs: &[bool]) -> Result<Derivatives> {
    let (op, params) = match &node.kind {
        NodeKind::Alias => return Ok(gs.iter().cloned().collect()),
        NodeKind::Op(op, params) => (*op, params),
        _ => unreachable!("a leaf has no inputs, a custom node has rules"),
    };
    let each = |f: &dyn Fn(usize) -> Result<Option<Array>>| -> Result<Derivatives> {
        (0..xs.len()).map(|i| if needs[i] { f(i) } else { Ok(None) }).collect()
    };
    let one = || match gs {
        [Some(g)] => Ok(g),
        _ => Err(Error::internal(format!("[{}] has several results and a rule for one", op.name))),
    };
    match &op.diff {
        Diff::Pointwise(partials) => {
            let (g, y) = (one()?, Array::output(node, 0));
            let term = |partial: fn(&[Array], &Array) -> Array| fun::multiply(&partial(xs, &y), g);
            each(&|i| partials[i].map(term).transpose())
        }
        Diff::Linear(transposes) => {
            let g = one()?;
            each(&|i| transposes[i].map(|transpose| transpose(params, xs, g)).transpose())
        }
        Diff::LinearAll(transpose) => {
            let g = one()?;
            each(&|i| transpose(params, xs, i, g).map(Some))
        }
        Diff::Bilinear(lhs, rhs) => {
            let g = one()?;
            each(&|i| {
                let (transpose, other) = if i == 0 { (lhs, 1) } else { (rhs, 0) };
                transpose(params, &xs[other], xs[i].aval(), g).map(Some)
            })
        }
        Diff::Custom { vjp, .. } => vjp(params, xs, &node.outputs(), gs).map(Derivatives::from_vec),
        Diff::Zero => Ok(smallvec![None; xs.len()]),
        Diff::Opaque(why) => Err(opaque(op.name, why)),
    }
}
