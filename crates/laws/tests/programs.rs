//! Random programs under random transforms: lazy = eager = recorded, CPU = GPU, grad = difference quotient, vmap = loop.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use pullback::transform::{grad, jvp_dense, out_axis, trace, vmap};
use pullback::{Array, Device, Dtype, Result, fun};
use pullback_laws::derivative::check_grads;
use pullback_laws::elements::drawn;
use pullback_laws::programs::{ALL, SMOOTH, Step, aval, run};
use pullback_laws::{Rng, close, values};

/// What is put around a program.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Around {
    Nothing,
    Grad,
    Vmap,
    GradOfVmap,
    VmapOfGrad,
    JvpOfGrad,
}

const AROUND: [Around; 6] =
    [Around::Nothing, Around::Grad, Around::Vmap, Around::GradOfVmap, Around::VmapOfGrad, Around::JvpOfGrad];

fn steps(kinds: u8, longest: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = (0..kinds, any::<[u8; 3]>()).prop_map(|(what, of)| Step { what, of: of.map(|i| i % 4) });
    prop::collection::vec(step, 3..longest)
}

fn program(steps: &[Step]) -> impl Fn(&[Array]) -> Result<Vec<Array>> {
    move |x| Ok(vec![run(steps, x, &|_| Ok(()))?])
}

fn loss(steps: &[Step]) -> impl Fn(&[Array]) -> Result<Vec<Array>> {
    move |x| Ok(vec![fun::mean(&run(steps, x, &|_| Ok(()))?, None, false)?])
}

/// Two matrices.
fn inputs(dtype: Dtype, seed: &str) -> Vec<Array> {
    let mut rng = Rng::of(seed);
    (0..2).map(|_| drawn(&mut rng, &aval(dtype), (-1.5, 1.5)).expect("fits")).collect()
}

/// A batch of three first matrices, along axis 1, and one second matrix.
fn batch(x: &[Array]) -> Result<Vec<Array>> {
    let rows = [&x[0], &fun::sin(&x[0])?, &fun::cos(&x[1])?];
    Ok(vec![fun::stack(&rows, 1)?, x[1].clone()])
}

const AXES: [Option<usize>; 2] = [Some(1), None];

fn mapped(f: &dyn Fn(&[Array]) -> Result<Vec<Array>>, x: &[Array]) -> Result<Vec<Array>> {
    vmap(f, &batch(x)?, &AXES, None)?.iter().map(|result| out_axis(result, Some(0), 3)).collect()
}

fn around(how: Around, steps: &[Step], x: &[Array]) -> Result<Vec<Array>> {
    let (plain, scalar) = (program(steps), loss(steps));
    let slopes = |x: &[Array]| grad(&scalar, x, &[0, 1]);
    match how {
        Around::Nothing => plain(x),
        Around::Grad => slopes(x),
        Around::Vmap => mapped(&plain, x),
        Around::VmapOfGrad => mapped(&slopes, x),
        Around::GradOfVmap => {
            let total = |x: &[Array]| Ok(vec![fun::sum_all(&mapped(&scalar, x)?[0])?]);
            grad(&total, x, &[0, 1])
        }
        Around::JvpOfGrad => {
            let ts: Vec<Array> = x.iter().map(fun::cos).collect::<Result<_>>()?;
            Ok(jvp_dense(&slopes, x, &ts)?.1)
        }
    }
}

/// All elements, as one list.
fn flat(arrays: &[Array]) -> Vec<f64> {
    values(arrays).expect("evaluates").concat()
}

/// So many programs, the same on every run; or as many times more as `PULLBACK_LAWS` says, and other ones each time.
fn config(cases: u32) -> ProptestConfig {
    let times = std::env::var("PULLBACK_LAWS").ok().and_then(|times| times.parse().ok());
    let cases = cases * times.unwrap_or(1);
    let rng_seed = if times.is_some() { RngSeed::Random } else { RngSeed::Fixed(7) };
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn recorded_is_lazy(steps in steps(ALL, 60), how in prop::sample::select(&AROUND[..])) {
        let x = inputs(Dtype::F64, "recorded");
        let f = |x: &[Array]| around(how, &steps, x);
        let lazy = flat(&f(&x).expect("builds"));
        let recorded = trace(&f, &[aval(Dtype::F64), aval(Dtype::F64)]).expect("records");
        // Another order of the same operations may be grouped otherwise, and round otherwise.
        prop_assert_eq!(close(&flat(&recorded.call(&x).expect("replays")), &lazy, 1e-9, 1.), Ok(()));
    }

    #[test]
    fn eager_is_lazy(steps in steps(ALL, 60)) {
        let x = inputs(Dtype::F64, "eager");
        let eager = run(&steps, &x, &|y| pullback::eval(std::slice::from_ref(y), &mut || Ok(()))).expect("runs");
        let lazy = run(&steps, &x, &|_| Ok(())).expect("builds");
        prop_assert_eq!(close(&flat(&[eager]), &flat(&[lazy]), 1e-9, 1.), Ok(()));
    }

    #[test]
    fn vmap_is_a_loop(steps in steps(ALL, 60), of_grad in any::<bool>()) {
        let x = inputs(Dtype::F64, "vmap");
        let (plain, scalar) = (program(&steps), loss(&steps));
        let slopes = |x: &[Array]| grad(&scalar, x, &[0, 1]);
        let f: &dyn Fn(&[Array]) -> Result<Vec<Array>> = if of_grad { &slopes } else { &plain };
        let found = mapped(f, &x).expect("maps");
        let wide = batch(&x).expect("fits");
        for k in 0..3 {
            let one = fun::reshape(&fun::narrow(&wide[0], 1, k, 1).expect("fits"), aval(Dtype::F64).shape);
            let want = f(&[one.expect("fits"), wide[1].clone()]).expect("runs");
            for (found, want) in found.iter().zip(&want) {
                let slice = fun::narrow(found, 0, k, 1).expect("fits");
                prop_assert_eq!(close(&flat(&[slice]), &flat(std::slice::from_ref(want)), 1e-9, 1.), Ok(()));
            }
        }
    }

    #[test]
    fn grad_is_a_quotient(steps in steps(SMOOTH, 40), order in 1usize..3) {
        let steps = &steps[..if order == 2 { steps.len().min(12) } else { steps.len() }];
        let x = inputs(Dtype::F64, "grad");
        let result = check_grads(&program(steps), &x, order, &mut Rng::of("grad"));
        prop_assert!(result.is_ok(), "{:?}", result);
    }
}

proptest! {
    #![proptest_config(config(12))]

    #[test]
    fn devices_agree(steps in steps(SMOOTH, 40), how in prop::sample::select(&AROUND[..])) {
        if !pullback::available(Device::Gpu) {
            return Ok(());
        }
        let x = inputs(Dtype::F32, "devices");
        let on = |device: Device| {
            let _here = pullback::place::on(Some(device));
            flat(&around(how, &steps, &x).expect("builds"))
        };
        prop_assert_eq!(close(&on(Device::Gpu), &on(Device::Cpu), 2e-3, 1.), Ok(()));
    }
}
