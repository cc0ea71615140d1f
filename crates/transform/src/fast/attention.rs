//! Attention without the block of all probabilities.
//!
//! Queries are taken in parts: what is as long as the keys exists for one part at a time. The derivative makes the
//! probabilities again, part by part, and is exact; its own derivative is that of the rows it is made of.

use pullback_base::promote::promote;
use pullback_base::{Dtype, Error, Result, Scalar, Shape, shape};
use pullback_core::custom::fence::after;
use pullback_core::custom::{Call, Site};
use pullback_core::fun::index::iota;
use pullback_core::fun::join::fill;
use pullback_core::fun::{
    add, cast, concatenate, divide, exp, isfinite, less_equal, matmul, max, maximum, multiply, narrow,
    negative, pad, reshape, stop_gradient, subtract, sum_over, sum_to, swap_last, where_, wide, zeros,
};
use pullback_core::{Array, Inputs};

use super::{floats, ruled, shaped};
use crate::add as sum_of;

const NAME: &str = "scaled_dot_product_attention";
/// Products of a query and a key in one part: as many floats as fit near the processor.
const PART: usize = 1 << 20;
/// Most parts: each is a dozen kernels.
const PARTS_MAX: usize = 32;
/// From as many products on the derivative computes again what the value was made of, instead of sharing it.
const KEPT_MAX: usize = 1 << 22;

/// Which keys a query sees.
pub enum Mask {
    /// All.
    None,
    /// Those up to its own place, where the last query is at the place of the last key.
    Causal,
    /// Those where it is true; or what is added to the products. Broadcast to `[B, N_q, T_q, T_kv]`.
    Array(Array),
}

/// `softmax(scale q @ k.T) @ v` for each head of `q`, `[B, N_q, T_q, D]`; of the heads of `k` and `v`, `[B, N_kv, T_kv,
/// D]`, each serves `N_q / N_kv` of them. A sink is the exponent of one more key, whose value is 0, for each head of
/// `q`. A query that sees no key by a boolean mask takes the mean of all values; without keys the result is 0.
///
/// # Errors
/// `Value` for shapes that do not fit, `Type` for what are no floats, or a mask or sinks that have no place in the
/// result's type.
pub fn scaled_dot_product_attention(
    [q, k, v]: [&Array; 3],
    scale: f64,
    mask: &Mask,
    sinks: Option<&Array>,
    site: Site,
) -> Result<Array> {
    let dtype = floats(NAME, &[q, k, v])?;
    let heads = Heads::of([q, k, v])?;
    let fits = |what: &str, x: &Array| match promote(x.dtype(), dtype) == dtype {
        true => Ok(()),
        false => {
            let text = format!("[{NAME}] expected {what} of a type that {dtype} takes in, got {}", x.aval());
            Err(Error::type_(format!("{text}: cast with astype")))
        }
    };
    let (mut inputs, mut args) = (vec![q.clone(), k.clone(), v.clone()], vec!["q", "k", "v"]);
    if let Mask::Array(mask) = mask {
        fits("a mask", mask)?;
        inputs.push(heads.four_axes(mask)?);
        args.push("mask");
    }
    if let Some(sinks) = sinks {
        fits("sinks", sinks)?;
        shaped(NAME, "sinks", sinks, &[heads.heads * heads.shared], "one for each head of q")?;
        inputs.push(sinks.clone());
        args.push("sinks");
    }
    let masked = matches!(mask, Mask::Array(_));
    let attention = Attention {
        heads,
        scale,
        dtype,
        causal: matches!(mask, Mask::Causal),
        mask: masked.then_some(3),
        sinks: sinks.map(|_| args.len() - 1),
    };
    let fun = move |x: &[Array]| attention.value(x);
    ruled(NAME, &args, &inputs, site, fun, move |call, g| attention.pull(call, g))
}

/// Sizes of a call.
#[derive(Clone, Copy)]
struct Heads {
    batch: usize,
    /// Of keys and values; `shared` of the queries belong to each.
    heads: usize,
    shared: usize,
    queries: usize,
    keys: usize,
    values: usize,
}

