//! A part of a function that may turn out not to be taken.

use pullback_base::Result;
use pullback_core::trace::at_least;
use pullback_core::{Array, fun};

use crate::Fun;
use crate::custom::door::boundary;
use crate::stack::{self, Kind};
use crate::substitute::substitute;

/// What `f` returns, in a form that has no derivative where the scalar `taken` does not hold: not 0 times what may be
/// infinite, but none. All that `f` is given and captures passes through a `where` of which both sides are equal, and one
/// is a constant to derivatives.
///
/// Whoever chooses between results makes the cotangent of what is not taken 0; but 0 times the infinite slope of a root
/// at 0 is NaN, and would reach the arguments.
///
/// ```
/// use pullback_base::{Dtype, Scalar};
/// use pullback_core::{Array, fun};
/// use pullback_transform::{branch, grad};
///
/// # fn main() -> pullback_base::Result<()> {
/// let x = Array::scalar(Scalar::Float(0.), Dtype::F32);
/// let root = |x: &[Array]| {
///     let positive = fun::greater(&x[0], &x[0].zeros_like())?;
///     let root = branch(&|x| Ok(vec![fun::sqrt(&x[0])?]), &[x[0].clone()], &positive)?.remove(0);
///     Ok(vec![fun::where_(&positive, &root, &x[0])?])
/// };
/// assert_eq!(grad(&root, &[x], &[0])?.len(), 1); // 1, and not NaN
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// What `f` answers.
pub fn branch(f: &Fun, args: &[Array], taken: &Array) -> Result<Vec<Array>> {
    let trace = stack::open(Kind::Inner);
    let number = trace.number;
    let leaves: Vec<Array> = args.iter().map(|arg| arg.alias(number)).collect();
    let outs = {
        // What `f` makes of captured arrays alone is not captured.
        let _made = at_least(number);
        f(&leaves)?
    };
    drop(trace);
    let captured = boundary(&outs, &leaves, number);
    let shielded = |x: &Array| match x.is_inexact() {
        true => fun::where_(taken, x, &fun::stop_gradient(x)?),
        false => Ok(x.clone()),
    };
    let to = args.iter().chain(&captured).map(shielded).collect::<Result<Vec<Array>>>()?;
    substitute(&outs, &[&leaves[..], &captured].concat(), &to, number, &|_, new| Ok(new))
}
