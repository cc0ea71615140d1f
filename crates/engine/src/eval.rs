//! eval: order -> plan (or find it) -> bind -> run -> give the nodes their elements.

use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use pullback_base::{Device, Error, Result, Storage};
use pullback_compile::backend::Poll;
use pullback_compile::order::{Leaf, Order, order};
use pullback_compile::{Operand, Plan, Plans, Task, explain};
use pullback_core::Array;
use pullback_core::callback::HostCall;
use pullback_transform::resolve::no_value;
use rustc_hash::FxHashSet;
use smallvec::SmallVec;

use crate::{anomaly, calls, devices};

static PLANS: LazyLock<Plans> = LazyLock::new(Plans::default);
static NOTICES: Mutex<Notices> = Mutex::new(Notices { said: None, new: Vec::new() });

/// What could not run where it was asked to: each sentence is said once.
struct Notices {
    said: Option<FxHashSet<String>>,
    new: Vec<String>,
}

/// Sentences, new since the last call, about operations that ran on another device than was asked for.
pub fn take_notices() -> Vec<String> {
    std::mem::take(&mut NOTICES.lock().unwrap_or_else(PoisonError::into_inner).new)
}

/// Computes arrays, and whatever they need. `poll` is called between steps, and its error ends the run: the
/// arrays stay as they were, and can be computed again.
///
/// # Errors
/// `Value` for a tracer, `Memory` for what is too large, `Device` for a device that failed, and what `poll`
/// returns.
pub fn eval(arrays: &[Array], poll: &mut Poll) -> Result<()> {
    match anomaly::current() {
        Some(watch) => anomaly::eval(arrays, watch, poll),
        None => plain(arrays, poll),
    }
}

/// As `eval`, whether somebody watches or not.
pub(crate) fn plain(arrays: &[Array], poll: &mut Poll) -> Result<()> {
    let mut roots: SmallVec<[Array; 2]> = SmallVec::new();
    for array in arrays {
        match array.data() {
            // Evaluated while its trace was open, perhaps: it may forget its history now.
            Some(_) => array.node().forget(),
            None => roots.push(array.clone()),
        }
    }
    if roots.is_empty() {
        return Ok(());
    }
    let mut order = order(&roots, no_value)?;
    let _running = calls::Running::enter(&order)?;
    let (plan, fresh) = plan_of(&order)?;
    if fresh {
        announce(&plan);
    }
    let mut slots = bind(&mut order, &plan)?;
    run(&plan, &order.calls, &mut slots, poll)?;
    for ((node, _), blocks) in order.targets.iter().zip(&plan.targets) {
        let block = |&slot: &u32| slots[slot as usize].clone();
        let data: Option<SmallVec<[Storage; 1]>> = blocks.iter().map(block).collect();
        node.set_data(data.ok_or_else(|| Error::internal("[eval] expected a block for every result"))?);
    }
    Ok(())
}

fn plan_of(order: &Order) -> Result<(Arc<Plan>, bool)> {
    let on_gpu = order.items.iter().any(|item| item.device == Device::Gpu);
    let backends = devices::backends(on_gpu)?;
    let (plan, known) = PLANS.get(order, &backends);
    Ok((plan, !known))
}

fn announce(plan: &Plan) {
    static LOG: OnceLock<bool> = OnceLock::new();
    if *LOG.get_or_init(|| std::env::var("PULLBACK_LOG").is_ok_and(|log| log.contains("plan"))) {
        eprintln!("{}", explain::explain(plan));
    }
    if plan.moved.is_empty() {
        return;
    }
    let mut notices = NOTICES.lock().unwrap_or_else(PoisonError::into_inner);
    for why in &plan.moved {
        if notices.said.get_or_insert_default().insert(why.clone()) {
            notices.new.push(why.clone());
        }
    }
}