impl Heads {
    fn of([q, k, v]: [&Array; 3]) -> Result<Heads> {
        for (what, x) in [("q", q), ("k", k), ("v", v)] {
            if x.ndim() != 4 {
                let text = format!("[{NAME}] expected {what} of shape [B, N, T, D], got {}", x.aval());
                return Err(Error::value(text));
            }
        }
        let ([batch, all, queries, features], [_, heads, keys, _]) = (sizes(q), sizes(k));
        shaped(NAME, "k", k, &[batch, heads, keys, features], "batch and features of q")?;
        shaped(NAME, "v", v, &[batch, heads, keys, sizes(v)[3]], "all but the features those of k")?;
        if heads == 0 || all % heads != 0 {
            let text = format!("expected a number of heads in q that is a multiple of {heads}, that of k");
            return Err(Error::value(format!("[{NAME}] {text}, got {all}")));
        }
        Ok(Heads { batch, heads, shared: all / heads, queries, keys, values: sizes(v)[3] })
    }

    /// A mask with all four axes, of which those of size 1 stand for all.
    fn four_axes(&self, mask: &Array) -> Result<Array> {
        let to = [self.batch, self.heads * self.shared, self.queries, self.keys];
        if mask.ndim() > 4 || shape::broadcast(NAME, &[mask.shape(), &to]).ok() != Some(Shape::from(to)) {
            let text = format!("expected a mask that broadcasts to {to:?}, got {}", mask.aval());
            return Err(Error::value(format!("[{NAME}] {text}")));
        }
        reshape(mask, Shape::from([&vec![1; 4 - mask.ndim()][..], mask.shape()].concat()))
    }

    /// `[B, N_q, ..]` as `[B, N_kv, shared, ..]`; an axis that stands for all stays one.
    fn apart(&self, x: &Array) -> Result<Array> {
        let lead = if x.shape()[1] == 1 { [1, 1] } else { [self.heads, self.shared] };
        reshape(x, Shape::from([&x.shape()[..1], &lead, &x.shape()[2..]].concat()))
    }

    /// How many queries go together, and from where on.
    fn parts(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let each = (self.batch * self.heads * self.shared * self.keys).max(1);
        let size = (PART / each).max(self.queries.div_ceil(PARTS_MAX)).max(1);
        let queries = self.queries;
        (0..queries).step_by(size).map(move |start| (start, size.min(queries - start)))
    }
}

fn sizes(x: &Array) -> [usize; 4] {
    [0, 1, 2, 3].map(|axis| x.shape()[axis])
}

#[derive(Clone, Copy)]
struct Attention {
    heads: Heads,
    scale: f64,
    dtype: Dtype,
    causal: bool,
    /// Which arguments these are.
    mask: Option<usize>,
    sinks: Option<usize>,
}

/// The arguments as parts are made of them: in the type of computing, heads of queries by the heads of their keys.
struct Operands {
    /// `[B, N_kv, shared, T_q, D]`, scaled.
    q: Array,
    k: Array,
    v: Array,
    mask: Option<Array>,
    /// `[1, N_kv, shared, 1, 1]`
    sinks: Option<Array>,
}

/// The probabilities of one part: `weights / total`, `[B, N_kv, shared, size, keys]`.
struct Part {
    /// How many keys are seen at all, from the first one.
    keys: usize,
    q: Array,
    weights: Array,
    total: Array,
    /// What the sink takes of the total.
    sink: Option<Array>,
    /// The part of the mask.
    mask: Option<Array>,
    /// Where keys are seen, if not everywhere.
    seen: Option<Array>,
}

/// With the queries of all heads that share keys in one axis: fewer and larger products.
fn rows(x: &Array) -> Result<Array> {
    let [batch, heads, shared, size, last] = [0, 1, 2, 3, 4].map(|axis| x.shape()[axis]);
    reshape(x, Shape::from([batch, heads, shared * size, last]))
}

/// `rows` undone, with axes as `like` has them but for the last.
fn of_rows(x: &Array, like: &Array) -> Result<Array> {
    reshape(x, like.shape().without(4).with(4, x.shape()[3]))
}

/// Whether each of `keys` is at or before the place of each query, the first of which is at `place`.
fn up_to(place: i64, queries: usize, keys: usize) -> Result<Array> {
    let from = Array::scalar(Scalar::Int(place), Dtype::I32);
    let places = reshape(&add(&iota(queries, Dtype::I32)?, &from)?, Shape::from([queries, 1]))?;
    less_equal(&reshape(&iota(keys, Dtype::I32)?, Shape::from([1, keys]))?, &places)
}

impl Attention {
    fn is_empty(&self) -> bool {
        let Heads { batch, queries, keys, values, shared, .. } = self.heads;
        batch * queries * keys * values * shared == 0
    }

