//! Sequences looked up: bins, and points to draw a line through.

use pullback_base::promote::{inexact, promote};
use pullback_base::{Error, Kind, Result, Shape};

use super::index::int;
use super::{
    Side, add, broadcast_to, cast, clip, divide, equal, flip, greater, isnan, less, multiply, narrow,
    reshape, searchsorted, subtract, take, where_,
};
use crate::array::Array;

/// In which bin each element lies, in `int32`: bin `i` goes from `bins[i - 1]` to `bins[i]`, its lower end included, or
/// its upper one for `Side::Left`. Bins ascend or descend.
///
/// # Errors
/// `Value` for bins that have not one axis, `Type` for complex numbers.
pub fn digitize(x: &Array, bins: &Array, side: Side) -> Result<Array> {
    let up = searchsorted(bins, x, side)?;
    let n = bins.size();
    if n < 2 {
        return Ok(up);
    }
    let down = subtract(&int(n), &searchsorted(&flip(bins, None)?, x, side)?)?;
    let falls = less(&narrow(bins, 0, n - 1, 1)?, &narrow(bins, 0, 0, 1)?)?;
    where_(&reshape(&falls, Shape::default())?, &down, &up)
}

/// The function through the points `xp`, `fp`, straight in between: at `x`. Before the first point it is `left`, or the
/// first value, behind the last point `right`, or the last value. `xp` ascends.
///
/// # Errors
/// `Value` for points that are no two sequences of one length, `Type` for complex places, or complex ends
/// beside real points.
pub fn interp(
    x: &Array,
    xp: &Array,
    fp: &Array,
    left: Option<&Array>,
    right: Option<&Array>,
) -> Result<Array> {
    if xp.ndim() != 1 || fp.shape() != xp.shape() || xp.size() == 0 {
        let got = format!("{} and {}", xp.aval(), fp.aval());
        return Err(Error::value(format!(
            "[interp] expected xp and fp of one axis and one length from 1, got {got}"
        )));
    }
    let dtype = inexact(promote(x.dtype(), xp.dtype()));
    if dtype.kind() == Kind::Complex {
        return Err(Error::type_(format!("[interp] expected real x and xp, got {dtype}")));
    }
    for (name, value) in [("left", left), ("right", right)] {
        let Some(value) = value.filter(|value| value.dtype().kind() > promote(dtype, fp.dtype()).kind())
        else {
            continue;
        };
        let text =
            format!("[interp] expected {name} of a real type beside real points, got {}", value.dtype());
        return Err(Error::type_(text));
    }
    let (x, xp) = (cast(x, dtype)?, cast(xp, dtype)?);
    let fp = cast(fp, promote(dtype, fp.dtype()))?;
    let n = xp.size();
    let end = |y: &Array, at: usize| reshape(&narrow(y, 0, at, 1)?, Shape::default());
    let mut y = broadcast_to(&end(&fp, 0)?, x.shape())?;
    if n > 1 {
        let next = searchsorted(&xp, &x, Side::Right)?;
        let next = clip(&next, Some(&int(1)), Some(&int(n - 1)))?;
        let before = subtract(&next, &int(1))?;
        let at = |y: &Array, at: &Array| take(y, at, Some(0));
        let (x0, y0) = (at(&xp, &before)?, at(&fp, &before)?);
        let (dx, dy) = (subtract(&at(&xp, &next)?, &x0)?, subtract(&at(&fp, &next)?, &y0)?);
        // Of points at one place, none is between.
        let flat = equal(&dx, &dx.weak(0.))?;
        let slope = divide(&dy, &where_(&flat, &dx.weak(1.), &dx)?)?;
        y = add(&y0, &where_(&flat, &fp.weak(0.), &multiply(&slope, &subtract(&x, &x0)?)?)?)?;
    }
    let low = left.map_or_else(|| end(&fp, 0), |left| cast(left, fp.dtype()))?;
    let high = right.map_or_else(|| end(&fp, n - 1), |right| cast(right, fp.dtype()))?;
    let y = where_(&less(&x, &end(&xp, 0)?)?, &low, &y)?;
    let y = where_(&greater(&x, &end(&xp, n - 1)?)?, &high, &y)?;
    where_(&isnan(&x)?, &cast(&x, fp.dtype())?, &y)
}
