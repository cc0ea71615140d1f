//! Steps one point at a time, in double rounded to each type or in wide whole numbers: slow and plain.
#![allow(dead_code)]

pub mod values;

use std::sync::Arc;

use pullback_base::{Aval, Device, Dtype, Layout, Scalar, Shape};
use pullback_compile::program::Class;
use pullback_compile::{Backend, GroupStep, Inst, Operand, Program, Step, Task};
use pullback_cpu::Cpu;
use pullback_kernels::Isa;

/// Random numbers.
pub struct Rng(pub u64);
impl Rng {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % n
    }
    pub fn unit(&mut self) -> f64 {
        (self.below(1 << 20) as f64 / f64::from(1 << 20) - 0.5) * 4.
    }
    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

/// An element of a block.
pub fn read(dtype: Dtype, bytes: &[u8], i: usize) -> Scalar {
    let mut word = [0; 8];
    word[..dtype.size()].copy_from_slice(&bytes[i * dtype.size()..(i + 1) * dtype.size()]);
    Scalar::from_bits(u64::from_le_bytes(word), dtype)
}

/// Elements as a block has them.
pub fn pack(dtype: Dtype, values: impl IntoIterator<Item = Scalar>) -> Vec<u8> {
    values.into_iter().flat_map(|x| x.bits(dtype).to_le_bytes()[..dtype.size()].to_vec()).collect()
}

/// A random block. Small whole numbers, so that arithmetic on them is exact in every type.
pub fn block(dtype: Dtype, n: usize, rng: &mut Rng) -> Vec<u8> {
    let value = |rng: &mut Rng| match dtype {
        Dtype::Bool => Scalar::Bool(rng.below(2) == 1),
        Dtype::C64 => Scalar::Complex(rng.unit(), rng.unit()),
        _ if dtype.is_inexact() => Scalar::Float(rng.unit()),
        _ => Scalar::Int(
            rng.below(40) as i64 - if dtype.kind() == pullback_base::Kind::Signed { 20 } else { 0 },
        ),
    };
    pack(dtype, (0..n).map(|_| value(rng)))
}

/// A way that an operand may lie over a space.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lie {
    Full,
    Scalar,
    /// Axes in another order in memory.
    Transposed,
    /// Some axes repeated.
    Repeated,
    /// Every second element, from an offset.
    Spaced,
    /// Backwards along some axes.
    Backward,
}

pub const LIES: [Lie; 6] =
    [Lie::Full, Lie::Scalar, Lie::Transposed, Lie::Repeated, Lie::Spaced, Lie::Backward];

/// A layout over `space`, and how many elements its block has.
pub fn lay(lie: Lie, space: &Shape, rng: &mut Rng) -> (Class, Layout, usize) {
    let n = space.ndim();
    let full = Layout::contiguous(space);
    let strided = |layout: Layout, size: usize| (Class::Strided, layout, size);
    match lie {
        Lie::Full => (Class::Full, full, space.size()),
        Lie::Scalar => {
            let offset = rng.below(3);
            let strides = full.strides.iter().map(|_| 0).collect();
            (Class::Scalar, Layout { strides, offset, ..full }, 3)
        }
        Lie::Transposed => {
            let mut order: Vec<usize> = (0..n).collect();
            for i in (1..n).rev() {
                order.swap(i, rng.below(i + 1));
            }
            let memory: Shape = order.iter().map(|&axis| space[axis]).collect();
            let mut back = vec![0; n];
            order.iter().enumerate().for_each(|(at, &axis)| back[axis] = at);
            strided(Layout::contiguous(&memory).transpose(&back), space.size())
        }
        Lie::Repeated => {
            let small: Shape = space.iter().map(|&size| if rng.below(2) == 0 { 1 } else { size }).collect();
            strided(Layout::contiguous(&small).broadcast(space), small.size())
        }
        Lie::Spaced => {
            let wide: Shape = space.iter().map(|&size| size * 2 + 1).collect();
            let layout = Layout::contiguous(&wide).slice(&vec![1; n], &vec![2; n], space);
            strided(layout, wide.size())
        }
        Lie::Backward => {
            let start: Vec<usize> = space.iter().map(|&size| size.saturating_sub(1)).collect();
            strided(full.slice(&start, &vec![-1; n], space), space.size())
        }
    }
}

