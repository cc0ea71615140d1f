//! Functions whose derivative is stated, because rows alone would keep too much or lose digits: each is one call with
//! rules, made by the door that users' functions go through.
//!
//! A rule starts from the arguments and computes again what the value was made of; nothing between is kept. Forward
//! mode keeps nothing anyway: there the function itself is pushed through. `layer_norm` and `rms_norm` are in `norms`.
//!
//! ```
//! use pullback_base::{Dtype, Scalar};
//! use pullback_core::Array;
//! use pullback_transform::custom::Site;
//! use pullback_transform::{fast, grad};
//!
//! # fn main() -> pullback_base::Result<()> {
//! let normed = |x: &[Array]| {
//!     let site = Site { file: file!(), line: line!() };
//!     let y = fast::rms_norm(&x[0], Some(&x[1]), 1e-5, site)?;
//!     Ok(vec![pullback_core::fun::sum_all(&y)?])
//! };
//! let weight = Array::full(Scalar::Float(1.), &pullback_base::Aval::new([4], Dtype::F32));
//! let grads = grad(&normed, &[weight.clone(), weight], &[0, 1])?;
//! assert_eq!(grads[1].shape()[..], [4]);
//! # Ok(())
//! # }
//! ```

mod attention;
mod cross_entropy;
mod gated_delta;
mod norms;
mod rope;

use pullback_base::{Dtype, Error, Kind, Result, promote};
use pullback_core::Array;
use pullback_core::custom::{Call, Captured, Site};

pub use attention::{Mask, scaled_dot_product_attention};
pub use cross_entropy::cross_entropy;
pub use gated_delta::{GatedDelta, gated_delta_update};
pub use norms::{layer_norm, rms_norm};
pub use rope::{Frequencies, Rope, rope};

use crate::custom::{Custom, door};
use crate::forward;

/// Calls a function of one result. `pull` is its derivative in reverse mode: cotangents of the arguments, given the
/// call and the cotangent of the result.
fn ruled(
    name: &str,
    args: &[&str],
    inputs: &[Array],
    site: Site,
    fun: impl Fn(&[Array]) -> Result<Array> + Clone + Send + Sync + 'static,
    pull: impl Fn(&Call, &Array) -> Result<Vec<Option<Array>>> + Send + Sync + 'static,
) -> Result<Array> {
    let pushed = fun.clone();
    let custom = Custom::new(name, args, move |x| Ok(vec![fun(x)?]))
        .captured(Captured::Argument)
        .vjp(move |call, g| Ok(pull(call, &g[0])?.into()))
        .jvp_symbolic(move |call, t| {
            let (_, tangents) = forward::jvp(&|x| Ok(vec![pushed(x)?]), call.inputs, t)?;
            Ok(tangents.into())
        });
    Ok(door::call(custom.owner(), site, inputs.into())?.swap_remove(0))
}

/// The type in which arrays meet, which must be a float type.
fn floats(op: &str, arrays: &[&Array]) -> Result<Dtype> {
    let dtypes = arrays.iter().map(|x| x.dtype());
    let dtype = dtypes.reduce(promote::promote).unwrap_or(Dtype::F32);
    match dtype.kind() {
        Kind::Float => Ok(dtype),
        _ => Err(Error::type_(format!("[{op}] expected a float type, got {dtype}: cast with astype"))),
    }
}

/// Refuses an array that is not of the shape that is `told`.
fn shaped(op: &str, what: &str, x: &Array, want: &[usize], told: &str) -> Result<()> {
    if x.shape()[..] == *want {
        return Ok(());
    }
    Err(Error::value(format!("[{op}] expected {what} of shape {want:?} ({told}), got {}", x.aval())))
}