    fn value(&self, inputs: &[Array]) -> Result<Array> {
        let Heads { batch, heads, shared, queries, values, .. } = self.heads;
        let to = Shape::from([batch, heads * shared, queries, values]);
        if self.is_empty() {
            return zeros(&to, self.dtype);
        }
        let x = self.operands(inputs)?;
        let mut parts = Vec::new();
        for (start, size) in self.heads.parts() {
            let part = self.part(&x, start, size)?;
            let sums = matmul(&rows(&part.weights)?, &narrow(&x.v, 2, 0, part.keys)?)?;
            parts.push(divide(&of_rows(&sums, &part.weights)?, &part.total)?);
        }
        let whole = concatenate(&parts.iter().collect::<Vec<_>>(), 3)?;
        reshape(&cast(&whole, self.dtype)?, to)
    }

    fn operands(&self, inputs: &[Array]) -> Result<Operands> {
        let high = wide(self.dtype);
        let q = self.heads.apart(&cast(&inputs[0], high)?)?;
        let mask = self.mask.map(|at| {
            let mask = self.heads.apart(&inputs[at])?;
            if mask.dtype() == Dtype::Bool { Ok(mask) } else { cast(&mask, high) }
        });
        let sinks = self.sinks.map(|at| {
            let to = Shape::from([1, self.heads.heads, self.heads.shared, 1, 1]);
            reshape(&cast(&inputs[at], high)?, to)
        });
        Ok(Operands {
            q: multiply(&q, &q.weak(self.scale))?,
            k: cast(&inputs[1], high)?,
            v: cast(&inputs[2], high)?,
            mask: mask.transpose()?,
            sinks: sinks.transpose()?,
        })
    }

    fn part(&self, x: &Operands, start: usize, size: usize) -> Result<Part> {
        let Heads { queries, keys: all, .. } = self.heads;
        // The last key that the first and the last query of the part see, and the number of queries more. A query that
        // sees none takes the mean of all.
        let (first, last) = (start + all, start + size - 1 + all);
        let keys = if self.causal && first >= queries { last + 1 - queries } else { all };
        let q = narrow(&x.q, 3, start, size)?;
        let products = matmul(&rows(&q)?, &swap_last(&narrow(&x.k, 2, 0, keys)?)?)?;
        let mut scores = of_rows(&products, &q)?;
        let (mut mask, mut seen) = (None, None);
        if self.causal && first + 1 < keys + queries {
            seen = Some(up_to(start as i64 + all as i64 - queries as i64, size, keys)?);
        }
        if let Some(whole) = &x.mask {
            let part = if whole.shape()[3] == 1 { whole.clone() } else { narrow(whole, 3, start, size)? };
            match part.dtype() {
                Dtype::Bool => seen = Some(part),
                _ => {
                    scores = add(&scores, &part)?;
                    mask = Some(part);
                }
            }
        }
        if let Some(seen) = &seen {
            let most = scores.dtype().float_range().map_or(f64::INFINITY, |range| range.max);
            scores = where_(seen, &scores, &scores.weak(-most))?;
        }
        let mut top = max(&scores, Some(&[-1]), true)?;
        if let Some(sinks) = &x.sinks {
            top = maximum(&top, sinks)?;
        }
        let top = stop_gradient(&top)?;
        let top = where_(&isfinite(&top)?, &top, &top.weak(0.))?;
        let weights = exp(&subtract(&scores, &top)?)?;
        let mut total = sum_over(&weights, Some(&[-1]), true)?;
        let sink = x.sinks.as_ref().map(|sinks| exp(&subtract(sinks, &top)?)).transpose()?;
        if let Some(sink) = &sink {
            total = add(&total, sink)?;
        }
        Ok(Part { keys, q, weights, total, sink, mask, seen })
    }