/// A program with its inputs.
pub struct Setup {
    pub program: Arc<Program>,
    pub space: Shape,
    pub reduced: Vec<bool>,
    pub inputs: Vec<(Operand, Vec<u8>)>,
}

/// Shape, type and values of an output.
pub type Output = (Shape, Dtype, Vec<Scalar>);

impl Setup {
    /// Lays out the inputs as the program says: `Strided` ones at random.
    pub fn new(mut program: Program, space: Shape, reduced: Vec<bool>, lies: &[Lie], rng: &mut Rng) -> Setup {
        let mut inputs = Vec::new();
        for (i, inst) in program.insts.iter().enumerate() {
            let Inst::Load { input } = *inst else { continue };
            let (class, layout, size) = lay(lies[input as usize], &space, rng);
            program.inputs[input as usize] = class;
            let dtype = program.types[i];
            let aval = Aval::new([size], dtype);
            inputs.push((Operand { slot: input.into(), layout, aval }, block(dtype, size, rng)));
        }
        Setup { program: Arc::new(program), space, reduced, inputs }
    }

    fn kept(&self) -> Shape {
        self.space.iter().zip(&self.reduced).filter(|(_, r)| !**r).map(|(&n, _)| n).collect()
    }

    /// Coordinates of point p of a shape.
    fn point(shape: &[usize], mut p: usize) -> Vec<usize> {
        let mut at = vec![0; shape.len()];
        for axis in (0..shape.len()).rev() {
            at[axis] = p % shape[axis];
            p /= shape[axis];
        }
        at
    }

    fn load(&self, input: usize, dtype: Dtype, at: &[usize]) -> Scalar {
        let (operand, bytes) = &self.inputs[input];
        let steps = at.iter().zip(&operand.layout.strides).map(|(&i, &stride)| i as isize * stride);
        read(dtype, bytes, (operand.layout.offset as isize + steps.sum::<isize>()) as usize)
    }

    /// Value `v` at a point of the space; `results` are the reductions' values there.
    fn value(&self, v: usize, at: &[usize], results: &dyn Fn(usize) -> Scalar) -> Scalar {
        let (program, dtype) = (&self.program, self.program.types[v]);
        let arg = |k: usize| self.value(program.insts[v].args()[k] as usize, at, results);
        let of = |k: usize| program.dtype(program.insts[v].args()[k]);
        match program.insts[v] {
            Inst::Const { bits } => Scalar::from_bits(bits, dtype),
            Inst::Load { input } => self.load(input as usize, dtype, at),
            Inst::Map { map, .. } => {
                let args: Vec<Scalar> = (0..map.arity()).map(arg).collect();
                values::apply(map, of(map.key_operand()), dtype, &args)
            }
            Inst::Cast { .. } => values::cast(arg(0), of(0), dtype),
            Inst::Bitcast { .. } => Scalar::from_bits(arg(0).bits(of(0)), dtype),
            Inst::Reduce { .. } => results(v),
            Inst::Store { .. } => arg(0),
        }
    }

