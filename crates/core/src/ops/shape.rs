//! Operations that move elements and compute nothing.

use pullback_base::{Aval, Error, Layout, Result, Scalar, Shape};
use pullback_kernels::Whole;

use super::{SHIFT, has_axes};
use crate::array::{Array, mismatch};
use crate::fun;
use crate::op::{Api, Batch, Diff, Dtypes, Infer, Kernel, Reference, Sample, Test, WholeCall};
use crate::ops;
use crate::params::Params;

const F32: &[pullback_base::Dtype] = super::F32;

ops! {
    /// The same elements, in row-major order, in another shape.
    RESHAPE = "reshape" ("a") {
        dtypes: Dtypes::Any,
        infer: Infer::One(|params, x| {
            let out = x[0].reshaped(params.shape().clone());
            if out.size() == x[0].size() {
                return Ok(out);
            }
            let (n, want) = (x[0].size(), params.shape());
            Err(Error::value(format!("[reshape] expected a shape of {n} elements, got {want} for {}", x[0])))
        }),
        diff: Diff::Linear(&[Some(|_, x, g| fun::reshape(g, x[0].shape().clone()))]),
        batch: GROW,
        kernel: Kernel::View(|_, x, shape| x.reshape(shape)),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|_, x, _| x[0].1.to_vec()),
            samples: &[Sample {
                shapes: &[&[2, 3]],
                dtypes: F32,
                params: || Params::Shape(Shape::from([3, 2])),
                domain: (-2., 2.),
            }],
            ulps: 0.,
        },
    }
    /// Elements in row-major order, seen from `offset` on with any strides, some of them more than once.
    AS_STRIDED = "as_strided" ("a") {
        dtypes: Dtypes::Any,
        infer: Infer::One(|params, x| {
            let (shape, layout) = (params.shape(), strided(params));
            if shape.ndim() != layout.strides.len() || layout.offset > isize::MAX as usize / 2 {
                return Err(Error::value("[as_strided] expected a stride for each axis, and an offset, got others"));
            }
            let reach = |(&size, &stride): (&usize, &isize)| (size as i128 - 1) * stride as i128;
            let ends = shape.iter().zip(&layout.strides).map(reach);
            let (low, high) = ends.fold((0, 0), |(low, high), end| (low + end.min(0), high + end.max(0)));
            let first = layout.offset as i128;
            if shape.size() > 0 && (first + low < 0 || first + high >= x[0].size() as i128) {
                let (low, high, n) = (first + low, first + high, x[0].size());
                return Err(Error::value(format!(
                    "[as_strided] expected strides that stay within {n} elements, got positions from {low} to {high}"
                )));
            }
            Ok(x[0].reshaped(shape.clone()))
        }),
        diff: Diff::Linear(&[Some(|params, x, g| {
            let zeros = Array::full(Scalar::Float(0.), &Aval::new([x[0].size()], g.dtype()));
            let at = fun::index::positions(&strided(params))?;
            let y = fun::index::scatter(&super::scatter::SCATTER_ADD, &zeros, &at, g)?;
            fun::reshape(&y, x[0].shape().clone())
        })]),
        batch: Batch::Lead(|params, size, x| {
            let Layout { shape, strides, offset } = strided(params);
            let strides = [x[0].size() as isize].into_iter().chain(strides).collect();
            Params::Strided { shape: shape.with(0, size), strides, offset }
        }),
        kernel: Kernel::View(|params, x, _| {
            let layout = strided(params);
            x.is_contiguous().then(|| Layout { offset: x.offset + layout.offset, ..layout })
        }),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|params, x, out| by_layout(x[0].1, &strided(params), out)),
            samples: &[
                Sample {
                    shapes: &[&[3, 4]],
                    dtypes: F32,
                    params: || strides(&[3, 2, 2], &[1, 3, 2], 1),
                    domain: (-2., 2.),
                },
                Sample {
                    shapes: &[&[3, 4]],
                    dtypes: F32,
                    params: || strides(&[3, 2], &[-3, 0], 9),
                    domain: (-2., 2.),
                },
            ],
            ulps: 0.,
        },
    }
    /// Axes in another order: axis `i` of the result is axis `axes[i]` of the operand.
    TRANSPOSE = "transpose" ("a") {
        dtypes: Dtypes::Any,
        infer: Infer::One(|params, x| {
            has_axes("transpose", params, x[0])?;
            let axes = params.axes();
            let twice = || axes.iter().enumerate().any(|(at, axis)| axes[..at].contains(axis));
            if axes.len() != x[0].shape.ndim() || twice() {
                return Err(mismatch("transpose", "an array with an axis for every place", x));
            }
            Ok(x[0].reshaped(params.axes().iter().map(|&axis| x[0].shape[axis]).collect::<Vec<_>>()))
        }),
        diff: Diff::Linear(&[Some(|params, _, g| fun::transpose(g, &inverse(params.axes())))]),
        batch: Batch::Lead(|params, _, _| {
            Params::Axes(std::iter::once(0).chain(params.axes().iter().map(|axis| axis + 1)).collect())
        }),
        kernel: Kernel::View(|params, x, _| Some(x.transpose(params.axes()))),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|params, x, out| {
                by_layout(x[0].1, &Layout::contiguous(&x[0].0.shape).transpose(params.axes()), out)
            }),
            samples: &[Sample {
                shapes: &[&[2, 3, 4]],
                dtypes: F32,
                params: || Params::Axes(vec![2, 0, 1]),
                domain: (-2., 2.),
            }],
            ulps: 0.,
        },
    }
    /// Axes of size 1 repeated, and new axes put in front, to make a shape.
    BROADCAST = "broadcast_to" ("a") {
        dtypes: Dtypes::Any,
        infer: Infer::One(|params, x| {
            let (from, to) = (&x[0].shape, params.shape());
            let fits = from.ndim() <= to.ndim()
                && from.iter().zip(&to[to.ndim() - from.ndim()..]).all(|(&a, &b)| a == b || a == 1);
            if fits { Ok(x[0].reshaped(to.clone())) } else {
                Err(mismatch("broadcast_to", &format!("a shape that broadcasts to {to}"), x))
            }
        }),
        diff: Diff::Linear(&[Some(|_, x, g| fun::sum_to(g, x[0].shape()))]),
        batch: Batch::Custom(|params, x, _, size| {
            // The batch axis stays in front; axes that are new go between.
            let shape = params.shape().with(0, size);
            let (have, want) = (x[0].shape(), shape.ndim());
            let ones = std::iter::repeat_n(1, want - have.ndim());
            let lined: Shape = have[..1].iter().copied().chain(ones).chain(have[1..].iter().copied()).collect();
            Ok(vec![(fun::broadcast_to(&fun::reshape(&x[0], lined)?, &shape)?, Some(0))])
        }),
        kernel: Kernel::View(|_, x, shape| Some(x.broadcast(shape))),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|_, x, out| {
                by_layout(x[0].1, &Layout::contiguous(&x[0].0.shape).broadcast(&out.shape), out)
            }),
            samples: &[Sample {
                shapes: &[&[2, 1]],
                dtypes: F32,
                params: || Params::Shape(Shape::from([4, 2, 3])),
                domain: (-2., 2.),
            }],
            ulps: 0.,
        },
    }
    /// Elements at regular distances along each axis; steps may be negative.
    SLICE = "slice" ("a") {
        dtypes: Dtypes::Any,
        infer: Infer::One(|params, x| match params {
            Params::Slice { start, step, shape } if reaches(start, step, shape, &x[0].shape) => {
                Ok(x[0].reshaped(shape.clone()))
            }
            _ => Err(mismatch("slice", "an array that has the elements", x)),
        }),
        diff: Diff::Linear(&[Some(|params, x, g| match params {
            Params::Slice { start, step, .. } => fun::place(g, &g.weak(0.), start, step, x[0].shape()),
            other => unreachable!("a slice has slice params, found {other:?}"),
        })]),
        batch: Batch::Lead(|params, size, _| match params {
            Params::Slice { start, step, shape } => Params::Slice {
                start: [&[0], &start[..]].concat(),
                step: [&[1], &step[..]].concat(),
                shape: shape.with(0, size),
            },
            other => unreachable!("a slice has slice params, found {other:?}"),
        }),
        kernel: Kernel::View(|params, x, shape| match params {
            Params::Slice { start, step, .. } => Some(x.slice(start, step, shape)),
            other => unreachable!("a slice has slice params, found {other:?}"),
        }),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|params, x, out| match params {
                Params::Slice { start, step, .. } => {
                    by_layout(x[0].1, &Layout::contiguous(&x[0].0.shape).slice(start, step, &out.shape), out)
                }
                other => unreachable!("a slice has slice params, found {other:?}"),
            }),
            samples: &[Sample {
                shapes: &[&[5, 4]],
                dtypes: F32,
                params: || Params::Slice { start: vec![4, 1], step: vec![-2, 1], shape: Shape::from([2, 3]) },
                domain: (-2., 2.),
            }],
            ulps: 0.,
        },
    }
    /// An array of one element repeated, with the elements of another at regular distances along each axis.
    PLACE = "place" ("a", "fill") {
        dtypes: Dtypes::Any,
        infer: Infer::One(|params, x| {
            let Params::Place { start, step, shape } = params else {
                unreachable!("a place has place params, found {params:?}")
            };
            let fits = x[1].shape.is_empty()
                && x[0].dtype == x[1].dtype
                && reaches(start, step, &x[0].shape, shape);
            if fits { Ok(x[0].reshaped(params.shape().clone())) } else {
                Err(mismatch("pad", "an array and a scalar of one type", x))
            }
        }),
        diff: Diff::Linear(&[
            Some(|params, x, g| cut(params, g, x[0].shape())),
            Some(|params, x, g| Ok(fun::sum_all(g)? - fun::sum_all(&cut(params, g, x[0].shape())?)?)),
        ]),
        batch: Batch::Custom(|params, x, axes, size| {
            let Params::Place { start, step, shape } = params else {
                unreachable!("a place has place params, found {params:?}")
            };
            let (start, step) = ([&[0], &start[..]].concat(), [&[1], &step[..]].concat());
            let shape = shape.with(0, size);
            if axes[1].is_none() {
                return Ok(vec![(fun::place(&x[0], &x[1], &start, &step, &shape)?, Some(0))]);
            }
            let x = &[super::index::lead(x, axes, 0, size)?, x[1].clone()];
            // A fill of its own for each example: placed in two halves that do not touch.
            let here = fun::full_like_bool(&x[0], true);
            let hit = fun::place(&here, &fun::bool_scalar(false), &start, &step, &shape)?;
            let placed = fun::place(&x[0], &x[0].weak(0.), &start, &step, &shape)?;
            let ones: Shape = shape.iter().enumerate().map(|(axis, &n)| if axis == 0 { n } else { 1 }).collect();
            let fill = fun::broadcast_to(&fun::reshape(&x[1], ones)?, &shape)?;
            Ok(vec![(fun::where_(&hit, &placed, &fill)?, Some(0))])
        }),
        kernel: Kernel::Whole(|params, x, out| {
            let Params::Place { start, step, .. } = params else {
                unreachable!("a place has place params, found {params:?}")
            };
            let into = Layout::contiguous(&out.shape).slice(start, step, &x[0].shape);
            WholeCall {
                whole: Whole::Place { size: out.size(), into },
                shapes: x.iter().map(|aval| aval.shape.clone()).collect(),
                shape: Shape::from([out.size()]),
            }
        }),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|params, x, out| {
                let Params::Place { start, step, .. } = params else {
                    unreachable!("a place has place params, found {params:?}")
                };
                let into = Layout::contiguous(&out.shape).slice(start, step, &x[0].0.shape);
                let count: Vec<f64> = (0..out.size()).map(|i| i as f64).collect();
                let to = by_layout(&count, &into, x[0].0);
                let mut result = vec![x[1].1[0]; out.size()];
                to.iter().zip(x[0].1).for_each(|(&at, &value)| result[at as usize] = value);
                result
            }),
            samples: &[Sample {
                shapes: &[&[2, 3], &[]],
                dtypes: super::F32_2,
                params: || Params::Place { start: vec![3, 0], step: vec![-2, 1], shape: Shape::from([4, 5]) },
                domain: (-2., 2.),
            }],
            ulps: 0.,
        },
    }
    /// Arrays one after the other along an axis.
    CONCATENATE = "concatenate" ("arrays") {
        dtypes: Dtypes::Any,
        infer: Infer::One(|params, x| {
            let axis = params.axis();
            if x.is_empty() {
                return Err(mismatch("concatenate", "at least one array", x));
            }
            has_axes("concatenate", params, x[0])?;
            let fits = |y: &&&Aval| y.dtype == x[0].dtype
                && y.shape.ndim() == x[0].shape.ndim()
                && y.shape.iter().zip(&x[0].shape[..]).enumerate().all(|(at, (a, b))| at == axis || a == b);
            if x.iter().filter(|y| fits(y)).count() < x.len() {
                return Err(mismatch("concatenate", &format!("arrays that differ on axis {axis} alone"), x));
            }
            let sum = x.iter().try_fold(0usize, |sum, y| sum.checked_add(y.shape[axis])).unwrap_or(usize::MAX);
            Ok(x[0].reshaped(x[0].shape.without(axis).with(axis, sum).checked("concatenate")?))
        }),
        diff: Diff::LinearAll(|params, x, at, g| {
            let axis = params.axis();
            let from = x[..at].iter().map(|y| y.shape()[axis]).sum();
            fun::narrow(g, axis, from, x[at].shape()[axis])
        }),
        batch: SHIFT,
        kernel: Kernel::Whole(|params, x, out| {
            let around = |aval: &Aval| fun::around(&aval.shape, params.axis());
            WholeCall {
                whole: Whole::Concatenate,
                shapes: x.iter().map(|aval| around(aval)).collect(),
                shape: around(out),
            }
        }),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|params, x, out| {
                let axis = params.axis();
                let inner: usize = out.shape[axis + 1..].iter().product();
                let outer: usize = out.shape[..axis].iter().product();
                let part = |o: usize| x.iter().flat_map(move |(aval, values)| {
                    let run = aval.shape[axis] * inner;
                    values[o * run..(o + 1) * run].to_vec()
                });
                (0..outer).flat_map(part).collect()
            }),
            samples: &[Sample {
                shapes: &[&[2, 1, 3], &[2, 4, 3]],
                dtypes: super::F32_2,
                params: || Params::Axis(1),
                domain: (-2., 2.),
            }],
            ulps: 0.,
        },
    }
}

