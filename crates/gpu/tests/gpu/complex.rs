//! Complex numbers: functions within the bounds that their texts state, products against those of real numbers.

use pullback_base::{Dtype, Scalar};
use pullback_compile::Program;
use pullback_compile::program::Class;
use pullback_gpu::Gpu;
use pullback_kernels::{Map, Whole};

use crate::conv::{self, Case};
use crate::whole::{factor, product};
use crate::{Input, Noise, gpu, run_group, run_whole};

type C = [f64; 2];

fn parts(bits: u64) -> C {
    match Scalar::from_bits(bits, Dtype::C64) {
        Scalar::Complex(re, im) => [re, im],
        other => unreachable!("{other:?}"),
    }
}

fn times(x: C, y: C) -> C {
    [x[0] * y[0] - x[1] * y[1], x[0] * y[1] + x[1] * y[0]]
}

fn over(x: C, y: C) -> C {
    let square = y[0] * y[0] + y[1] * y[1];
    let [re, im] = times(x, [y[0], -y[1]]);
    [re / square, im / square]
}

/// A function in f64, and the bound of its error over the modulus, in units of 2^-24.
fn exact(map: Map, x: C, y: C) -> (C, f64) {
    match map {
        Map::Neg => ([-x[0], -x[1]], 0.),
        Map::Abs => ([x[0].hypot(x[1]), 0.], 9.),
        Map::Square => (times(x, x), 2.3),
        Map::Recip => (over([1., 0.], x), 15.),
        Map::Add => ([x[0] + y[0], x[1] + y[1]], 1.),
        Map::Sub => ([x[0] - y[0], x[1] - y[1]], 1.),
        Map::Mul => (times(x, y), 2.3),
        Map::Div => (over(x, y), 15.),
        _ => unreachable!("{map:?}"),
    }
}

#[test]
fn functions_are_within_their_bounds() {
    let Some(gpu) = gpu() else { return };
    let mut noise = Noise(31);
    let maps =
        [Map::Neg, Map::Abs, Map::Square, Map::Recip, Map::Add, Map::Sub, Map::Mul, Map::Div].into_iter();
    for map in maps {
        let mut program = Program::default();
        let args: Vec<_> = (0..map.arity()).map(|_| program.load(Dtype::C64, Class::Full)).collect();
        let value = program.map(map, &args, Dtype::C64);
        program.store(Dtype::C64, value);
        // Parts of sizes far apart, of which no product nor quotient runs over.
        let mut part = || noise.unit() * 2f64.powi(noise.below(80) as i32 - 40);
        let mut element = || Scalar::Complex(part(), part()).bits(Dtype::C64);
        let inputs: Vec<Input> = (0..map.arity())
            .map(|_| Input {
                bits: (0..4000).map(|_| element()).collect(),
                ..Input::flat(Dtype::C64, [4000], |_| 0.)
            })
            .collect();
        let got = run_group(gpu, &program, &[4000], &[false], &inputs).unwrap();
        let mut worst = 0f64;
        for (i, &bits) in got[0].iter().enumerate() {
            let [x, y] = [0, map.arity() - 1].map(|k| parts(inputs[k].bits[i]));
            let (want, bound) = exact(map, x, y);
            let [re, im] = parts(bits);
            let error = (re - want[0]).hypot(im - want[1]) / want[0].hypot(want[1]) * 2f64.powi(24);
            assert!(error <= bound, "{map:?} {x:?} {y:?}: {re} {im}, not {want:?}: {error}");
            worst = worst.max(error);
        }
        println!("{map:?}: {worst:.2} * 2^-24");
    }
}

/// One input of two of the same layout.
fn joined(re: &Input, im: &Input) -> Input {
    let bits = re.bits.iter().zip(&im.bits).map(|(re, im)| re | im << 32).collect();
    Input::new(Dtype::C64, bits, re.layout.clone())
}

/// Elements against four sums of products of parts.
fn compare(got: &[u64], sum: impl Fn(usize, usize, usize) -> u64, tolerance: f64, what: &str) {
    for (at, &bits) in got.iter().enumerate() {
        let real = |a, b| f64::from(f32::from_bits(sum(at, a, b) as u32));
        let want = [real(0, 0) - real(1, 1), real(0, 1) + real(1, 0)];
        let [re, im] = parts(bits);
        let error = (re - want[0]).hypot(im - want[1]) / (1. + want[0].hypot(want[1]));
        assert!(error <= tolerance, "{what} [{at}]: {re} {im}, not {want:?}");
    }
}

#[test]
fn products_are_four_real_ones() {
    let Some(shared) = gpu() else { return };
    products(shared);
    products(&Gpu::open().expect("there is one").as_hardware());
}

fn products(gpu: &Gpu) {
    let mut noise = Noise(32);
    for [b, m, k, n] in
        [[1, 1, 1, 1], [5, 6, 7, 9], [2, 65, 17, 66], [2, 5, 1500, 6], [4, 7, 0, 5], [2, 0, 3, 5]]
    {
        for form in 0..4 {
            // The offsets of both parts must be one: the layout of the real part is that of all.
            let mut pair = |shape| {
                let re = factor(&mut noise, Dtype::F32, shape, form);
                let bits = re.bits.iter().map(|_| noise.element(Dtype::F32)).collect();
                let im = Input::new(Dtype::F32, bits, re.layout.clone());
                [re, im]
            };
            let (x, y) = (pair([b, m, k]), pair([b, k, n]));
            let inputs = [joined(&x[0], &x[1]), joined(&y[0], &y[1])];
            let got = run_whole(gpu, Whole::Matmul, &inputs, &[b, m, n], Dtype::C64);
            assert_eq!(got.len(), b * m * n);
            let sum = |at: usize, i: usize, j: usize| {
                product(&[x[i].clone(), y[j].clone()], k, [at / (m * n), at / n % m, at % n])
            };
            compare(&got, sum, 1e-4, &format!("{b} {m} {k} {n} form {form}"));
        }
    }
}

#[test]
fn convolutions_are_four_real_ones() {
    let Some(shared) = gpu() else { return };
    convolutions(shared, conv::cases());
    convolutions(&Gpu::open().expect("there is one").as_hardware(), conv::large());
}

fn convolutions(gpu: &Gpu, cases: Vec<Case>) {
    let mut noise = Noise(33);
    for (number, (x, w, slides)) in cases.iter().enumerate() {
        let mut pair = |shape: &[usize]| {
            let re = conv::operand(&mut noise, Dtype::F32, shape, true);
            let bits = re.bits.iter().map(|_| noise.element(Dtype::F32)).collect();
            let im = Input::new(Dtype::F32, bits, re.layout.clone());
            [re, im]
        };
        let (a, b) = (pair(x), pair(w));
        let inputs = [joined(&a[0], &a[1]), joined(&b[0], &b[1])];
        let r = slides.len();
        let windows = slides.iter().map(|slide| slide.count);
        let shape: Vec<usize> = [x[0]].into_iter().chain(windows).chain([x[r + 1], w[1]]).collect();
        let got = run_whole(gpu, Whole::Conv(slides.clone()), &inputs, &shape, Dtype::C64);
        let sum = |at: usize, i: usize, j: usize| conv::sum(&a[i], &b[j], slides, &conv::index(&shape, at));
        compare(&got, sum, 1e-4, &format!("case {number}"));
    }
}
