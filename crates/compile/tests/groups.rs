//! What is computed together, as far as it can be told without computing anything.

use pullback_base::{Aval, Device, Dtype, Error, Result, Shape, Storage};
use pullback_compile::backend::{Backend, Poll, Slots};
use pullback_compile::order::{Order, order};
use pullback_compile::plan::{Step, Task};
use pullback_compile::program::Program;
use pullback_compile::{Backends, Plan, Plans, cache};
use pullback_core::{Array, fun};
use pullback_kernels::Whole;

/// A device that can do everything and is never asked to.
struct Paper;
impl Backend for Paper {
    fn device(&self) -> Device {
        Device::Cpu
    }
    fn lacks_group(&self, _: &Program) -> Option<String> {
        None
    }
    fn lacks_whole(&self, _: &Whole, _: &[Dtype]) -> Option<String> {
        None
    }
    fn run(&self, _: &[Step], _: &mut Slots, _: &mut Poll) -> Result<()> {
        unreachable!("nothing runs here")
    }
    fn upload(&self, _: &[u8], _: Dtype) -> Result<Storage> {
        unreachable!("nothing runs here")
    }
    fn download(&self, _: &Storage, _: Dtype) -> Result<Vec<u8>> {
        unreachable!("nothing runs here")
    }
    fn synchronize(&self) -> Result<()> {
        Ok(())
    }
}

