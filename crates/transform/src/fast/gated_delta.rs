//! The gated delta rule, a linear attention with a state.

use pullback_base::{Dtype, Error, Result, Scalar, Shape};
use pullback_core::Array;
use pullback_core::fun::join;
use pullback_core::fun::scan::cumulate;
use pullback_core::fun::{
    add, broadcast_to, cast, concatenate, diagonal, expand_dims, matmul, moveaxis, multiply, narrow,
    negative, ones, pad, reshape, subtract, swap_last, swapaxes, tri, tril, where_, wide, zeros,
};
use pullback_core::ops::scan::CUMPROD;

use super::{floats, shaped};

const NAME: &str = "gated_delta_update";
/// Steps that are taken at once: within a chunk there are products only, from chunk to chunk the state is handed on.
const CHUNK: usize = 32;

/// What the rule reads.
pub struct GatedDelta<'a> {
    /// `[B, T, Hk, Dk]`
    pub q: &'a Array,
    /// `[B, T, Hk, Dk]`
    pub k: &'a Array,
    /// `[B, T, Hv, Dv]`
    pub v: &'a Array,
    /// `[B, T, Hv]`: what is left of the state from one step to the next.
    pub gamma: &'a Array,
    /// `[B, T, Hv]`: how much of the difference is written.
    pub beta: &'a Array,
    /// `[B, Hv, Dv, Dk]`; zeros without one.
    pub state: Option<&'a Array>,
    /// `[B, T]`: where it is false, a step leaves the state as it is.
    pub mask: Option<&'a Array>,
}

/// At each step the state fades by `gamma`, is corrected so that `k` gets from it what is nearer to `v` by `beta`, and
/// is read by `q`:
///
/// ```text
/// s = gamma s
/// s = s + beta (v - s k) outer k
/// y = s q
/// ```
///
/// The outputs `[B, T, Hv, Dv]` and the last state. Several heads of values may share one of queries and keys.
///
/// # Errors
/// `Value` for shapes that do not fit, `Type` for what are no floats.
pub fn gated_delta_update(given: &GatedDelta) -> Result<(Array, Array)> {
    let dtype = floats(NAME, &[given.q, given.k, given.v])?;
    let others = [("gamma", Some(given.gamma)), ("beta", Some(given.beta)), ("initial_state", given.state)];
    for (name, x) in others {
        if let Some(x) = x.filter(|x| x.dtype() == Dtype::C64) {
            return Err(Error::type_(format!("[{NAME}] expected {name} of real numbers, got {}", x.aval())));
        }
    }
    let sizes = Sizes::of(given)?;
    let Sizes { batch, steps, heads, values, keys, .. } = sizes;
    let high = wide(dtype);
    let state = match given.state {
        // What is read and written is no integer.
        Some(state) if !state.is_inexact() => cast(state, high)?,
        Some(state) => state.clone(),
        None => zeros(&Shape::from([batch, heads, values, keys]), high)?,
    };
    if steps == 0 {
        return Ok((zeros(&Shape::from([batch, 0, heads, values]), dtype)?, state));
    }
    let chunks = Chunks::of(given, &sizes, high)?;
    let mut memory = swap_last(&cast(&state, high)?)?;
    let mut outputs = Vec::new();
    for at in 0..chunks.count {
        let [write, fade, read, within, keep, left] =
            chunks.parts.each_ref().map(|part| reshape(&narrow(part, 2, at, 1)?, part.shape().without(2)));
        let written = subtract(&write?, &matmul(&fade?, &memory)?)?;
        outputs.push(add(&matmul(&read?, &memory)?, &matmul(&within?, &written)?)?);
        memory = add(&multiply(&left?, &memory)?, &matmul(&swap_last(&keep?)?, &written)?)?;
    }
    let y = concatenate(&outputs.iter().collect::<Vec<_>>(), 2)?;
    let y = swapaxes(&narrow(&y, 2, 0, steps)?, 1, 2)?;
    Ok((cast(&y, dtype)?, cast(&swap_last(&memory)?, state.dtype())?))
}

struct Sizes {
    batch: usize,
    steps: usize,
    /// Of values; of keys there are `heads / shared`.
    heads: usize,
    shared: usize,
    keys: usize,
    values: usize,
}

impl Sizes {
    fn of(given: &GatedDelta) -> Result<Sizes> {
        let wrong =
            |what: &str, x: &Array| Err(Error::value(format!("[{NAME}] expected {what}, got {}", x.aval())));
        let [batch, steps, groups, keys] = given.q.shape()[..] else {
            return wrong("q of shape (B, T, Hk, Dk)", given.q);
        };
        let [.., heads, values] = given.v.shape()[..] else {
            return wrong("v of shape (B, T, Hv, Dv)", given.v);
        };
        shaped(NAME, "k", given.k, &[batch, steps, groups, keys], "that of q")?;
        shaped(NAME, "v", given.v, &[batch, steps, heads, values], "(B, T, Hv, Dv)")?;
        shaped(NAME, "gamma", given.gamma, &[batch, steps, heads], "(B, T, Hv)")?;
        shaped(NAME, "beta", given.beta, &[batch, steps, heads], "(B, T, Hv)")?;
        if groups == 0 || heads % groups != 0 {
            return wrong(&format!("a number of heads in v that is a multiple of {groups}"), given.v);
        }
        if let Some(state) = given.state {
            shaped(NAME, "initial_state", state, &[batch, heads, values, keys], "(B, Hv, Dv, Dk)")?;
        }
        if let Some(mask) = given.mask {
            shaped(NAME, "mask", mask, &[batch, steps], "(B, T)")?;
        }
        Ok(Sizes { batch, steps, heads, shared: heads / groups, keys, values })
    }
}

