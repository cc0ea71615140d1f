//! The backend against oracles of its own. One test program: to open a device takes longer than most tests.
//!
//! Without an adapter every test says so and passes; nothing else can be learnt there.

mod complex;
mod conv;
mod device;
mod fold;
mod fourier;
mod oracle;
mod packed;
mod point;
mod ulp;
mod whole;

use std::sync::Arc;
use std::sync::OnceLock;

use pullback_base::{Aval, Device, Dtype, Layout, Result, Scalar, Shape};
use pullback_compile::{Backend, GroupStep, Operand, Program, Step, Task, WholeStep};
use pullback_gpu::Gpu;
use pullback_kernels::Whole;

/// The device that all tests share.
fn gpu() -> Option<&'static Gpu> {
    static GPU: OnceLock<Option<Gpu>> = OnceLock::new();
    let open = || match Gpu::open() {
        Ok(gpu) => {
            println!("on {}", gpu.info());
            Some(gpu)
        }
        Err(error) => {
            println!("SKIPPED, no GPU: {error}");
            None
        }
    };
    let gpu = GPU.get_or_init(open).as_ref();
    if gpu.is_none() {
        println!("SKIPPED: no adapter");
    }
    gpu
}

/// Elements as bits, and how a step reads them.
#[derive(Clone, Debug)]
struct Input {
    dtype: Dtype,
    bits: Vec<u64>,
    layout: Layout,
}

impl Input {
    fn new(dtype: Dtype, bits: Vec<u64>, layout: Layout) -> Input {
        Input { dtype, bits, layout }
    }

    /// In order, from the start.
    fn flat(dtype: Dtype, shape: impl Into<Shape>, value: impl Fn(usize) -> f64) -> Input {
        let shape = shape.into();
        let bits = (0..shape.size()).map(|i| Scalar::Float(value(i)).bits(dtype)).collect();
        Input::new(dtype, bits, Layout::contiguous(&shape))
    }

    fn bytes(&self) -> Vec<u8> {
        bytes(&self.bits, self.dtype)
    }
}

fn bytes(bits: &[u64], dtype: Dtype) -> Vec<u8> {
    bits.iter().flat_map(|bits| bits.to_le_bytes()[..dtype.size()].to_vec()).collect()
}

fn unpack(bytes: &[u8], dtype: Dtype) -> Vec<u64> {
    let element = |chunk: &[u8]| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    };
    bytes.chunks_exact(dtype.size()).map(element).collect()
}

/// Runs one step on fresh blocks and reads what it writes.
fn run(gpu: &Gpu, task: Task, inputs: &[Input], outputs: &[Aval]) -> Result<Vec<Vec<u64>>> {
    let mut slots = vec![];
    let mut operands = vec![];
    for (slot, input) in inputs.iter().enumerate() {
        slots.push(Some(gpu.upload(&input.bytes(), input.dtype)?));
        let aval = Aval::new([input.bits.len()], input.dtype);
        operands.push(Operand { slot: slot as u32, layout: input.layout.clone(), aval });
    }
    let outputs: Vec<_> =
        outputs.iter().enumerate().map(|(o, aval)| ((inputs.len() + o) as u32, aval.clone())).collect();
    slots.resize(inputs.len() + outputs.len(), None);
    let dying = (0..inputs.len() as u32).collect();
    let step = Step { device: Device::Gpu, task, inputs: operands, outputs: outputs.clone(), dying };
    gpu.run(&[step], &mut slots, &mut || Ok(()))?;
    let read = |(slot, aval): &(u32, Aval)| {
        let storage = slots[*slot as usize].as_ref().expect("the step filled it");
        assert_eq!(storage.bytes(), aval.bytes());
        Ok(unpack(&gpu.download(storage, aval.dtype)?, aval.dtype))
    };
    outputs.iter().map(read).collect()
}

fn run_group(
    gpu: &Gpu,
    program: &Program,
    space: &[usize],
    reduced: &[bool],
    inputs: &[Input],
) -> Result<Vec<Vec<u64>>> {
    assert_eq!(gpu.lacks_group(program), None);
    let outputs = oracle::outputs(program, space, reduced);
    let step =
        GroupStep { program: Arc::new(program.clone()), space: space.into(), reduced: reduced.to_vec() };
    run(gpu, Task::Group(step), inputs, &outputs)
}

fn run_whole(gpu: &Gpu, whole: Whole, inputs: &[Input], shape: &[usize], dtype: Dtype) -> Vec<u64> {
    let dtypes: Vec<Dtype> = inputs.iter().map(|input| input.dtype).collect();
    assert_eq!(gpu.lacks_whole(&whole, &dtypes), None);
    let shapes = inputs.iter().map(|input| input.layout.shape.clone()).collect();
    let step = WholeStep { whole, shapes, shape: shape.into() };
    run(gpu, Task::Whole(step), inputs, &[Aval::new(shape, dtype)]).expect("the step runs").remove(0)
}

/// Numbers that are the same on every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    /// In -1..1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 52) as f64 - 1.
    }
    /// An ordinary element: floats around 1, small integers.
    fn element(&mut self, dtype: Dtype) -> u64 {
        match dtype {
            Dtype::Bool => self.next() & 1,
            _ if dtype.is_inexact() => Scalar::Float(self.unit() * 3.).bits(dtype),
            _ => Scalar::Int(
                self.below(100) as i64 - if dtype.kind() == pullback_base::Kind::Signed { 50 } else { 0 },
            )
            .bits(dtype),
        }
    }
    /// Any bits, with the special ones often.
    fn wild(&mut self, dtype: Dtype) -> u64 {
        if dtype == Dtype::Bool {
            return self.next() & 1;
        }
        if dtype.is_inexact() && self.below(3) == 0 {
            let special =
                [0., -0., 1., -1., 0.5, 2., 3., f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e10, -7.25];
            return Scalar::Float(special[self.below(special.len())]).bits(dtype);
        }
        if dtype.is_integer() && self.below(2) == 0 {
            let special =
                [0, 1, -1, 2, 3, 7, -8, i64::MIN, i64::MAX, i32::MIN.into(), i32::MAX.into(), 31, 32, 63, 64];
            return Scalar::Int(special[self.below(special.len())]).bits(dtype);
        }
        let mask = if dtype.size() == 8 { u64::MAX } else { (1 << (8 * dtype.size())) - 1 };
        self.next() & mask
    }
}