/// Whether every axis of `of` has `count` elements from `start`, `step` apart.
fn reaches(start: &[usize], step: &[isize], count: &Shape, of: &Shape) -> bool {
    let last = |axis: usize| {
        let way = (count[axis] as isize - 1).checked_mul(step[axis])?;
        usize::try_from((start[axis] as isize).checked_add(way)?).ok()
    };
    let inside = |at: usize, axis: usize| at < of[axis];
    let ndim = of.ndim();
    start.len() == ndim
        && step.len() == ndim
        && !step.contains(&0)
        && count.ndim() == ndim
        && (0..ndim).all(|axis| {
            count[axis] == 0 || (inside(start[axis], axis) && last(axis).is_some_and(|at| inside(at, axis)))
        })
}

const GROW: Batch = Batch::Lead(|params, size, _| Params::Shape(params.shape().with(0, size)));

fn strides(shape: &[usize], strides: &[isize], offset: usize) -> Params {
    Params::Strided { shape: Shape::new(shape), strides: strides.to_vec(), offset }
}

/// Where a strided view lies in elements in order.
fn strided(params: &Params) -> Layout {
    match params {
        Params::Strided { shape, strides, offset } => {
            Layout { shape: shape.clone(), strides: strides.as_slice().into(), offset: *offset }
        }
        other => unreachable!("a strided view has strides, found {other:?}"),
    }
}

/// The slice that `place` filled.
fn cut(params: &Params, g: &Array, shape: &Shape) -> Result<Array> {
    match params {
        Params::Place { start, step, .. } => fun::slice(g, start, step, shape),
        other => unreachable!("a place has place params, found {other:?}"),
    }
}

/// The permutation that undoes `axes`.
pub(crate) fn inverse(axes: &[usize]) -> Vec<usize> {
    let mut back = vec![0; axes.len()];
    for (to, &axis) in axes.iter().enumerate() {
        back[axis] = to;
    }
    back
}

/// Elements at a layout, in order: the reference of every view.
fn by_layout(values: &[f64], layout: &Layout, out: &Aval) -> Vec<f64> {
    let strides = out.shape.strides();
    let at = |i: usize| -> usize {
        let along =
            |axis: usize| (i as isize / strides[axis]) % out.shape[axis] as isize * layout.strides[axis];
        (layout.offset as isize + (0..out.shape.ndim()).map(along).sum::<isize>()) as usize
    };
    (0..out.size()).map(|i| values[at(i)]).collect()
}
