//! Rows picked and rows written, by position.

use pullback_base::{Aval, Dtype, Result, Shape};
use pullback_kernels::{Scatter, Whole};

use crate::array::{Array, mismatch};
use crate::fun;
use crate::op::{Api, Batch, Diff, Dtypes, Infer, Kernel, Reference, Sample, Test, WholeCall};
use crate::ops;
use crate::params::Params;

ops! {
    /// Rows of `a` along its first axis, by position. Negative positions count from the end; what is still out
    /// of range takes the nearest row.
    TAKE = "take" ("a", "indices") {
        dtypes: Dtypes::Any,
        infer: Infer::One(|_, x| {
            if x[0].shape.is_empty() || x[1].dtype != Dtype::I32 {
                return Err(mismatch("take", "an array with an axis and int32 indices", x));
            }
            Ok(x[0].reshaped([&x[1].shape[..], &x[0].shape[1..]].concat()))
        }),
        diff: Diff::Linear(&[
            Some(|_, x, g| {
                let index = fun::index::within(&x[1], x[0].shape()[0])?;
                fun::index::scatter(&SCATTER_ADD, &x[0].zeros_like(), &index, g)
            }),
            None,
        ]),
        batch: Batch::Custom(take_batch),
        kernel: Kernel::Whole(|_, x, out| {
            let (n, k) = (x[0].shape[0], x[1].size());
            let inner: usize = x[0].shape[1..].iter().product();
            debug_assert_eq!(out.size(), k * inner);
            WholeCall {
                whole: Whole::Take,
                shapes: vec![Shape::from([n, inner]), Shape::from([k])],
                shape: Shape::from([k, inner]),
            }
        }),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|_, x, _| {
                let inner: usize = x[0].0.shape[1..].iter().product();
                let row = |&at: &f64| {
                    let n = x[0].0.shape[0] as f64;
                    let at = (if at < 0. { at + n } else { at }).clamp(0., n - 1.) as usize;
                    x[0].1[at * inner..(at + 1) * inner].to_vec()
                };
                x[1].1.iter().flat_map(row).collect()
            }),
            samples: &[Sample {
                shapes: &[&[4, 3], &[2, 3]],
                dtypes: &[Dtype::F32, Dtype::I32],
                params: || Params::None,
                domain: (-4., 3.),
            }],
            ulps: 0.,
        },
    }
    /// `a` with rows added to it along its first axis, by position. Positions out of range are left out.
    SCATTER_ADD = "scatter_add" ("a", "indices", "updates") {
        dtypes: Dtypes::Any,
        infer: Infer::One(scatter_infer),
        diff: Diff::Linear(&[Some(|_, _, g| Ok(g.clone())), None, Some(|_, x, g| fun::index::take_valid(g, &x[1]))]),
        batch: Batch::Custom(|_, x, axes, size| scatter_batch(&SCATTER_ADD, x, axes, size)),
        kernel: Kernel::Whole(|_, x, _| scatter_kernel(Scatter::Add, x)),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|_, x, _| scatter_reference(x, |old, new| old + new)),
            samples: SCATTER_SAMPLES,
            ulps: 2.,
        },
    }
}

const SCATTER_SAMPLES: &[Sample] = &[Sample {
    shapes: &[&[4, 3], &[5], &[5, 3]],
    dtypes: &[Dtype::F32, Dtype::I32, Dtype::F32],
    params: || Params::None,
    domain: (-4., 3.),
}];

fn scatter_infer(_: &Params, x: &[&Aval]) -> Result<Aval> {
    let fits = !x[0].shape.is_empty()
        && x[1].dtype == Dtype::I32
        && x[0].dtype == x[2].dtype
        && x[2].shape[..] == [&x[1].shape[..], &x[0].shape[1..]].concat()[..];
    if fits {
        Ok(x[0].clone())
    } else {
        Err(mismatch("scatter", "an array, int32 indices and a row for each", x))
    }
}

fn scatter_kernel(how: Scatter, x: &[&Aval]) -> WholeCall {
    let (n, k) = (x[0].shape[0], x[1].size());
    let inner: usize = x[0].shape[1..].iter().product();
    WholeCall {
        whole: Whole::Scatter(how),
        shapes: vec![Shape::from([n, inner]), Shape::from([k]), Shape::from([k, inner])],
        shape: Shape::from([n, inner]),
    }
}

/// The scatter by its definition, in f64.
fn scatter_reference(x: &[(&Aval, &[f64])], combine: fn(f64, f64) -> f64) -> Vec<f64> {
    let inner: usize = x[0].0.shape[1..].iter().product();
    let n = x[0].0.shape[0] as f64;
    let mut result = x[0].1.to_vec();
    for (k, &at) in x[1].1.iter().enumerate() {
        let at = if at < 0. { at + n } else { at };
        if at >= 0. && at < n {
            for i in 0..inner {
                let cell = &mut result[at as usize * inner + i];
                *cell = combine(*cell, x[2].1[k * inner + i]);
            }
        }
    }
    result
}

/// A batch of tables is one long table: positions move by the rows before theirs.
fn take_batch(
    _: &Params,
    x: &[Array],
    axes: &[Option<usize>],
    size: usize,
) -> Result<Vec<(Array, Option<usize>)>> {
    let (table, index) = (&x[0], &x[1]);
    let y = match (axes[0], axes[1]) {
        (None, _) => fun::index::take(table, index)?,
        (Some(_), lead) => {
            let index = if lead.is_some() { index.clone() } else { repeat(index, size)? };
            let n = table.shape()[1];
            let index = fun::index::offset(&fun::index::within(&index, n)?, size, n)?;
            fun::index::take(&merge(table)?, &index)?
        }
    };
    Ok(vec![(y, Some(0))])
}

fn scatter_batch(
    op: &'static crate::op::OpDef,
    x: &[Array],
    axes: &[Option<usize>],
    size: usize,
) -> Result<Vec<(Array, Option<usize>)>> {
    let lead = |i: usize| if axes[i].is_some() { Ok(x[i].clone()) } else { repeat(&x[i], size) };
    let (table, index, updates) = (lead(0)?, lead(1)?, lead(2)?);
    let n = table.shape()[1];
    let index = fun::index::offset_or_drop(&index, size, n)?;
    let y = fun::index::scatter(op, &merge(&table)?, &index, &updates)?;
    Ok(vec![(fun::reshape(&y, table.shape().clone())?, Some(0))])
}

fn repeat(x: &Array, size: usize) -> Result<Array> {
    fun::broadcast_to(x, &x.shape().with(0, size))
}

/// The first two axes as one.
fn merge(x: &Array) -> Result<Array> {
    let shape = x.shape();
    fun::reshape(x, Shape::from([&[shape[0] * shape[1]], &shape[2..]].concat()))
}
