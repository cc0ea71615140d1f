//! `cargo bench -p pullback-benches`: what building, planning and computing cost, without Python.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pullback::{Array, Result, eval, fun};
use pullback_benches::{chain, ramp, ruled, scalar, slope, three};

/// What a benchmark needs is there, or there is nothing to measure.
fn sure<T>(result: Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

fn run(array: &Array) {
    sure(eval::eval(std::slice::from_ref(array), &mut || Ok(())));
}

fn build(c: &mut Criterion) {
    let (x, y) = (sure(scalar(1.0)), sure(scalar(2.0)));
    let mut group = c.benchmark_group("build");
    group.bench_function("add", |b| b.iter(|| sure(fun::add(black_box(&x), &y))));
    group.throughput(Throughput::Elements(1000));
    group.bench_function("chain of 1000 adds, and drop", |b| b.iter(|| sure(chain(black_box(&x), &y, 1000))));
    group.finish();
    let f = ruled();
    c.bench_function("build/grad of a scalar custom function", |b| b.iter(|| sure(slope(&f, black_box(&x)))));
}

fn plan(c: &mut Criterion) {
    let (x, y) = (sure(scalar(1.0)), sure(scalar(2.0)));
    let compiled = sure(three());
    let mut group = c.benchmark_group("plan");
    group.bench_function("eval of scalar a + b", |b| b.iter(|| run(&sure(fun::add(black_box(&x), &y)))));
    group.bench_function("recorded call of three ops and eval", |b| {
        b.iter(|| sure(compiled.call(&[x.clone(), y.clone()])).iter().for_each(run));
    });
    group.bench_function("eval of a chain of 100", |b| b.iter(|| run(&sure(chain(black_box(&x), &y, 100)))));
    group.finish();
}

fn kernels(c: &mut Criterion) {
    let n = 1_000_000;
    let x = sure(ramp(n));
    let mut group = c.benchmark_group("kernels");
    group.throughput(Throughput::Elements(n as u64));
    group.bench_function("gelu of 1e6 f32", |b| b.iter(|| run(&sure(fun::gelu(black_box(&x))))));
    group.bench_function("x * x + x of 1e6 f32", |b| {
        b.iter(|| run(&sure(fun::multiply(black_box(&x), &x).and_then(|square| fun::add(&square, &x)))));
    });
    group.bench_function("sum of 1e6 f32", |b| b.iter(|| run(&sure(fun::sum(black_box(&x), &[0])))));
    let side = 1024;
    let m = sure(fun::reshape(&sure(ramp(side * side)), [side, side].into()));
    run(&m);
    group.throughput(Throughput::Elements((2 * side * side * side) as u64));
    group.bench_function("matmul of 1024 x 1024 f32", |b| {
        b.iter(|| run(&sure(fun::matmul(black_box(&m), &m))))
    });
    group.finish();
}

criterion_group!(benches, build, plan, kernels);
criterion_main!(benches);
