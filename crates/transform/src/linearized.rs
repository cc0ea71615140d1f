//! Functions that were run once, and are pushed through, or pulled back, as linear maps from then on: `linearize`
//! at a point, `linear_transpose` at none.

use pullback_base::{Aval, Error, Result};
use pullback_core::Array;

use crate::Fun;
use crate::custom::linear;
use crate::forward::{fit_all, push};
use crate::reverse::Trail;

/// Pushes tangents through a function that has been traced. It may be called any number of times, on any thread.
pub struct Pushforward(Trail);

/// Values of `f` at `primals`, and its derivative there: `f` is not called again.
///
/// ```
/// use pullback_base::{Dtype, Scalar};
/// use pullback_core::Array;
///
/// # fn main() -> pullback_base::Result<()> {
/// let x = Array::scalar(Scalar::Float(3.), Dtype::F32);
/// let (y, push) = pullback_transform::linearize(&|x| Ok(vec![&x[0] * &x[0]]), &[x.clone()])?;
/// assert!(push.call(&[Some(x)])?[0].is_some() && y.len() == 1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// What `f` answers.
pub fn linearize(f: &Fun, primals: &[Array]) -> Result<(Vec<Array>, Pushforward)> {
    let trail = Trail::run("linearize", f, |number| primals.iter().map(|x| x.alias(number)).collect())?;
    Ok((trail.outs.clone(), Pushforward(trail)))
}

impl Pushforward {
    /// Tangents of the results, given those of the arguments; `None` is zero, coming and going.
    ///
    /// # Errors
    /// What rules answer; `Value` and `Type` for tangents that do not fit; `Rule` where something has no
    /// derivative.
    pub fn call(&self, tangents: &[Option<Array>]) -> Result<Vec<Option<Array>>> {
        let Trail { outs, leaves, number, .. } = &self.0;
        push(outs, leaves, &fit_all("linearize", ("tangent", "primal"), leaves, tangents)?, *number)
    }

    /// As `call`, with zeros where a tangent is zero by structure.
    ///
    /// # Errors
    /// As `call`.
    pub fn call_dense(&self, tangents: &[Array]) -> Result<Vec<Array>> {
        let seeds: Vec<Option<Array>> = tangents.iter().cloned().map(Some).collect();
        let pushed = self.call(&seeds)?;
        Ok(self.0.outs.iter().zip(pushed).map(|(y, t)| t.unwrap_or_else(|| y.zeros_like())).collect())
    }
}

/// The transpose of a linear function. It may be called any number of times, on any thread.
pub struct Transposed(Trail);

/// The transpose of `f`, which is linear in arguments of the given types. It is called once, on leaves that have no
/// elements.
///
/// ```
/// use pullback_base::{Aval, Dtype, Scalar};
/// use pullback_core::Array;
///
/// # fn main() -> pullback_base::Result<()> {
/// let aval = Aval::new([], Dtype::F32);
/// let back = pullback_transform::linear_transpose(&|x| Ok(vec![&x[0] * 3.]), &[aval.clone()])?;
/// assert!(back.call(&[Some(Array::full(Scalar::Float(1.), &aval))])?[0].is_some());
/// assert!(pullback_transform::linear_transpose(&|x| Ok(vec![&x[0] * &x[0]]), &[aval]).is_err());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// What `f` answers; `Type` for arguments or results that have no derivative; `Rule` for a function that is not
/// linear, with the name of the operation that is not.
pub fn linear_transpose(f: &Fun, avals: &[Aval]) -> Result<Transposed> {
    let inexact = |what: &str, i: usize, aval: &Aval| {
        if aval.dtype.is_inexact() {
            return Ok(());
        }
        let text = format!("[linear_transpose] expected a float or complex {what} {i}, got {aval}");
        Err(Error::type_(text + "; what is not differentiated, the function may capture"))
    };
    avals.iter().enumerate().try_for_each(|(i, aval)| inexact("argument", i, aval))?;
    let op = "linear_transpose";
    let leaves = |number| avals.iter().map(|aval| Array::tracer(aval.clone(), op, number)).collect();
    let trail = Trail::run(op, f, leaves)?;
    let Trail { outs, leaves, number, .. } = &trail;
    outs.iter().enumerate().try_for_each(|(i, out)| inexact("result", i, out.aval()))?;
    let _ = linear::check(outs, leaves, *number).map_err(not_linear)?;
    linear::check_bodies(outs, leaves, *number).map_err(not_linear)?;
    Ok(Transposed(trail))
}

fn not_linear(why: String) -> Error {
    let fix = "what is linear in tangents is the derivative of a function: pb.linearize(f, x)[1]";
    Error::rule(format!("[linear_transpose] expected a linear function, got one that is not ({why}); {fix}"))
}

impl Transposed {
    /// Cotangents of the arguments, given those of the results; `None` is zero, coming and going.
    ///
    /// # Errors
    /// What rules answer; `Value` and `Type` for cotangents that do not fit; `Rule` where a custom function in it
    /// turns out not to be linear.
    pub fn call(&self, cotangents: &[Option<Array>]) -> Result<Vec<Option<Array>>> {
        let pulled = self.0.pull("linear_transpose", cotangents)?;
        // What the structure does not show, of custom functions, the result does.
        linear::free_of(pulled, &self.0.leaves, self.0.number, not_linear)
    }

    /// As `call`, with zeros where a cotangent is zero by structure.
    ///
    /// # Errors
    /// As `call`.
    pub fn call_dense(&self, cotangents: &[Array]) -> Result<Vec<Array>> {
        let seeds: Vec<Option<Array>> = cotangents.iter().cloned().map(Some).collect();
        let pulled = self.call(&seeds)?;
        Ok(self.0.leaves.iter().zip(pulled).map(|(x, g)| g.unwrap_or_else(|| x.zeros_like())).collect())
    }

    /// Types of the results.
    pub fn avals(&self) -> Vec<Aval> {
        self.0.outs.iter().map(|out| out.aval().clone()).collect()
    }
}
