//! The loss of classification.

use pullback_base::{Dtype, Error, Result};
use pullback_core::Array;
use pullback_core::custom::Site;
use pullback_core::fun::index::{iota_along, within};
use pullback_core::fun::{
    cast, equal, expand_dims, logsumexp, multiply, softmax, squeeze, subtract, take_along_axis, wide,
};

use super::{floats, ruled, shaped};

/// `logsumexp(logits) - logits[target]` over the last axis, in `float32` unless the logits are `float64`. Of the
/// probabilities, which the derivative is made of, nothing is kept.
///
/// # Errors
/// `Value` for a scalar or targets of another shape, `Type` for logits that are no floats or targets that are no
/// integers.
pub fn cross_entropy(logits: &Array, targets: &Array, site: Site) -> Result<Array> {
    const NAME: &str = "cross_entropy";
    let Some((&classes, lead)) = logits.shape().split_last() else {
        return Err(Error::value(format!("[{NAME}] expected logits with an axis, got {}", logits.aval())));
    };
    floats(NAME, &[logits])?;
    if !targets.dtype().is_integer() {
        let text = format!("[{NAME}] expected integer class indices as targets, got {}", targets.aval());
        return Err(Error::type_(text));
    }
    shaped(NAME, "targets", targets, lead, "that of the logits without the last axis")?;
    if classes == 0 && targets.size() > 0 {
        let text = format!("[{NAME}] expected logits of at least one class, got {}", logits.aval());
        return Err(Error::value(text));
    }
    let fun = move |x: &[Array]| {
        let logits = cast(&x[0], wide(x[0].dtype()))?;
        let total = logsumexp(&logits, Some(&[-1]), false)?;
        let chosen = take_along_axis(&logits, &column(&x[1], classes)?, Some(-1))?;
        subtract(&total, &squeeze(&chosen, Some(&[-1]))?)
    };
    ruled(NAME, &["logits", "targets"], &[logits.clone(), targets.clone()], site, fun, move |call, g| {
        let logits = &call.inputs[0];
        if !call.needs[0] {
            return Ok(vec![None, None]);
        }
        let likely = softmax(&cast(logits, wide(logits.dtype()))?, Some(&[-1]), true)?;
        // Compared, and not scattered: so it is part of the kernel that writes the result.
        let hit = equal(&iota_along(logits.shape(), logits.ndim() - 1)?, &column(&call.inputs[1], classes)?)?;
        let apart = subtract(&likely, &cast(&hit, likely.dtype())?)?;
        let grad = multiply(&apart, &expand_dims(g, &[-1])?)?;
        Ok(vec![Some(cast(&grad, logits.dtype())?), None])
    })
}

/// Class indices as positions along the last axis.
fn column(targets: &Array, classes: usize) -> Result<Array> {
    expand_dims(&within(&cast(targets, Dtype::I32)?, classes)?, &[-1])
}
