//! Who owns which block: donation, dying slots, and steps that do not fit.

use std::sync::Arc;

use pullback_base::{Aval, Device, Dtype, Error, ErrorKind, Layout, Shape, Storage};
use pullback_compile::program::Class;
use pullback_compile::{Backend, GroupStep, Operand, Program, Step, Task};
use pullback_cpu::{Cpu, clear_cache, memory};
use pullback_kernels::Map;

const N: usize = 1000;

/// `sqrt(x)` of the operands' first, plus the others; of 1000 floats.
fn step(operands: Vec<Operand>, out: Dtype, dying: Vec<u32>) -> Step {
    let f = Dtype::F32;
    let mut p = Program::default();
    let loads: Vec<_> = operands
        .iter()
        .map(|operand| p.load(f, if operand.layout.is_contiguous() { Class::Full } else { Class::Strided }))
        .collect();
    let root = p.map(Map::Sqrt, &[loads[0]], f);
    let sum = loads[1..].iter().fold(root, |sum, &x| p.map(Map::Add, &[sum, x], f));
    p.store(out, sum);
    Step {
        device: Device::Cpu,
        task: Task::Group(GroupStep { program: Arc::new(p), space: Shape::new(&[N]), reduced: vec![false] }),
        inputs: operands,
        outputs: vec![(2, Aval::new([N], out))],
        dying,
    }
}

fn operand(slot: u32, layout: Layout) -> Operand {
    Operand { slot, layout, aval: Aval::new([N], Dtype::F32) }
}

fn plain(slot: u32) -> Operand {
    operand(slot, Layout::contiguous(&Shape::new(&[N])))
}

fn backward(slot: u32) -> Operand {
    let shape = Shape::new(&[N]);
    operand(slot, Layout::contiguous(&shape).slice(&[N - 1], &[-1], &shape))
}

fn squares(cpu: &Cpu) -> Storage {
    let bytes: Vec<u8> = (0..N).flat_map(|i| ((i * i) as f32).to_le_bytes()).collect();
    cpu.upload(&bytes, Dtype::F32).unwrap()
}

/// Whether the output is the block of slot 0, and its first floats.
fn run(cpu: &Cpu, step: Step, slots: &mut [Option<Storage>]) -> (bool, f32) {
    let id = slots[0].as_ref().unwrap().id();
    cpu.run(&[step], slots, &mut || Ok(())).unwrap();
    let block = slots[2].as_ref().unwrap();
    let bytes = cpu.download(block, Dtype::F32).unwrap();
    (block.id() == id, f32::from_le_bytes(bytes[12..16].try_into().unwrap()))
}

#[test]
fn a_dying_block_is_taken_over() {
    let cpu = Cpu::new().unwrap();
    let mut slots = [Some(squares(&cpu)), None, None];
    assert_eq!(run(&cpu, step(vec![plain(0)], Dtype::F32, vec![0]), &mut slots), (true, 3.));
    assert!(slots[0].is_none());
    // Twice the same operand is still in order.
    let mut slots = [Some(squares(&cpu)), None, None];
    assert_eq!(run(&cpu, step(vec![plain(0), plain(0)], Dtype::F32, vec![0]), &mut slots), (true, 12.));
}

#[test]
fn other_blocks_are_left_alone() {
    let cpu = Cpu::new().unwrap();
    let shared = squares(&cpu);
    let mut slots = [Some(shared.clone()), None, None];
    assert_eq!(run(&cpu, step(vec![plain(0)], Dtype::F32, vec![0]), &mut slots), (false, 3.));
    assert_eq!(shared.host().unwrap()[12..16], 9f32.to_le_bytes());
    drop(slots);
    // Not dying; read backwards as well; a result of another size.
    let mut slots = [Some(squares(&cpu)), None, None];
    assert_eq!(run(&cpu, step(vec![plain(0)], Dtype::F32, vec![]), &mut slots), (false, 3.));
    assert!(slots[0].is_some());
    let both = step(vec![plain(0), backward(0)], Dtype::F32, vec![0]);
    let last = (N - 4) as f32;
    assert_eq!(run(&cpu, both, &mut slots), (false, 3. + last * last));
    let mut slots = [Some(squares(&cpu)), None, None];
    assert!(!run(&cpu, step(vec![plain(0)], Dtype::F64, vec![0]), &mut slots).0);
}

#[test]
fn misfits_and_interruptions_are_errors() {
    let cpu = Cpu::new().unwrap();
    let run = |operand: Operand, filled: bool| {
        let mut slots = [filled.then(|| squares(&cpu)), None, None];
        cpu.run(&[step(vec![operand], Dtype::F32, vec![])], &mut slots, &mut || Ok(()))
    };
    assert_eq!(run(plain(0), false).unwrap_err().kind(), ErrorKind::Internal);
    let beyond = Layout { offset: 1, ..Layout::contiguous(&Shape::new(&[N])) };
    assert_eq!(run(operand(0, beyond), true).unwrap_err().kind(), ErrorKind::Internal);
    let before = Layout { strides: [-1].into_iter().collect(), ..Layout::contiguous(&Shape::new(&[N])) };
    assert_eq!(run(operand(0, before), true).unwrap_err().kind(), ErrorKind::Internal);
    let mut slots = [Some(squares(&cpu)), None, None];
    let stop =
        cpu.run(&[step(vec![plain(0)], Dtype::F32, vec![])], &mut slots, &mut || Err(Error::value("stop")));
    assert_eq!(stop.unwrap_err().text(), "stop");
    assert!(slots[0].is_some() && slots[2].is_none());
}

#[test]
fn memory_is_counted() {
    let cpu = Cpu::new().unwrap();
    let block = cpu.upload(&vec![1; 40 << 20], Dtype::U8).unwrap();
    let now = memory();
    assert!(now.live >= 40 << 20 && now.peak >= now.live);
    drop(block);
    assert!(memory().kept >= 40 << 20);
    clear_cache();
    assert!(memory().kept < 40 << 20);
}
