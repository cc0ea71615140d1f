//! Calls of the host: blocks of a run as arrays, the closure, and its results as blocks.
//!
//! They run between the steps of devices, on the thread that asks for elements. Nothing of the engine is locked or
//! borrowed meanwhile, so a closure may ask for elements itself; and no trace is active, so what it builds is no
//! part of those that were open when somebody asked.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use pullback_base::{Aval, Device, Error, Result, Storage};
use pullback_compile::backend::Poll;
use pullback_compile::order::Order;
use pullback_compile::{HostStep, Step};
use pullback_core::callback::{Callback, HostCall, check};
use pullback_core::{Array, place};
use pullback_transform::outside;
use smallvec::SmallVec;

use crate::eval::{eval, moved};
use crate::host::from_bytes;

/// Calls within calls: one that waits for itself would take the stack.
const NESTED_MAX: u32 = 64;

thread_local! {
    static NESTED: Cell<u32> = const { Cell::new(0) };
    /// Whether the bound was met: no further call is made until all have ended. NumPy asks twice for what fails, which
    /// would make 2^64 calls of 64.
    static FULL: Cell<bool> = const { Cell::new(false) };
    /// Addresses of the nodes that get elements from the runs of this thread in which there are calls.
    static RUNNING: RefCell<Vec<Vec<usize>>> = const { RefCell::new(Vec::new()) };
}

/// Notes what a run computes, until the guard is dropped.
pub(crate) struct Running;

impl Running {
    /// None for a run without calls, in which nobody can ask for anything.
    ///
    /// # Errors
    /// `Value` for a call that waits for itself.
    pub fn enter(order: &Order) -> Result<Option<Running>> {
        let mut nodes = order.targets.iter().map(|(node, _)| Arc::as_ptr(node) as usize);
        let waits = NESTED.get() > 0
            && RUNNING
                .with_borrow(|runs| nodes.clone().any(|node| runs.iter().any(|run| run.contains(&node))));
        if waits {
            return Err(Error::value(
                "[eval] expected an array that is not being computed, got one whose callback asks for it",
            ));
        }
        if order.calls.is_empty() {
            return Ok(None);
        }
        let run = nodes.by_ref().collect();
        RUNNING.with_borrow_mut(|runs| runs.push(run));
        Ok(Some(Running))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.with_borrow_mut(Vec::pop);
    }
}

struct Nested;

impl Nested {
    fn enter(name: &str) -> Result<Nested> {
        if FULL.get() || NESTED.get() >= NESTED_MAX {
            FULL.set(NESTED.get() > 0);
            let text = format!("expected at most {NESTED_MAX} calls within each other, got more");
            return Err(Error::value(format!("[{name}] {text}: do they ever end?")));
        }
        NESTED.set(NESTED.get() + 1);
        Ok(Nested)
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        NESTED.set(NESTED.get() - 1);
        FULL.set(FULL.get() && NESTED.get() > 0);
    }
}

/// Runs a step that is a call.
pub(crate) fn run(
    step: &Step,
    host: &HostStep,
    calls: &[HostCall],
    slots: &mut [Option<Storage>],
    poll: &mut Poll,
) -> Result<()> {
    poll()?;
    let missing = || Error::internal("[eval] expected a block and a function to call");
    let call = calls.get(host.call as usize).ok_or_else(missing)?;
    let fun = call.fun().ok_or_else(missing)?;
    let _here = place::unplaced(step.device);
    let mut args: SmallVec<[Array; 2]> = SmallVec::new();
    for operand in &step.inputs {
        let block = slots[operand.slot as usize].clone().ok_or_else(missing)?;
        let aval = Aval::new(operand.layout.shape.clone(), operand.aval.dtype);
        args.push(Array::from_storage(block, aval));
    }
    step.dying.iter().for_each(|&slot| slots[slot as usize] = None);
    let results = {
        let _outside = outside();
        let _nested = Nested::enter(call.op.name)?;
        match call.levels.is_empty() {
            true => blocks(call, &*fun, &args, step.device, poll)?,
            false => each(call, &*fun, &args, step.device, poll)?,
        }
    };
    for ((slot, _), &result) in step.outputs.iter().zip(&host.results) {
        if !step.dying.contains(slot) {
            slots[*slot as usize] = Some(results[result as usize].clone());
        }
    }
    Ok(())
}

/// One call: its results in blocks of a device.
fn blocks(
    call: &HostCall,
    fun: &dyn Callback,
    args: &[Array],
    device: Device,
    poll: &mut Poll,
) -> Result<Vec<Storage>> {
    let results = fun.call(args)?;
    check(call.op.name, &call.avals, &results)?;
    eval(&results, poll)?;
    let block = |result: &Array| {
        let block = result.data().ok_or_else(|| Error::internal("[eval] expected elements after a run"))?;
        moved(block, result.dtype(), device)
    };
    results.iter().map(block).collect()
}

/// One call for each example, in order: the examples of an operand are parts of its block, and those of a result
/// stand in its block one after the other. Cutting blocks here and not in the graph spares a plan per example.
fn each(
    call: &HostCall,
    fun: &dyn Callback,
    args: &[Array],
    device: Device,
    poll: &mut Poll,
) -> Result<Vec<Storage>> {
    let on_host = |x: &Array| {
        let block = x.data().ok_or_else(|| Error::internal("[eval] expected elements of an operand"))?;
        moved(block, x.dtype(), Device::Cpu)
    };
    let whole = args.iter().map(on_host).collect::<Result<Vec<Storage>>>()?;
    let count: usize = call.levels.iter().map(|level| level.size).product();
    let mut content: Vec<Vec<u8>> =
        call.avals.iter().map(|aval| Vec::with_capacity(aval.bytes() * count)).collect();
    for number in 0..count {
        let mut examples: SmallVec<[Array; 2]> = SmallVec::new();
        for (i, x) in args.iter().enumerate() {
            let (at, depth) = example(call, i, number);
            if depth == 0 {
                examples.push(x.clone());
                continue;
            }
            let aval = x.aval().reshaped(&x.shape()[depth..]);
            let range = at * aval.bytes()..(at + 1) * aval.bytes();
            let bytes = whole[i].host().and_then(|bytes| bytes.get(range));
            let bytes = bytes.ok_or_else(|| Error::internal("[eval] expected the elements on the host"))?;
            examples.push(from_bytes(bytes, aval)?);
        }
        for (block, (content, aval)) in
            blocks(call, fun, &examples, Device::Cpu, poll)?.iter().zip(content.iter_mut().zip(&call.avals))
        {
            let bytes = block.host().and_then(|bytes| bytes.get(..aval.bytes()));
            content.extend(bytes.ok_or_else(|| Error::internal("[eval] expected the elements on the host"))?);
        }
    }
    let results = content.iter().zip(call.results());
    let block = |(content, aval): (&Vec<u8>, Aval)| {
        let array = from_bytes(content, aval)?;
        on_host(&array).and_then(|block| moved(&block, array.dtype(), device))
    };
    results.map(block).collect()
}

/// Which part of operand `i` belongs to an example, and how many batch axes the operand has.
fn example(call: &HostCall, i: usize, number: usize) -> (usize, usize) {
    let (mut at, mut depth) = (0, 0);
    let mut inner: usize = call.levels.iter().map(|level| level.size).product();
    for level in &call.levels {
        inner /= level.size;
        if level.mapped[i] {
            at = at * level.size + number / inner % level.size;
            depth += 1;
        }
    }
    (at, depth)
}
