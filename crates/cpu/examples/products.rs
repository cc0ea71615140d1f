//! Products of matrices of several shapes beside the library called directly: GFLOP/s, the best of many runs.
//!
//!     cargo run --release -p pullback-cpu --example products      PULLBACK_THREADS=1

use std::time::Instant;

use pullback_base::{Aval, Device, Dtype, Layout, Shape};
use pullback_compile::{Backend, Operand, Step, Task, WholeStep};
use pullback_cpu::Cpu;
use pullback_kernels::Whole;

fn best(flops: f64, mut work: impl FnMut()) -> f64 {
    let (mut best, start) = (f64::INFINITY, Instant::now());
    while start.elapsed().as_secs_f64() < 0.5 {
        let begin = Instant::now();
        work();
        best = best.min(begin.elapsed().as_secs_f64());
    }
    flops / best / 1e9
}

fn ours(cpu: &Cpu, dtype: Dtype, [b, m, k, n]: [usize; 4], transposed: bool) -> f64 {
    let shapes = [Shape::new(&[b, m, k]), Shape::new(&[b, k, n])];
    let bytes = |shape: &Shape| vec![0u8; shape.size() * dtype.size()];
    let mut slots: Vec<_> =
        shapes.iter().map(|shape| Some(cpu.upload(&bytes(shape), dtype).unwrap())).collect();
    slots.push(None);
    let input = |slot: usize| {
        let shape = &shapes[slot];
        let layout = match transposed && slot == 1 {
            true => Layout::contiguous(&Shape::new(&[b, n, k])).transpose(&[0, 2, 1]),
            false => Layout::contiguous(shape),
        };
        Operand { slot: slot as u32, layout, aval: Aval::new(shape.clone(), dtype) }
    };
    let shape = Shape::new(&[b, m, n]);
    let step = Step {
        device: Device::Cpu,
        inputs: vec![input(0), input(1)],
        task: Task::Whole(WholeStep { whole: Whole::Matmul, shapes: shapes.to_vec(), shape: shape.clone() }),
        outputs: vec![(2, Aval::new(shape, dtype))],
        dying: vec![],
    };
    best(2. * (b * m * k * n) as f64, || {
        cpu.run(std::slice::from_ref(&step), &mut slots, &mut || Ok(())).unwrap()
    })
}

fn direct([_, m, k, n]: [usize; 4], threads: usize) -> f64 {
    let (a, b, mut c) = (vec![1f32; m * k], vec![1f32; k * n], vec![0f32; m * n]);
    let parallelism = if threads > 1 { gemm::Parallelism::Rayon(threads) } else { gemm::Parallelism::None };
    // SAFETY: three matrices of these sizes.
    best(2. * (m * k * n) as f64, || unsafe {
        let (rows, cols) = (n as isize, k as isize);
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            rows,
            false,
            a.as_ptr(),
            1,
            cols,
            b.as_ptr(),
            1,
            rows,
            0.,
            1.,
            false,
            false,
            false,
            parallelism,
        );
    })
}

fn main() {
    let cpu = Cpu::new().unwrap();
    println!("{}, {} threads; GFLOP/s ours, with b transposed, library", cpu.isa_name(), cpu.threads());
    for shape in [
        [1, 1024, 1024, 1024],
        [1, 256, 256, 256],
        [1, 64, 64, 64],
        [1, 1, 4096, 4096],
        [1, 4096, 4096, 1],
        [1, 64, 4096, 4096],
        [1, 32, 784, 128],
        [1000, 16, 16, 16],
        [64, 128, 64, 128],
    ] {
        let one = if shape[0] == 1 { direct(shape, cpu.threads()) } else { f64::NAN };
        let [plain, across] = [false, true].map(|transposed| ours(&cpu, Dtype::F32, shape, transposed));
        println!("f32 {shape:?}: {plain:.1} {across:.1} {one:.1}");
    }
    for dtype in [Dtype::F64, Dtype::F16, Dtype::Bf16, Dtype::C64, Dtype::I32] {
        println!("{dtype} 512: {:.1}", ours(&cpu, dtype, [1, 512, 512, 512], false));
    }
}
