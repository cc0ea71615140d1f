//! Kernels over whole arrays against plain references.

mod conv;
mod fourier;
#[path = "../interpreter/mod.rs"]
mod interpreter;
mod moves;
mod order;
mod products;
mod rows;

use interpreter::{Rng, block, pack, read, values};
use pullback_base::{Aval, Device, Dtype, Layout, Scalar, Shape};
use pullback_compile::{Backend, Operand, Step, Task, WholeStep};
use pullback_cpu::Cpu;
use pullback_kernels::{Cumulate, Fold, Scatter, Whole};

/// An operand: canonical shape, type, block, and how it lies there if not in order.
struct Given {
    shape: Shape,
    dtype: Dtype,
    bytes: Vec<u8>,
    layout: Option<Layout>,
}

fn given(shape: &[usize], dtype: Dtype, bytes: Vec<u8>) -> Given {
    Given { shape: Shape::new(shape), dtype, bytes, layout: None }
}

fn run(whole: Whole, operands: &[Given], shape: &[usize], dtype: Dtype) -> Vec<u8> {
    run_on(&Cpu::new().unwrap(), whole, operands, shape, dtype, false)
}

fn run_on(
    cpu: &Cpu,
    whole: Whole,
    operands: &[Given],
    shape: &[usize],
    dtype: Dtype,
    donate: bool,
) -> Vec<u8> {
    let dtypes: Vec<Dtype> = operands.iter().map(|operand| operand.dtype).collect();
    assert_eq!(cpu.lacks_whole(&whole, &dtypes), None);
    let mut slots: Vec<_> =
        operands.iter().map(|operand| Some(cpu.upload(&operand.bytes, operand.dtype).unwrap())).collect();
    slots.push(None);
    let out = operands.len() as u32;
    let input = |(slot, operand): (usize, &Given)| Operand {
        slot: slot as u32,
        layout: operand.layout.clone().unwrap_or_else(|| Layout::contiguous(&operand.shape)),
        aval: Aval::new([operand.bytes.len() / operand.dtype.size()], operand.dtype),
    };
    let step = Step {
        device: Device::Cpu,
        task: Task::Whole(WholeStep {
            whole,
            shapes: operands.iter().map(|operand| operand.shape.clone()).collect(),
            shape: Shape::new(shape),
        }),
        inputs: operands.iter().enumerate().map(input).collect(),
        outputs: vec![(out, Aval::new(shape, dtype))],
        dying: if donate { (0..out).collect() } else { vec![] },
    };
    let first = slots[0].as_ref().map(|block| block.id());
    cpu.run(&[step], &mut slots, &mut || Ok(())).unwrap();
    let block = slots[out as usize].as_ref().unwrap();
    if donate {
        assert_eq!(Some(block.id()), first, "the first operand's block is taken over");
    }
    cpu.download(block, dtype).unwrap()
}

fn scalars(dtype: Dtype, bytes: &[u8]) -> Vec<Scalar> {
    (0..bytes.len() / dtype.size()).map(|i| read(dtype, bytes, i)).collect()
}

fn reals() -> impl Iterator<Item = Dtype> {
    Dtype::ALL.into_iter().filter(|&dtype| dtype != Dtype::C64)
}

/// Some NaN among floats.
fn with_nan(dtype: Dtype, n: usize, rng: &mut Rng) -> Vec<u8> {
    let mut values = scalars(dtype, &block(dtype, n, rng));
    if matches!(dtype, Dtype::F16 | Dtype::Bf16 | Dtype::F32 | Dtype::F64) {
        values.iter_mut().filter(|_| rng.below(5) == 0).for_each(|x| *x = Scalar::Float(f64::NAN));
    }
    pack(dtype, values)
}

fn positions(list: &[i32]) -> Given {
    given(&[list.len()], Dtype::I32, list.iter().flat_map(|x| x.to_le_bytes()).collect())
}