    /// What the outputs should be.
    pub fn expected(&self) -> Vec<Output> {
        let program = &self.program;
        let kept = self.kept();
        let none = |_: usize| -> Scalar { unreachable!("no reduction below another") };
        let mut reductions = std::collections::HashMap::new();
        let mut made = vec![false; program.insts.len()];
        for (v, inst) in program.insts.iter().enumerate() {
            made[v] = inst.args().iter().any(|&arg| made[arg as usize]);
            let Inst::Reduce { fold, arg } = *inst else { continue };
            made[v] = true;
            let dtype = program.types[v];
            let mut sums = vec![values::neutral(fold, dtype); kept.size()];
            for p in 0..self.space.size() {
                let at = Self::point(&self.space, p);
                let x = self.value(arg as usize, &at, &none);
                let mut k = 0;
                for (axis, &i) in at.iter().enumerate().filter(|(axis, _)| !self.reduced[*axis]) {
                    k = k * self.space[axis] + i;
                }
                sums[k] = values::join(fold, dtype, sums[k], x);
            }
            let sums: Vec<Scalar> =
                sums.into_iter().map(|x| Scalar::from_bits(x.bits(dtype), dtype)).collect();
            reductions.insert(v, sums);
        }
        let mut outputs = Vec::new();
        for (v, inst) in program.insts.iter().enumerate() {
            let Inst::Store { .. } = inst else { continue };
            let shape = if made[v] { kept.clone() } else { self.space.clone() };
            let values = (0..shape.size()).map(|p| {
                let mut at = Self::point(&shape, p);
                if made[v] {
                    let mut kept = at.into_iter();
                    at = self.reduced.iter().map(|&r| if r { 0 } else { kept.next().unwrap() }).collect();
                }
                self.value(v, &at, &|reduce| reductions[&reduce][p])
            });
            let values = values.collect();
            outputs.push((shape, program.types[v], values));
        }
        outputs
    }

    /// Runs it. With `donate`, the blocks of the inputs may be written over.
    pub fn run(&self, cpu: &Cpu, expected: &[Output], donate: bool) -> Vec<Vec<u8>> {
        let mut slots: Vec<_> = self.inputs.iter().map(|_| None).collect();
        for (operand, bytes) in &self.inputs {
            slots[operand.slot as usize] = Some(cpu.upload(bytes, operand.aval.dtype).unwrap());
        }
        let first = slots.len();
        slots.resize(first + expected.len(), None);
        let outputs: Vec<_> = expected
            .iter()
            .enumerate()
            .map(|(k, (shape, dtype, _))| ((first + k) as u32, Aval::new(shape.clone(), *dtype)))
            .collect();
        let step = Step {
            device: Device::Cpu,
            task: Task::Group(GroupStep {
                program: self.program.clone(),
                space: self.space.clone(),
                reduced: self.reduced.clone(),
            }),
            inputs: self.inputs.iter().map(|(operand, _)| operand.clone()).collect(),
            dying: if donate { (0..first as u32).collect() } else { vec![] },
            outputs,
        };
        assert_eq!(cpu.lacks_group(&self.program), None);
        cpu.run(&[step], &mut slots, &mut || Ok(())).unwrap();
        if donate {
            assert!(slots[..first].iter().all(Option::is_none));
        }
        slots[first..]
            .iter()
            .zip(expected)
            .map(|(block, (_, dtype, _))| cpu.download(block.as_ref().unwrap(), *dtype).unwrap())
            .collect()
    }

    /// On every instruction set, with and without donation.
    pub fn check(&self, what: &str) {
        let expected = self.expected();
        for isa in Isa::ALL.into_iter().filter(|isa| isa.available()) {
            let cpu = Cpu::with_isa(isa);
            for donate in [false, true] {
                let outputs = self.run(&cpu, &expected, donate);
                for (k, ((shape, dtype, want), got)) in expected.iter().zip(&outputs).enumerate() {
                    assert_eq!(got.len(), want.len() * dtype.size());
                    let scale =
                        want.iter().map(|x| x.real().abs()).filter(|x| x.is_finite()).fold(1f64, f64::max);
                    for (i, &want) in want.iter().enumerate() {
                        let got = read(*dtype, got, i);
                        assert!(
                            values::close(got, want, *dtype, scale),
                            "{what} {isa:?} donate {donate} space {} reduced {:?} output {k} {shape} {dtype} [{i}]: \
                             {got:?}, not {want:?}\n{:?}\n{:#?}",
                            self.space,
                            self.reduced,
                            self.inputs.iter().map(|(operand, _)| &operand.layout).collect::<Vec<_>>(),
                            self.program.insts,
                        );
                    }
                }
            }
        }
    }
}