struct Block(usize);
impl pullback_base::Buffer for Block {
    fn device(&self) -> Device {
        Device::Cpu
    }
    fn bytes(&self) -> usize {
        self.0
    }
    fn host(&self) -> Option<&[u8]> {
        None
    }
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

fn data(shape: &[usize]) -> Array {
    let aval = Aval::new(shape, Dtype::F32);
    Array::from_storage(Storage::new(Block(aval.bytes())), aval)
}

fn ordered(roots: &[Array]) -> Result<Order> {
    order(roots, |array, of| Error::value(format!("{array:?}, a tracer of {of}")))
}

fn plan(roots: &[Array]) -> Plan {
    cache::make(&ordered(roots).unwrap(), &Backends { cpu: &Paper, gpu: None })
}

fn groups(plan: &Plan) -> usize {
    plan.steps.iter().filter(|step| matches!(step.task, Task::Group(_))).count()
}

#[test]
fn a_chain_of_elements_is_one_kernel() {
    let x = data(&[4, 5]);
    let mut y = x.clone();
    for _ in 0..20 {
        y = fun::exp(&(&y * 0.3 + &x)).unwrap();
    }
    let plan = plan(&[y]);
    assert_eq!((plan.steps.len(), groups(&plan)), (1, 1));
}

#[test]
fn a_reduction_takes_what_leads_to_it() {
    let x = data(&[4, 5]);
    let y = fun::sum(&fun::exp(&(&x * &x)).unwrap(), &[1]).unwrap();
    assert_eq!(plan(&[y]).steps.len(), 1);
}

#[test]
fn updates_over_one_space_are_one_kernel() {
    let (p, m, v, g) = (data(&[64]), data(&[64]), data(&[64]), data(&[64]));
    let m = &m * 0.9 + &g * 0.1;
    let v = &v * 0.99 + &(&g * &g) * 0.01;
    let p = &p - &(&m / &v) * 0.001;
    let plan = plan(&[p, m, v]);
    assert_eq!(plan.steps.len(), 1);
    assert_eq!(plan.steps[0].outputs.len(), 3);
}

#[test]
fn views_are_layouts_and_not_copies() {
    let (x, y) = (data(&[4, 5]), data(&[5, 4]));
    let z = fun::transpose(&x, &[1, 0]).unwrap() + &y;
    let plan = plan(&[z]);
    assert_eq!(plan.steps.len(), 1);
    assert!(plan.steps[0].inputs.iter().any(|x| x.layout.strides[..] == [1, 5]));
}

#[test]
fn a_product_reads_a_transposed_matrix_in_place() {
    let (x, y) = (data(&[4, 5]), data(&[4, 3]));
    let z = fun::transpose(&x, &[1, 0]).unwrap();
    let z =
        Array::apply(&pullback_core::ops::contract::MATMUL, pullback_core::Params::None, &[&z, &y]).unwrap();
    assert_eq!(plan(&[z]).steps.len(), 1);
}

#[test]
fn equal_work_is_done_once() {
    let x = data(&[4]);
    let y = fun::exp(&x).unwrap() + fun::exp(&x).unwrap();
    let plan = plan(&[y]);
    let Task::Group(group) = &plan.steps[0].task else { panic!("a group") };
    let maps = group.program.insts.iter().filter(|i| matches!(i, pullback_compile::Inst::Map { .. })).count();
    assert_eq!(maps, 2, "one exp, one sum");
}

#[test]
fn what_depends_on_a_reduction_waits_for_it() {
    let x = data(&[4, 5]);
    let e = fun::exp(&x).unwrap();
    let total = fun::sum(&e, &[1]).unwrap();
    let spread = fun::broadcast_to(&fun::reshape(&total, Shape::from([4, 1])).unwrap(), e.shape()).unwrap();
    let plan = plan(&[&e / &spread]);
    assert_eq!(plan.steps.len(), 2, "{}", pullback_compile::explain::explain(&plan));
    let made = plan.steps[0].outputs.iter().map(|out| out.0).collect::<Vec<_>>();
    assert!(plan.steps[1].inputs.iter().any(|x| made.contains(&x.slot)));
}

#[test]
fn numbers_are_no_part_of_a_plan_but_known_ones_are() {
    let x = data(&[4]);
    let plans = Plans::default();
    let backends = Backends { cpu: &Paper, gpu: None };
    let known = |number: f64| plans.get(&ordered(&[&x * number]).unwrap(), &backends).1;
    assert!(!known(0.25));
    assert!(known(0.26));
    assert!(!known(2.));
    assert!(known(2.));
}

#[test]
fn what_somebody_holds_is_kept() {
    let x = data(&[4]);
    let held = fun::exp(&x).unwrap();
    let y = &held + 1.;
    assert_eq!(ordered(std::slice::from_ref(&y)).unwrap().targets.len(), 2);
    drop(held);
    assert_eq!(ordered(&[y]).unwrap().targets.len(), 1);
}

#[test]
fn every_block_dies_once_but_the_results() {
    let x = data(&[4, 5]);
    let y = fun::sum(&fun::exp(&x).unwrap(), &[0]).unwrap();
    let plan = plan(&[&y + &y]);
    let mut dead: Vec<u32> = plan.steps.iter().flat_map(|step| step.dying.clone()).collect();
    let count = dead.len();
    dead.sort_unstable();
    dead.dedup();
    assert_eq!(dead.len(), count);
    assert!(plan.targets.iter().flatten().all(|slot| !dead.contains(slot)));
    assert_eq!(count + plan.targets.len(), plan.slots);
}

#[test]
fn a_tracer_is_an_error_that_names_its_trace() {
    let x = Array::tracer(Aval::new([3], Dtype::F32), "vmap", pullback_core::trace::next());
    let error = ordered(&[fun::exp(&x).unwrap()]).err().unwrap();
    assert!(error.text().contains("tracer of vmap"), "{error}");
}

#[test]
fn chains_of_a_million_are_ordered_and_dropped() {
    let x = data(&[1]);
    let mut y = x.clone();
    for _ in 0..1_000_000 {
        y = fun::negative(&y).unwrap();
    }
    assert_eq!(ordered(std::slice::from_ref(&y)).unwrap().items.len(), 1_000_001);
    drop(y);
}

#[test]
fn a_copy_made_later_is_not_read_before() {
    let (x, y) = (data(&[4, 5]), data(&[4, 3]));
    let t = fun::transpose(&x, &[1, 0]).unwrap();
    let product = Array::apply(&pullback_core::ops::contract::MATMUL, pullback_core::Params::None, &[&t, &y]);
    let index = fun::index::iota(2, Dtype::I32).unwrap();
    let rows = Array::apply(&pullback_core::ops::index::TAKE, pullback_core::Params::None, &[&t, &index]);
    let plan = plan(&[product.unwrap(), rows.unwrap()]);
    let mut there: Vec<u32> = (0..plan.leaves.len() as u32).collect();
    for step in &plan.steps {
        assert!(
            step.inputs.iter().all(|x| there.contains(&x.slot)),
            "{}",
            pullback_compile::explain::explain(&plan)
        );
        there.extend(step.outputs.iter().map(|out| out.0));
    }
}
