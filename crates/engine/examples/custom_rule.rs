//! Rules of one's own in Rust: one as a closure, one as a trait, under `vmap` and `grad`, on every device there is.
//!
//! `cargo run --example custom_rule -p pullback`

use pullback::custom::{Call, Offers, Rules, Value};
use pullback::transform::{Custom, grad, out_axis, vmap};
use pullback::{Array, Device, Result, array, available, fun, place, to_f64};

const BOUND: f64 = 0.5;
const FEATURES: usize = 3;
const WEIGHTS: [f32; FEATURES] = [0.5, -1.0, 2.0];
const EXAMPLES: [[f32; FEATURES]; 4] = [[1.0, 2.0, 0.5], [0.1, 0.2, 0.3], [-2.0, 1.0, 1.5], [0.2, 0.0, -0.1]];

/// The weights as they are; but the gradient that comes back through them is no longer than `BOUND`.
fn clip() -> Custom {
    Custom::new("clip", &["w"], |w| Ok(w.to_vec())).vjp(|_call, cotangents| {
        let g = &cotangents[0];
        let norm = fun::sqrt(&fun::sum(&(g * g), &[0])?)?;
        let scale = fun::minimum(&g.weak(1.0), &(BOUND / norm))?;
        Ok((g * scale).into())
    })
}

/// Rounds to eighths; the derivative is that of the identity, since that of a staircase teaches nothing.
fn quantise() -> Custom {
    struct StraightThrough;

    impl Rules for StraightThrough {
        fn offers(&self) -> Offers {
            Offers { vjp: true, ..Offers::default() }
        }

        fn vjp(&self, _call: &Call, cotangents: &[Option<Array>]) -> Result<Value> {
            Ok(cotangents.to_vec().into())
        }
    }

    Custom::new("quantise", &["x"], |x| Ok(vec![fun::round(&(&x[0] * 8.0), 0)? * 0.125]))
        .rules(StraightThrough)
}

/// `0.5 * (q(w) . x - 1)^2`
fn error(clip: &Custom, quantise: &Custom, w: &Array, x: &Array) -> Result<Array> {
    let w = clip.call(std::slice::from_ref(w))?.swap_remove(0);
    let w = quantise.call(&[w])?.swap_remove(0);
    let miss = fun::sum(&(w * x), &[0])? - 1.0;
    Ok(0.5 * (&miss * &miss))
}

/// The gradient of the sum of all errors: one `grad` around one `vmap`.
fn gradient(w: &Array, xs: &Array) -> Result<Array> {
    let (clip, quantise) = (clip(), quantise());
    let each = |args: &[Array]| Ok(vec![error(&clip, &quantise, &args[0], &args[1])?]);
    let total = |w: &[Array]| {
        let errors = vmap(&each, &[w[0].clone(), xs.clone()], &[None, Some(0)], None)?;
        let errors = out_axis(&errors[0], Some(0), EXAMPLES.len())?;
        Ok(vec![fun::sum(&errors, &[0])?])
    };
    Ok(grad(&total, std::slice::from_ref(w), &[0])?.swap_remove(0))
}

/// The same by hand, in a loop.
fn expected() -> [f64; FEATURES] {
    let mut sum = [0.0; FEATURES];
    for x in EXAMPLES.map(|x| x.map(f64::from)) {
        // The weights are eighths, so quantising leaves them as they are.
        let miss: f64 = WEIGHTS.iter().zip(x).map(|(&w, x)| f64::from(w) * x).sum::<f64>() - 1.0;
        let norm = x.iter().map(|x| (miss * x).powi(2)).sum::<f64>().sqrt();
        let scale = f64::min(1.0, BOUND / norm);
        sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += scale * miss * x);
    }
    sum
}

fn main() -> Result<()> {
    let expected = expected();
    println!("by hand  {expected:.4?}");
    for device in [Device::Cpu, Device::Gpu] {
        if !available(device) {
            println!("{device}      not available here");
            continue;
        }
        let _here = place::on(Some(device));
        let w = array(&WEIGHTS, &[FEATURES])?;
        let xs = array(EXAMPLES.as_flattened(), &[EXAMPLES.len(), FEATURES])?;
        let found = to_f64(&gradient(&w, &xs)?)?;
        println!("{device}      {found:.4?}");
        let near = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-5);
        assert!(near, "each example's gradient is clipped, whatever the device");
    }
    Ok(())
}