/// What the steps of each chunk do to the state and to each other, for all chunks at once: `[B, Hv, chunk, ..]`.
struct Chunks {
    count: usize,
    /// What is written were the state empty `[C, Dv]`, and how much less for what the state has `[C, Dk]`; how the
    /// state is read `[C, Dk]`, and what was written within the chunk `[C, C]`; what of a step is there at the end
    /// `[C, Dk]`, and what of the state `[1, 1]`.
    parts: [Array; 6],
}

impl Chunks {
    fn of(given: &GatedDelta, sizes: &Sizes, dtype: Dtype) -> Result<Chunks> {
        let size = CHUNK.min(sizes.steps.next_power_of_two());
        let count = sizes.steps.div_ceil(size);
        // `[B, T, H, ..]` as `[B, H, chunk, C, ..]`; steps that are not there do nothing.
        let cut = |x: &Array, fill: f64| {
            let mut x = cast(x, dtype)?;
            if x.ndim() == 3 {
                x = expand_dims(&x, &[-1])?;
            }
            let mut widths = [(0, 0); 4];
            widths[1] = (0, count * size - sizes.steps);
            let x = pad(&x, &widths, &join::fill(Scalar::Float(fill), &x))?;
            let (heads, last) = (x.shape()[2], x.shape()[3]);
            reshape(&swapaxes(&x, 1, 2)?, Shape::from([sizes.batch, heads, count, size, last]))
        };
        let shared = |x: Array| {
            let apart = expand_dims(&x, &[2])?;
            let wide = broadcast_to(&apart, &apart.shape().without(2).with(2, sizes.shared))?;
            reshape(&wide, x.shape().without(1).with(1, sizes.heads))
        };
        let (q, k, v) = (shared(cut(given.q, 0.)?)?, shared(cut(given.k, 0.)?)?, cut(given.v, 0.)?);
        let masked = |x: &Array, idle: f64| match given.mask {
            Some(mask) => where_(&expand_dims(mask, &[-1])?, x, &x.weak(idle)),
            None => Ok(x.clone()),
        };
        let (gamma, beta) = (cut(&masked(given.gamma, 1.)?, 1.)?, cut(&masked(given.beta, 0.)?, 0.)?);
        // What is left at step t of what was written at step s: the product of what comes between, in full, since
        // quotients of running products do not survive a gamma of 0.
        let later = tri(size, size, -1, Dtype::Bool)?;
        let factors = where_(&later, &gamma, &gamma.weak(1.))?;
        let left = tril(&cumulate(&CUMPROD, &factors, 3, false, true)?, 0)?;
        let run = cumulate(&CUMPROD, &gamma, 3, false, true)?;
        let last = |x: &Array| narrow(x, 3, size - 1, 1);
        let seen = multiply(&left, &matmul(&k, &swap_last(&k)?)?)?;
        let inverse = inverse(&tril(&multiply(&beta, &seen)?, -1)?)?;
        let parts = [
            matmul(&inverse, &multiply(&beta, &v)?)?,
            matmul(&inverse, &multiply(&multiply(&beta, &run)?, &k)?)?,
            multiply(&run, &q)?,
            multiply(&left, &matmul(&q, &swap_last(&k)?)?)?,
            multiply(&swap_last(&last(&left)?)?, &k)?,
            last(&run)?,
        ];
        Ok(Chunks { count, parts })
    }
}

/// `(1 + a) ** -1` for strictly lower triangular matrices, whose size is a power of two: inverses of blocks on the
/// diagonal, each time of twice the size, as forward substitution has them. The sum of powers of `a` is shorter, but
/// cancels: for equal keys its terms grow like binomials.
fn inverse(a: &Array) -> Result<Array> {
    let axes = a.ndim();
    let (lead, size) = (&a.shape()[..axes - 2], a.shape()[axes - 1]);
    let mut found = ones(&Shape::from([lead, &[size, 1, 1]].concat()), a.dtype())?;
    let mut block = 1;
    while block < size {
        let count = size / (2 * block);
        let tiles = reshape(a, Shape::from([lead, &[count, 2 * block, count, 2 * block]].concat()))?;
        let onto = diagonal(&tiles, 0, axes as isize - 2, axes as isize)?;
        let onto = moveaxis(&onto, -1, axes as isize - 2)?;
        let below = narrow(&narrow(&onto, axes - 1, block, block)?, axes, 0, block)?;
        let pairs = reshape(&found, Shape::from([lead, &[count, 2, block, block]].concat()))?;
        let [first, second] = [0, 1].map(|at| {
            let one = narrow(&pairs, axes - 1, at, 1)?;
            reshape(&one, one.shape().without(axes - 1))
        });
        let (first, second) = (first?, second?);
        let corner = negative(&matmul(&matmul(&second, &below)?, &first)?)?;
        let upper = concatenate(&[&first, &first.zeros_like()], -1)?;
        found = concatenate(&[&upper, &concatenate(&[&corner, &second], -1)?], -2)?;
        block *= 2;
    }
    reshape(&found, a.shape().clone())
}
