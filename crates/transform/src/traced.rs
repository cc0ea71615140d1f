//! A function recorded once and called without the host language: what `compile` keeps.

use std::sync::Arc;

use pullback_base::{Aval, Device, Error, Result};
use pullback_core::custom::fence::after;
use pullback_core::custom::{Call, CustomCall, Mapped, Offers, Owner, Rules, Value};
use pullback_core::{Array, Inputs, Node, Outputs, place};

use crate::custom::apart;
use crate::custom::door::boundary;
use crate::stack::{self, Kind};
use crate::substitute::{Replay, order, rebuild};
use crate::{Fun, count};

/// A recorded function.
pub struct Traced {
    record: Arc<Record>,
    outs: Vec<Array>,
    /// What has to be rebuilt for other arguments, each after what it holds.
    order: Vec<Arc<Node>>,
    /// The same, where there is nothing but operations.
    replay: Option<Replay>,
    captured: Vec<Array>,
    /// Whether a function in it has a vjp rule, which need not be linear.
    rules: bool,
}

/// The leaves of a record, and the trace they belong to.
struct Record {
    leaves: Vec<Array>,
    number: u64,
}

/// Records `f` on leaves of the given types, which have no elements. Custom functions stay what they are, with
/// their rules; arrays that come from outside stay as they are, and get their true gradient.
///
/// ```
/// use pullback_base::{Aval, Dtype, Scalar};
/// use pullback_core::Array;
///
/// # fn main() -> pullback_base::Result<()> {
/// let square = pullback_transform::trace(&|x| Ok(vec![&x[0] * &x[0]]), &[Aval::new([], Dtype::F32)])?;
/// let y = square.call(&[Array::scalar(Scalar::Float(3.), Dtype::F32)])?;
/// assert_eq!(y[0].dtype(), Dtype::F32);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// What `f` answers.
pub fn trace(f: &Fun, avals: &[Aval]) -> Result<Traced> {
    trace_at(f, avals, &[])
}

/// As `trace`, for arguments that are placed on these devices; those that are not have `None`, or nothing at the end.
///
/// # Errors
/// What `f` answers.
pub fn trace_at(f: &Fun, avals: &[Aval], places: &[Option<Device>]) -> Result<Traced> {
    let (record, outs, captured) = run(f, avals, places)?;
    Ok(Traced::over(record, outs, captured))
}

/// The record of `f`, its results, and what it captured.
fn run(f: &Fun, avals: &[Aval], places: &[Option<Device>]) -> Result<(Record, Vec<Array>, Vec<Array>)> {
    let trace = stack::open(Kind::Compile);
    let number = trace.number;
    let leaf = |(i, aval): (usize, &Aval)| {
        let _here = places.get(i).copied().flatten().map(place::placed);
        Array::tracer(aval.clone(), "compile", number)
    };
    let leaves: Vec<Array> = avals.iter().enumerate().map(leaf).collect();
    let outs = f(&leaves);
    let effects = stack::take_effects(number);
    let outs = tied(outs?, &effects)?;
    drop(trace);
    let captured = boundary(&outs, &leaves, number);
    Ok((Record { leaves, number }, outs, captured))
}

/// As `trace`, with what `f` captured and what depends on an active trace as further arguments, which are answered
/// as well: the record is of use when those traces have ended, and its derivatives by them are the caller's.
///
/// ```
/// use pullback_base::{Aval, Dtype, Scalar};
/// use pullback_core::Array;
/// use pullback_transform::{closed, grad};
///
/// # fn main() -> pullback_base::Result<()> {
/// let x = Array::scalar(Scalar::Float(3.), Dtype::F32);
/// let captures = |x: &[Array]| {
///     let (times, captured) = closed(&|y| Ok(vec![&x[0] * &y[0]]), &[Aval::new([], Dtype::F32)])?;
///     assert_eq!(captured.len(), 1);
///     times.call(&[x[0].clone(), captured[0].clone()])
/// };
/// grad(&captures, &[x], &[0])?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// What `f` answers.
pub fn closed(f: &Fun, avals: &[Aval]) -> Result<(Traced, Vec<Array>)> {
    let (mut record, outs, captured) = run(f, avals, &[])?;
    // A number may be that of a trace long closed: what depends on that alone is a constant.
    let depends = |array: &Array| stack::owner(array, |_| true).is_some();
    let found: Vec<Array> = captured.into_iter().filter(depends).collect();
    record.leaves.extend(found.iter().cloned());
    Ok((Traced::over(record, outs, Vec::new()), found))
}

/// Results that wait for the effects of the function: whoever asks for one of them has them all.
fn tied(outs: Vec<Array>, effects: &[Array]) -> Result<Vec<Array>> {
    if outs.is_empty() && !effects.is_empty() {
        return Err(Error::value(
            "[debug.print] expected a compiled function that returns an array, got one that returns none: \
             nobody would ask for what it prints",
        ));
    }
    let tie = |out: Array| effects.iter().try_fold(out, |out, effect| after(&out, effect));
    outs.into_iter().map(tie).collect()
}

impl Traced {
    fn over(record: Record, outs: Vec<Array>, captured: Vec<Array>) -> Traced {
        let order = order(&outs, &record.leaves, &[], record.number);
        let has_rule = |node: &Arc<Node>| node.custom().is_some_and(|call| call.owner.rules.offers().vjp);
        let rules = order.iter().any(has_rule);
        let replay = Replay::of(&outs, &order, &record.leaves);
        Traced { record: Arc::new(record), outs, order: order.into_vec(), replay, captured, rules }
    }