    /// Cotangents, part by part: with probabilities `p` and `e = g . y` for each query, that of the products is
    /// `p (g @ v.T - e)`.
    fn pull(&self, call: &Call, g: &Array) -> Result<Vec<Option<Array>>> {
        let mut grads = Grads { of: vec![None; call.inputs.len()], queries: Vec::new(), masks: Vec::new() };
        if self.is_empty() {
            return Ok(grads.of);
        }
        let Heads { batch, heads, shared, queries, keys, .. } = self.heads;
        let large = batch * heads * shared * queries * keys > KEPT_MAX;
        let inputs: Inputs = match large {
            true => call.inputs.iter().map(|x| after(x, g)).collect::<Result<_>>()?,
            false => call.inputs.into(),
        };
        let mut x = self.operands(&inputs)?;
        let wide = |x: &Array| self.heads.apart(&cast(x, wide(self.dtype))?);
        let g = wide(g)?;
        let paid = sum_over(&multiply(&g, &wide(&call.outputs[0])?)?, Some(&[-1]), true)?;
        for (start, size) in self.heads.parts() {
            if large {
                // All that comes of a part is computed before the next one, whichever is asked for first.
                x.q = grads.latest().try_fold(x.q, |q, done| after(&q, done))?;
            }
            let part = self.part(&x, start, size)?;
            let (g, paid) = (narrow(&g, 3, start, size)?, narrow(&paid, 3, start, size)?);
            self.pull_part(&x, &part, (&g, &paid), call.needs, &mut grads)?;
        }
        let joined = |parts: &[Array]| concatenate(&parts.iter().collect::<Vec<_>>(), 3);
        if !grads.queries.is_empty() {
            grads.of[0] = Some(joined(&grads.queries)?);
        }
        if let (Some(at), [first, rest @ ..]) = (self.mask, &grads.masks[..]) {
            let whole = if inputs[at].shape()[2] == 1 {
                rest.iter().try_fold(first.clone(), |sum, part| add(&sum, part))?
            } else {
                joined(&grads.masks)?
            };
            grads.of[at] = Some(whole);
        }
        let typed = |(grad, x): (Option<Array>, &Array)| {
            grad.map(|grad| cast(&reshape(&grad, x.shape().clone())?, x.dtype())).transpose()
        };
        grads.of.into_iter().zip(call.inputs).map(typed).collect()
    }

    fn pull_part(
        &self,
        x: &Operands,
        part: &Part,
        (g, paid): (&Array, &Array),
        needs: &[bool],
        grads: &mut Grads,
    ) -> Result<()> {
        let likely = divide(&part.weights, &part.total)?;
        let g = rows(g)?;
        if needs[2] {
            grads.add(2, self.all_keys(&matmul(&swap_last(&rows(&likely)?)?, &g)?)?)?;
        }
        if let (Some(at), Some(sink)) = (self.sinks, &part.sink)
            && needs[at]
        {
            let slope = negative(&multiply(&divide(sink, &part.total)?, paid)?)?;
            grads.add(at, sum_to(&slope, &Shape::from([self.heads.heads, self.heads.shared, 1, 1]))?)?;
        }
        let worth = matmul(&g, &swap_last(&narrow(&x.v, 2, 0, part.keys)?)?)?;
        let mut slope = multiply(&likely, &subtract(&of_rows(&worth, &likely)?, paid)?)?;
        if let Some(seen) = &part.seen {
            slope = where_(seen, &slope, &slope.weak(0.))?;
        }
        if let (Some(at), Some(mask)) = (self.mask, &part.mask)
            && needs[at]
        {
            grads.masks.push(sum_to(&slope, mask.shape())?);
        }
        let slope = rows(&slope)?;
        if needs[0] {
            let grad = matmul(&slope, &narrow(&x.k, 2, 0, part.keys)?)?;
            grads.queries.push(of_rows(&multiply(&grad, &grad.weak(self.scale))?, &likely)?);
        }
        if needs[1] {
            grads.add(1, self.all_keys(&matmul(&swap_last(&slope)?, &rows(&part.q)?)?)?)?;
        }
        Ok(())
    }

    /// What belongs to the first keys, with zeros for the others.
    fn all_keys(&self, grad: &Array) -> Result<Array> {
        let behind = self.heads.keys - grad.shape()[2];
        pad(grad, &[(0, 0), (0, 0), (0, behind), (0, 0)], &fill(Scalar::Float(0.), grad))
    }
}

/// Cotangents of the arguments as far as they are known: those of queries and masks are pieces, to be joined.
struct Grads {
    of: Vec<Option<Array>>,
    queries: Vec<Array>,
    masks: Vec<Array>,
}

impl Grads {
    /// What came of the parts so far.
    fn latest(&self) -> impl Iterator<Item = &Array> {
        self.of.iter().flatten().chain(self.masks.last()).chain(self.queries.last())
    }

    fn add(&mut self, at: usize, more: Array) -> Result<()> {
        self.of[at] = sum_of(self.of[at].take(), Some(more))?;
        Ok(())
    }
}
