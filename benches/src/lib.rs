//! What benchmarks run: `engine.rs` measures it with `cargo bench`, `compare.py` beside other systems.

use pullback::transform::{Custom, Traced, grad, trace};
use pullback::{Array, Result, array, fun};

/// `f` of the sum of `n` links, each an addition: only the graph is built.
///
/// # Errors
/// None.
pub fn chain(x: &Array, y: &Array, n: usize) -> Result<Array> {
    (0..n).try_fold(x.clone(), |sum, _| fun::add(&sum, y))
}

/// A scalar.
///
/// # Errors
/// `Memory` if there is none.
pub fn scalar(value: f32) -> Result<Array> {
    array(&[value], &[])
}

/// `n` numbers between -3 and 3.
///
/// # Errors
/// `Memory` if there is not so much.
pub fn ramp(n: usize) -> Result<Array> {
    let values: Vec<f32> = (0..n).map(|i| (i % 6001) as f32 / 1000.0 - 3.0).collect();
    array(&values, &[n])
}

/// Three operations, recorded once.
///
/// # Errors
/// None.
pub fn three() -> Result<Traced> {
    let f = |x: &[Array]| Ok(vec![fun::subtract(&fun::multiply(&fun::add(&x[0], &x[1])?, &x[0])?, &x[1])?]);
    let like = scalar(1.0)?;
    trace(&f, &[like.aval().clone(), like.aval().clone()])
}

/// A scalar function with a vjp rule.
pub fn ruled() -> Custom {
    Custom::new("sine", &["x"], |x| Ok(vec![fun::sin(&x[0])?]))
        .vjp(|call, g| Ok(vec![fun::multiply(&fun::cos(&call.inputs[0])?, &g[0])?].into()))
}

/// Its gradient.
///
/// # Errors
/// None.
pub fn slope(f: &Custom, x: &Array) -> Result<Array> {
    Ok(grad(&|x| f.call(x), std::slice::from_ref(x), &[0])?.swap_remove(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pullback::to_f64;

    #[test]
    fn what_is_measured_is_right() -> Result<()> {
        let (x, y) = (scalar(0.5)?, scalar(2.0)?);
        assert_eq!(to_f64(&chain(&x, &y, 10)?)?, [20.5]);
        assert_eq!(to_f64(&three()?.call(&[x.clone(), y])?[0])?, [-0.75]);
        assert!((to_f64(&slope(&ruled(), &x)?)?[0] - 0.5f64.cos()).abs() < 1e-6);
        assert_eq!(to_f64(&ramp(3)?)?, [-3.0, -2.999f32 as f64, -2.998f32 as f64]);
        Ok(())
    }
}
