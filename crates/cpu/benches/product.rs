//! A product of matrices by the engine beside the crate that it stands on, called directly, in one run.
//!
//! `cargo bench -p pullback-cpu`, and with `PULLBACK_THREADS=1` on one thread. Minima of alternating repeats.

use std::time::{Duration, Instant};

use gemm::Parallelism;
use pullback::{Array, Result, array, eval, fun};

const REPEATS: usize = 60;

fn ramp(side: usize) -> Vec<f32> {
    (0..side * side).map(|i| (i % 251) as f32 / 251. - 0.5).collect()
}

fn timed<R>(best: &mut Duration, run: impl FnOnce() -> R) -> R {
    let start = Instant::now();
    let result = run();
    *best = start.elapsed().min(*best);
    result
}

fn directly(out: &mut [f32], a: &[f32], side: usize, threads: usize) {
    let parallelism = if threads > 1 { Parallelism::Rayon(threads) } else { Parallelism::None };
    let (row, col) = (side as isize, 1);
    assert!(out.len() == side * side && a.len() == side * side);
    // SAFETY: all three are row-major squares of this side, and the output is borrowed alone.
    unsafe {
        gemm::gemm(
            side,
            side,
            side,
            out.as_mut_ptr(),
            col,
            row,
            false,
            a.as_ptr(),
            col,
            row,
            a.as_ptr(),
            col,
            row,
            0.,
            1.,
            false,
            false,
            false,
            parallelism,
        );
    }
}

fn main() -> Result<()> {
    let threads = std::env::var("PULLBACK_THREADS").ok().and_then(|n| n.parse().ok());
    let threads = threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    for side in [128, 512, 1024] {
        let a = ramp(side);
        let m = array(&a, &[side, side])?;
        let mut out = vec![0f32; side * side];
        let (mut engine, mut library) = (Duration::MAX, Duration::MAX);
        for _ in 0..REPEATS {
            let product: Array = timed(&mut engine, || -> Result<Array> {
                let product = fun::matmul(&m, &m)?;
                eval::eval(std::slice::from_ref(&product), &mut || Ok(()))?;
                Ok(product)
            })?;
            drop(product);
            timed(&mut library, || directly(&mut out, &a, side, threads));
        }
        let (engine, library) = (engine.as_secs_f64() * 1e3, library.as_secs_f64() * 1e3);
        println!(
            "{side} x {side} f32, threads {threads}: {engine:.3} ms, gemm itself {library:.3} ms, ratio {:.3}",
            engine / library
        );
    }
    Ok(())
}