/// Blocks of the leaves in their slots; brought to the device that the plan expects.
fn bind(order: &mut Order, plan: &Plan) -> Result<Vec<Option<Storage>>> {
    let mut slots: Vec<Option<Storage>> = vec![None; plan.slots];
    let dtypes = order.items.iter().filter_map(|item| match item.kind {
        pullback_compile::order::ItemKind::Leaf(leaf, _) => Some((leaf as usize, item.aval.dtype)),
        _ => None,
    });
    let leaves = std::mem::take(&mut order.leaves);
    let mut blocks: Vec<Option<Leaf>> = leaves.into_iter().map(Some).collect();
    for (leaf, dtype) in dtypes {
        slots[leaf] = match blocks[leaf].take() {
            Some(Leaf::Block(block)) => Some(block),
            Some(Leaf::Number(bits)) => Some(devices::number(bits, dtype, plan.leaves[leaf])?),
            None => None,
        };
    }
    Ok(slots)
}

/// Runs steps, as many at a time as one device takes.
fn run(plan: &Plan, calls: &[HostCall], slots: &mut [Option<Storage>], poll: &mut Poll) -> Result<()> {
    let mut rest = &plan.steps[..];
    while let Some(first) = rest.first() {
        if let Task::Transfer = first.task {
            transfer(&first.inputs[0], first.outputs[0].0, first.device, slots)?;
            first.dying.iter().for_each(|&slot| slots[slot as usize] = None);
            rest = &rest[1..];
            continue;
        }
        if let Task::Host(host) = &first.task {
            calls::run(first, host, calls, slots, poll)?;
            rest = &rest[1..];
            continue;
        }
        let same = |step: &&pullback_compile::Step| step.device == first.device && step.task.is_kernel();
        let count = rest.iter().take_while(same).count();
        let (now, later) = rest.split_at(count);
        devices::note_use(first.device);
        devices::backend(first.device)?.run(now, slots, poll)?;
        rest = later;
    }
    Ok(())
}

fn transfer(from: &Operand, to: u32, device: Device, slots: &mut [Option<Storage>]) -> Result<()> {
    let missing = || Error::internal("[eval] expected a block to transfer");
    let block = slots[from.slot as usize].as_ref().ok_or_else(missing)?;
    slots[to as usize] = Some(moved(block, from.aval.dtype, device)?);
    Ok(())
}

/// A block on a device.
pub(crate) fn moved(block: &Storage, dtype: pullback_base::Dtype, device: Device) -> Result<Storage> {
    if block.device() == device {
        return Ok(block.clone());
    }
    devices::note_use(device);
    let target = devices::backend(device)?;
    match block.host() {
        Some(bytes) => target.upload(bytes, dtype),
        None => target.upload(&devices::backend(block.device())?.download(block, dtype)?, dtype),
    }
}

/// Longest chain of pending operations before one is computed unasked.
const DEPTH_MAX: u32 = 4096;

/// Computes an array whose pending graph has become very long; nearly always this only looks at a number. An
/// array that cannot be computed yet, because it is traced, stays as it is.
///
/// # Errors
/// As `eval`, but for tracers.
pub fn settle(array: &Array) -> Result<()> {
    let depth = array.node().depth;
    if depth < DEPTH_MAX || !depth.is_multiple_of(DEPTH_MAX) {
        return Ok(());
    }
    match eval(std::slice::from_ref(array), &mut || Ok(())) {
        Err(error) if error.kind() != pullback_base::ErrorKind::Value => Err(error),
        _ => Ok(()),
    }
}

/// The plan by which arrays would be computed, for a person to read.
///
/// # Errors
/// `Value` for a tracer, `Device` if a device is missing.
pub fn explain(arrays: &[Array]) -> Result<String> {
    let roots: Vec<Array> = arrays.iter().filter(|array| array.data().is_none()).cloned().collect();
    let order = order(&roots, no_value)?;
    Ok(explain::explain(&plan_of(&order)?.0))
}

/// How many kernels computing these arrays takes.
///
/// # Errors
/// As `explain`.
pub fn kernels(arrays: &[Array]) -> Result<usize> {
    let roots: Vec<Array> = arrays.iter().filter(|array| array.data().is_none()).cloned().collect();
    let plan = plan_of(&order(&roots, no_value)?)?.0;
    Ok(plan.steps.iter().filter(|step| step.task.is_kernel()).count())
}

/// How many plans are kept.
pub fn plans() -> usize {
    PLANS.len()
}
