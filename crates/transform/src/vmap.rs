//! Vectorization: the function.

use pullback_base::{Error, Result};
use pullback_core::{Array, fun};

use crate::batch::{Entry, map};
use crate::{Fun, count};

/// Maps `f` over one axis of each argument; `None` leaves an argument whole. `axis_size` is needed where no
/// argument is mapped. Each result comes with its mapped axis; `None` is a result that does not depend on what
/// was mapped. See `out_axis`.
///
/// ```
/// use pullback_base::{Dtype, Scalar, Aval};
/// use pullback_core::{Array, fun};
/// use pullback_transform::{out_axis, vmap};
///
/// # fn main() -> pullback_base::Result<()> {
/// let x = Array::full(Scalar::Float(3.), &Aval::new([4, 2], Dtype::F32));
/// let y = vmap(&|x| Ok(vec![&x[0] * &x[0]]), &[x], &[Some(1)], None)?;
/// let y = out_axis(&y[0], Some(0), 2)?;
/// assert_eq!(y.shape()[..], [2, 4]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `Value` for axes that do not exist or differ in length, or where nothing says how long the batch is; what
/// `f` and the rules it meets answer; `Rule` for an operation that has no batched form.
pub fn vmap(
    f: &Fun,
    args: &[Array],
    axes: &[Option<usize>],
    axis_size: Option<usize>,
) -> Result<Vec<(Array, Option<usize>)>> {
    Ok(vmap_outs(f, args, axes, axis_size)?.into_iter().map(|out| (out.0.array, out.0.axis)).collect())
}

/// A result of `vmap`, which knows more of its examples than where they are.
pub struct Out(Entry);

impl Out {
    /// How many axes one example has.
    pub fn ndim(&self) -> usize {
        self.0.array.ndim() - usize::from(self.0.axis.is_some())
    }

    /// With the mapped axis where it is wanted; repeated where it has none. `None` wants a result that is the same for
    /// all examples.
    ///
    /// # Errors
    /// `Value` if there is no such place, or if an array that varies is wanted without the axis.
    pub fn at(&self, wanted: Option<usize>, size: usize) -> Result<Array> {
        let Entry { array, axis, uniform } = &self.0;
        let own = self.ndim();
        match (wanted, axis) {
            (Some(to), _) if to > own => {
                let text = format!("[vmap] expected an out axis up to {own}, got {to} for {}", array.aval());
                Err(Error::value(text))
            }
            (Some(to), _) => self.0.at(to, size),
            (None, None) => Ok(array.clone()),
            (None, Some(axis)) if *uniform && size > 0 => {
                let one = fun::narrow(array, *axis, 0, 1)?;
                fun::reshape(&one, array.shape().without(*axis))
            }
            (None, Some(_)) => {
                let text = format!(
                    "[vmap] expected a result without a mapped axis for out axis None, got {} that varies",
                    array.aval()
                );
                Err(Error::value(text + "; reduce it within the function, or give it an axis"))
            }
        }
    }
}

/// As `vmap`, with results to be asked for any out axis.
///
/// # Errors
/// As `vmap`.
pub fn vmap_outs(
    f: &Fun,
    args: &[Array],
    axes: &[Option<usize>],
    axis_size: Option<usize>,
) -> Result<Vec<Out>> {
    let size = batch_size(args, axes, axis_size)?;
    let entries: Vec<Entry> = args.iter().zip(axes).map(|(x, axis)| Entry::new(x.clone(), *axis)).collect();
    let results = map(size, None, &entries, |leaves| Ok(f(leaves)?.into_iter().map(Some).collect()))?;
    Ok(results.into_iter().flatten().map(Out).collect())
}

/// The length of the mapped axes, on which all must agree.
///
/// # Errors
/// `Value` where they do not, or where there is neither an axis nor an `axis_size`.
pub fn batch_size(args: &[Array], axes: &[Option<usize>], axis_size: Option<usize>) -> Result<usize> {
    let fail = |text: String| Err(Error::value(format!("[vmap] expected {text}")));
    if args.len() != axes.len() {
        return fail(format!(
            "{}, one for each array, got {}",
            count(args.len(), "axis or None"),
            axes.len()
        ));
    }
    let mut size = axis_size;
    for (i, (arg, axis)) in args.iter().zip(axes).enumerate() {
        let Some(axis) = *axis else { continue };
        let Some(&len) = arg.shape().get(axis) else {
            return fail(format!("an array with an axis {axis} for argument {i}, got {}", arg.aval()));
        };
        let want = *size.get_or_insert(len);
        if want != len {
            let aval = arg.aval();
            return fail(format!("size {want} on axis {axis} of argument {i}, as on the others, got {aval}"));
        }
    }
    match size {
        Some(size) => Ok(size),
        None => fail("at least one mapped argument, got none; give axis_size to repeat a function".into()),
    }
}

/// A result of `vmap` with the mapped axis where it is wanted; repeated where it has none.
///
/// # Errors
/// `Value` if there is no such place, or if an array that varies is wanted without the axis.
pub fn out_axis((array, axis): &(Array, Option<usize>), wanted: Option<usize>, size: usize) -> Result<Array> {
    Out(Entry::new(array.clone(), *axis)).at(wanted, size)
}
