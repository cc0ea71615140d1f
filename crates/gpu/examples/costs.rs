//! What things cost on the adapter at hand. `cargo run --release -p pullback-gpu --example costs`
//!
//! Minima of five repeats. On a software adapter only the costs of recording say anything about a GPU.

use std::sync::Arc;
use std::time::Instant;

use pullback_base::{Aval, Device, Dtype, Layout, Result, Shape};
use pullback_compile::program::Class;
use pullback_compile::{Backend, GroupStep, Inst, Operand, Program, Step, Task, WholeStep};
use pullback_gpu::Gpu;
use pullback_kernels::{Fold, Map, Whole};

/// Seconds of the fastest of five, after one to warm up; waits for the device each time.
fn time(gpu: &Gpu, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for repeat in 0..6 {
        gpu.synchronize()?;
        let start = Instant::now();
        work()?;
        gpu.synchronize()?;
        if repeat > 0 {
            best = best.min(start.elapsed().as_secs_f64());
        }
    }
    Ok(best)
}

fn operand(slot: u32, shape: &Shape) -> Operand {
    Operand { slot, layout: Layout::contiguous(shape), aval: Aval::new(shape.clone(), Dtype::F32) }
}

/// `exp(x) y + x`, or the sums of its rows.
fn fused(shape: &Shape, reduced: &[bool]) -> Step {
    let mut program = Program::default();
    let x = program.load(Dtype::F32, Class::Full);
    let y = program.load(Dtype::F32, Class::Full);
    let exp = program.map(Map::Exp, &[x], Dtype::F32);
    let product = program.map(Map::Mul, &[exp, y], Dtype::F32);
    let mut last = program.map(Map::Add, &[product, x], Dtype::F32);
    let mut kept = shape.to_vec();
    if reduced.contains(&true) {
        last = program.push(Inst::Reduce { fold: Fold::Sum, arg: last }, Dtype::F32);
        kept = shape.iter().zip(reduced).filter(|(_, r)| !**r).map(|(n, _)| *n).collect();
    }
    program.store(Dtype::F32, last);
    let group = GroupStep { program: Arc::new(program), space: shape.clone(), reduced: reduced.to_vec() };
    let outputs = vec![(2, Aval::new(kept, Dtype::F32))];
    let inputs = vec![operand(0, shape), operand(1, shape)];
    Step { device: Device::Gpu, task: Task::Group(group), inputs, outputs, dying: vec![] }
}

fn whole(whole: Whole, shapes: &[Shape], shape: Shape, dtype: Dtype) -> Step {
    let inputs = (0..).zip(shapes).map(|(slot, shape)| operand(slot, shape)).collect();
    let outputs = vec![(2, Aval::new(shape.clone(), dtype))];
    let task = Task::Whole(WholeStep { whole, shapes: shapes.to_vec(), shape });
    Step { device: Device::Gpu, task, inputs, outputs, dying: vec![] }
}

fn main() -> Result<()> {
    let start = Instant::now();
    let gpu = Gpu::open()?;
    println!("{}opened in {:.1} ms\n", gpu.info(), start.elapsed().as_secs_f64() * 1e3);
    let n = 1 << 24;
    let bytes: Vec<u8> = (0..n).flat_map(|i| (((i % 997) as f32) * 1e-3).to_le_bytes()).collect();
    let x = gpu.upload(&bytes, Dtype::F32)?;
    let y = gpu.upload(&bytes, Dtype::F32)?;
    let run = |step: &Step, times: usize| -> Result<f64> {
        let steps = vec![step.clone(); times];
        let mut slots = vec![Some(x.clone()), Some(y.clone()), None];
        time(&gpu, || gpu.run(&steps, &mut slots, &mut || Ok(())))
    };
    let small = fused(&Shape::new(&[100]), &[false]);
    println!("a step of 100 elements, of 1000      {:8.2} us", run(&small, 1000)? * 1e3);
    let mut recording = f64::INFINITY;
    for _ in 0..200 {
        let steps = vec![small.clone(); 15];
        let mut slots = vec![Some(x.clone()), Some(y.clone()), None];
        gpu.synchronize()?;
        let start = Instant::now();
        gpu.run(&steps, &mut slots, &mut || Ok(()))?;
        recording = recording.min(start.elapsed().as_secs_f64() / 15.);
    }
    println!("recording it, without the device     {:8.2} us", recording * 1e6);
    println!("one such step, and wait              {:8.2} us", run(&small, 1)? * 1e6);
    let flat = run(&fused(&Shape::new(&[n]), &[false]), 1)?;
    println!("exp(x) y + x of 2^24                 {:8.3} ns per element", flat / n as f64 * 1e9);
    for (name, shape, reduced) in [
        ("sum of it, all", vec![n], vec![true]),
        ("sums of 4096 rows", vec![4096, 4096], vec![false, true]),
        ("sums of 4096 columns", vec![4096, 4096], vec![true, false]),
    ] {
        let seconds = run(&fused(&Shape::from(shape), &reduced), 1)?;
        println!("{name:36} {:8.3} ns per element", seconds / n as f64 * 1e9);
    }
    for n in [128, 512, 1024] {
        let shape = Shape::new(&[1, n, n]);
        let seconds = run(&whole(Whole::Matmul, &[shape.clone(), shape.clone()], shape, Dtype::F32), 1)?;
        println!(
            "matmul {n:4}                          {:8.2} GFLOP/s",
            2. * (n * n * n) as f64 / seconds / 1e9
        );
    }
    let line = Shape::new(&[1, 1 << 20, 1]);
    for (name, kernel, dtype) in [
        ("sort 2^20", Whole::Sort, Dtype::F32),
        ("argsort 2^20", Whole::ArgSort, Dtype::U32),
        (
            "running sum of 2^20",
            Whole::Cumulate { how: pullback_kernels::Cumulate::Sum, reverse: false, inclusive: true },
            Dtype::F32,
        ),
    ] {
        let seconds = run(&whole(kernel, std::slice::from_ref(&line), line.clone(), dtype), 1)?;
        println!("{name:36} {:8.2} ms", seconds * 1e3);
    }
    let up = time(&gpu, || gpu.upload(&bytes, Dtype::F32).map(drop))?;
    let down = time(&gpu, || gpu.download(&x, Dtype::F32).map(drop))?;
    println!(
        "upload, download of 64 MiB           {:8.2} and {:.2} GB/s",
        bytes.len() as f64 / up / 1e9,
        bytes.len() as f64 / down / 1e9
    );
    println!("{:?}", gpu.memory());
    Ok(())
}