    /// The function of `args`: its graph, with rules and all, over them.
    ///
    /// # Errors
    /// `Value` for arguments of other types than the recorded ones.
    pub fn call(&self, args: &[Array]) -> Result<Vec<Array>> {
        let leaves = &self.record.leaves;
        if args.len() != leaves.len() {
            let (want, got) = (count(leaves.len(), "argument"), args.len());
            return Err(Error::value(format!("[compile] expected {want}, got {got}")));
        }
        if let Some(i) = (0..args.len()).find(|&i| args[i].aval() != leaves[i].aval()) {
            let (want, got) = (leaves[i].aval(), args[i].aval());
            return Err(Error::value(format!("[compile] expected {want} for argument {i}, got {got}")));
        }
        if let Some(replay) = &self.replay {
            return Ok(replay.over(args));
        }
        // Outside of every trace nobody can look back at a call.
        let traced = stack::any_active();
        let args = &if traced && self.rules { apart::each(args)? } else { args.to_vec() };
        let over: Arc<[Array]> = args.as_slice().into();
        let owner = |call: &CustomCall| traced.then(|| continued(&self.record, &over, call));
        rebuild(&self.outs, &self.order, leaves, args, &owner)
    }

    /// Types of the results.
    pub fn avals(&self) -> Vec<Aval> {
        self.outs.iter().map(|out| out.aval().clone()).collect()
    }

    /// The types of arguments that it was recorded for.
    pub fn arguments(&self) -> Vec<Aval> {
        self.record.leaves.iter().map(|leaf| leaf.aval().clone()).collect()
    }

    /// What stands for the arguments.
    pub fn leaves(&self) -> &[Array] {
        &self.record.leaves
    }

    /// What the function returned, over the leaves.
    pub fn outs(&self) -> &[Array] {
        &self.outs
    }

    /// What came from outside while some other transform was tracing, and may be a tracer of that: a record that
    /// has any is of no use once that transform has ended.
    pub fn captured(&self) -> &[Array] {
        &self.captured
    }
}

/// The function and rules of a recorded call, for other arguments: their closures may have captured leaves of
/// the record, for which the arguments stand.
fn continued(record: &Arc<Record>, over: &Arc<[Array]>, call: &CustomCall) -> Owner {
    let inner = &call.owner;
    let place = Place { record: record.clone(), over: over.clone() };
    Owner { func: inner.func.clone(), rules: Arc::new(Continued { inner: inner.rules.clone(), place }) }
}

/// Arguments in place of leaves.
#[derive(Clone)]
struct Place {
    record: Arc<Record>,
    over: Arc<[Array]>,
}

impl Place {
    /// What a closure answered, over the arguments. What the closure was given is over them already: the walk
    /// ends there, and at what is older than the record.
    fn all(&self, arrays: &[Array], given: &[Array]) -> Result<Vec<Array>> {
        let Record { leaves, number } = &*self.record;
        let order = order(arrays, leaves, given, *number);
        rebuild(arrays, &order, leaves, &self.over, &|call| Some(continued(&self.record, &self.over, call)))
    }

    /// Runs a closure that may have captured leaves of the record.
    fn run<R>(&self, closure: impl FnOnce() -> Result<R>) -> Result<R> {
        let _open = stack::reopen(self.record.number);
        closure()
    }

    fn value(&self, value: Value, given: &[Array]) -> Result<Value> {
        Ok(match value {
            Value::Array(array) => Value::Array(self.all(&[array], given)?.swap_remove(0)),
            Value::Tuple(values) => {
                let each = values.into_iter().map(|value| self.value(value, given));
                Value::Tuple(each.collect::<Result<_>>()?)
            }
            other => other,
        })
    }
}

/// What a derivative rule is given.
fn given(call: &Call, more: &[Option<Array>]) -> Vec<Array> {
    let kept = call.residuals.iter().flatten();
    call.inputs.iter().chain(call.outputs).chain(kept).chain(more.iter().flatten()).cloned().collect()
}

/// Rules whose results are put over other arguments.
struct Continued {
    inner: Arc<dyn Rules>,
    place: Place,
}

impl Rules for Continued {
    fn offers(&self) -> Offers {
        self.inner.offers()
    }

    fn forward(&self, inputs: &[Array]) -> Result<(Outputs, Inputs)> {
        let (outs, kept) = self.place.run(|| self.inner.forward(inputs))?;
        let mut all = self.place.all(&[&outs[..], &kept[..]].concat(), inputs)?.into_iter();
        Ok((all.by_ref().take(outs.len()).collect(), all.collect()))
    }

    fn vjp(&self, call: &Call, cotangents: &[Option<Array>]) -> Result<Value> {
        self.place.value(self.place.run(|| self.inner.vjp(call, cotangents))?, &given(call, cotangents))
    }

    fn jvp(&self, call: &Call, tangents: &[Option<Array>]) -> Result<Value> {
        self.place.value(self.place.run(|| self.inner.jvp(call, tangents))?, &given(call, tangents))
    }

    fn vmap(&self, inputs: &[Array], axes: &[Option<usize>], size: usize) -> Result<Mapped> {
        let (outs, axes) = self.place.run(|| self.inner.vmap(inputs, axes, size))?;
        Ok((self.place.all(&outs, inputs)?, axes))
    }

    fn run(&self, inputs: &[Array]) -> Result<Outputs> {
        self.place.all(&self.place.run(|| self.inner.run(inputs))?, inputs).map(Outputs::from_vec)
    }

    fn body(&self, inputs: &[Array]) -> Result<Outputs> {
        self.place.all(&self.place.run(|| self.inner.body(inputs))?, inputs).map(Outputs::from_vec)
    }

    fn batched(&self) -> Option<Arc<dyn Rules>> {
        // Rules of our own speak of the recorded body alone.
        self.inner.batched()
    }
}
