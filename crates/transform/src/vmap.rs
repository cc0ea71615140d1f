//! Vectorization: the function.

use pullback_base::{Error, Result};
use pullback_core::Array;

use crate::batch::{Entry, map};
use crate::{Fun, count};

/// Maps `f` over one axis of each argument; `None` leaves an argument whole. `axis_size` is needed where no
/// argument is mapped. Each result comes with its mapped axis; `None` is a result that does not depend on what
/// was mapped. See `out_axis`.
///
/// ```
/// use pullback_base::{Dtype, Scalar, Aval};
/// use pullback_core::Array;
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
    let size = batch_size(args, axes, axis_size)?;
    let entries: Vec<Entry> =
        args.iter().zip(axes).map(|(x, axis)| Entry { array: x.clone(), axis: *axis }).collect();
    let results = map(size, None, &entries, |leaves| Ok(f(leaves)?.into_iter().map(Some).collect()))?;
    Ok(results.into_iter().flatten().map(|entry| (entry.array, entry.axis)).collect())
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
    let own = array.ndim() - usize::from(axis.is_some());
    match wanted {
        Some(to) if to > own => {
            let text = format!("[vmap] expected an out axis up to {own}, got {to} for {}", array.aval());
            Err(Error::value(text))
        }
        Some(to) => Entry { array: array.clone(), axis: *axis }.at(to, size),
        None if axis.is_none() => Ok(array.clone()),
        None => {
            let text = format!(
                "[vmap] expected a result without a mapped axis for out axis None, got {} that varies",
                array.aval()
            );
            Err(Error::value(text + "; reduce it within the function, or give it an axis"))
        }
    }
}
