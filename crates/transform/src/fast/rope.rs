//! Rotary positions.

use pullback_base::{Dtype, Error, Kind, Result, Scalar, Shape};
use pullback_core::Array;
use pullback_core::custom::{Call, Site};
use pullback_core::fun::index::iota;
use pullback_core::fun::{
    add, cast, concatenate, cos, exp, flip, multiply, narrow, reciprocal, reshape, sin, subtract, sum_to,
    wide,
};

use super::{floats, ruled, shaped};

const NAME: &str = "rope";

/// By what a pair of features turns from one position to the next.
pub enum Frequencies {
    /// Pair `i` of `n` by `base ** (-i / n)`.
    Base(f64),
    /// By one over these, one for each pair.
    Given(Array),
}

/// How positions are rotated.
pub struct Rope {
    /// How many features are rotated, from the first one.
    pub dims: usize,
    /// Whether a pair is two neighbours, or one of the first half and one of the second.
    pub traditional: bool,
    /// What positions are multiplied by.
    pub scale: f64,
    /// See `Frequencies`.
    pub frequencies: Frequencies,
}

/// Pairs of features of `x`, `[B, .., T, D]`, rotated by angles that grow with the position on the axis before the
/// last; the first position is `offset`, an integer or one for each of `B`. The derivative is the rotation back, of
/// which only the angles are kept.
///
/// # Errors
/// `Value` for shapes that do not fit, `Type` for features that are no floats or offsets that are no integers.
pub fn rope(x: &Array, rope: &Rope, offset: &Array, site: Site) -> Result<Array> {
    floats(NAME, &[x])?;
    let axes = x.ndim();
    if axes < 3 {
        return Err(Error::value(format!(
            "[{NAME}] expected at least 3 axes, (B, .., T, D), got {}",
            x.aval()
        )));
    }
    let (dims, features) = (rope.dims, x.shape()[axes - 1]);
    if dims == 0 || dims % 2 == 1 || dims > features {
        let text = format!("[{NAME}] expected an even number of dims from 2 to {features}, got {dims}");
        return Err(Error::value(text));
    }
    let theta = angles(x, rope, offset)?;
    let pairs = Pairs { axis: if rope.traditional { axes } else { axes - 1 }, half: dims / 2 };
    let turned = ruled(
        NAME,
        &["a", "theta"],
        &[narrow(x, axes - 1, 0, dims)?, theta],
        site,
        move |x| pairs.turn(&x[0], &x[1], Way::There),
        move |call, g| pairs.pull(call, g),
    )?;
    match features - dims {
        0 => Ok(turned),
        rest => concatenate(&[&turned, &narrow(x, axes - 1, dims, rest)?], -1),
    }
}

/// `[T, dims / 2]`, or with an offset for each example `[B, 1, .., T, dims / 2]`.
fn angles(x: &Array, rope: &Rope, offset: &Array) -> Result<Array> {
    let (batch, length, half) = (x.shape()[0], x.shape()[x.ndim() - 2], rope.dims / 2);
    let dtype = wide(x.dtype());
    if !matches!(offset.dtype().kind(), Kind::Signed | Kind::Unsigned) {
        return Err(Error::type_(format!("[{NAME}] expected integers as offset, got {}", offset.aval())));
    }
    let mut at = Shape::from([1]);
    if offset.size() != 1 || offset.ndim() > 1 {
        shaped(NAME, "an offset", offset, &[batch], "one for each example, or a scalar")?;
        at = (0..x.ndim() - 1).map(|axis| if axis == 0 { batch } else { 1 }).collect();
    }
    let positions = add(&iota(length, dtype)?, &reshape(&cast(offset, dtype)?, at)?)?;
    let positions = multiply(&positions, &positions.weak(rope.scale))?;
    let turn = match &rope.frequencies {
        Frequencies::Base(base) => {
            let step = Array::scalar(Scalar::Float(-base.ln() / half as f64), dtype);
            exp(&multiply(&iota(half, dtype)?, &step)?)?
        }
        Frequencies::Given(given) => {
            shaped(NAME, "freqs", given, &[half], "half of dims")?;
            reciprocal(&cast(given, dtype)?)?
        }
    };
    multiply(&reshape(&positions, positions.shape().with(positions.ndim(), 1))?, &turn)
}

#[derive(Clone, Copy)]
enum Way {
    There,
    Back,
}

/// Where the two features of a pair are once an axis is cut in two: one of the two is the axis over pairs, the other
/// has the two. Turned round along it, each stands where its partner was; so a rotation reads the features where they
/// are, in one kernel, and nothing is joined.
#[derive(Clone, Copy)]
struct Pairs {
    axis: usize,
    half: usize,
}

impl Pairs {
    fn cut(self, x: &Array) -> Result<Array> {
        let lead = &x.shape()[..x.ndim() - 1];
        let last = if self.axis == x.ndim() { [self.half, 2] } else { [2, self.half] };
        reshape(x, Shape::from([lead, &last].concat()))
    }

    fn partner(self, cut: &Array) -> Result<Array> {
        flip(cut, Some(&[self.axis as isize]))
    }

    /// -1 and 1 along the axis with the two; the other way back.
    fn signs(self, cut: &Array, way: Way) -> Result<Array> {
        let two = iota(2, Dtype::I32)?;
        let (twice, one) = (add(&two, &two)?, two.weak(1.));
        let signs = match way {
            Way::There => subtract(&twice, &one)?,
            Way::Back => subtract(&one, &twice)?,
        };
        let signs = cast(&signs, cut.dtype())?;
        reshape(&signs, (0..cut.ndim()).map(|axis| if axis == self.axis { 2 } else { 1 }).collect())
    }

    /// An array over pairs, to broadcast against both features of each.
    fn both(self, x: &Array, cut: &Array) -> Result<Array> {
        let behind = cut.ndim() - self.axis - 1;
        reshape(x, x.shape().with(x.ndim() - behind, 1))
    }

    fn turn(self, x: &Array, theta: &Array, way: Way) -> Result<Array> {
        let cut = self.cut(&cast(x, theta.dtype())?)?;
        let across = multiply(&self.signs(&cut, way)?, &self.both(&sin(theta)?, &cut)?)?;
        // The partners first: what they are multiplied by is computed then, and both products are one kernel.
        let across = multiply(&self.partner(&cut)?, &across)?;
        let turned = add(&across, &multiply(&cut, &self.both(&cos(theta)?, &cut)?)?)?;
        reshape(&cast(&turned, x.dtype())?, x.shape().clone())
    }

    /// Features turn back; an angle moves each feature by its partner.
    fn pull(self, call: &Call, g: &Array) -> Result<Vec<Option<Array>>> {
        let theta = &call.inputs[1];
        let mut grads = vec![None, None];
        if call.needs[0] {
            grads[0] = Some(self.turn(g, theta, Way::Back)?);
        }
        if call.needs[1] {
            let cut = |x: &Array| self.cut(&cast(x, theta.dtype())?);
            let (g, y) = (cut(g)?, cut(&call.outputs[0])?);
            let moved = multiply(&self.signs(&y, Way::There)?, &self.partner(&y)?)?;
            let to = self.both(theta, &g)?;
            let grad = sum_to(&multiply(&g, &moved)?, to.shape())?;
            grads[1] = Some(reshape(&grad, theta.shape().clone())?);
        }
        Ok(grads)
    }
}
