//! Random programs: functions of two matrices, made of rows of all kinds.
//!
//! Every step makes a matrix of the same size from earlier ones, so that any list of steps is a program, and any
//! part of it still is one.

use pullback::fun::{self, Cuts};
use pullback::{Array, Aval, Dtype, Result, Shape};

/// Sizes of every matrix.
pub const SIZES: [usize; 2] = [3, 4];

/// What is done, and to which of the matrices that there are.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Which of the steps.
    pub what: u8,
    /// Operands, counted back from the latest.
    pub of: [u8; 3],
}

/// How many steps there are that have derivatives of all orders.
pub const SMOOTH: u8 = 26;
/// How many steps there are. The ones behind `SMOOTH` have kinks or jumps.
pub const ALL: u8 = 38;

/// A type for matrices.
pub fn aval(dtype: Dtype) -> Aval {
    Aval::new(SIZES, dtype)
}

/// Runs a program; `each` sees what every step made.
///
/// # Errors
/// What rows answer: none, if the engine is right.
pub fn run(program: &[Step], inputs: &[Array], each: &dyn Fn(&Array) -> Result<()>) -> Result<Array> {
    let mut pool = inputs.to_vec();
    for step in program {
        let operand = |i: usize| &pool[pool.len() - 1 - step.of[i] as usize % pool.len()];
        let made = make(step.what % ALL, operand(0), operand(1), operand(2))?;
        each(&made)?;
        pool.push(made);
    }
    // Everything made has a part in the result.
    let mut total = pool[pool.len() - 1].clone();
    for x in pool.iter().rev().skip(1).take(3) {
        total = fun::add(&total, &fun::multiply(x, &x.weak(0.5))?)?;
    }
    Ok(total)
}

/// Larger numbers made small again.
fn tame(x: &Array) -> Result<Array> {
    fun::tanh(&fun::multiply(x, &x.weak(0.4))?)
}

fn positive(x: &Array) -> Result<Array> {
    fun::add(&fun::square(x)?, &x.weak(0.5))
}

fn make(what: u8, x: &Array, y: &Array, z: &Array) -> Result<Array> {
    match what {
        0..SMOOTH => smooth(what, x, y, z),
        _ => rough(what, x, y, z),
    }
}

fn smooth(what: u8, x: &Array, y: &Array, z: &Array) -> Result<Array> {
    let size = Shape::from(SIZES);
    let wide = |x: Array| fun::broadcast_to(&x, &size);
    let flat = |x: &Array| fun::reshape(x, Shape::from([SIZES[0] * SIZES[1]]));
    let full = |x: Array| fun::reshape(&x, size.clone());
    match what {
        0 => fun::sin(x),
        1 => fun::cos(x),
        2 => fun::tanh(x),
        3 => fun::sigmoid(x),
        4 => fun::exp(&fun::tanh(x)?),
        5 => fun::log(&positive(x)?),
        6 => fun::sqrt(&positive(x)?),
        7 => fun::rsqrt(&positive(x)?),
        8 => tame(&fun::add(x, y)?),
        9 => fun::subtract(&fun::sin(x)?, y),
        10 => tame(&fun::multiply(x, y)?),
        11 => fun::divide(x, &positive(y)?),
        12 => fun::power(&positive(&fun::tanh(x)?)?, &fun::tanh(y)?),
        13 => fun::logaddexp(x, y),
        14 => fun::erf(x),
        15 => fun::arctan2(x, &positive(y)?),
        16 => wide(fun::mean(x, Some(&[0]), true)?),
        17 => wide(tame(&fun::sum_over(x, Some(&[-1]), true)?)?),
        18 => wide(fun::logsumexp(x, Some(&[1]), true)?),
        19 => fun::softmax(x, Some(&[0]), false),
        20 => tame(&fun::cumsum(x, Some(1), what.is_multiple_of(2), true)?),
        21 => tame(&fun::matmul(&fun::matmul(x, &fun::permute(y, None)?)?, z)?),
        22 => full(fun::roll(&flat(&fun::flip(x, Some(&[0]))?)?, 5, Some(0))?),
        23 => {
            let parts = fun::split(x, Cuts::At(&[1]), 1)?;
            fun::concatenate(&[&parts[1], &parts[0]], 1)
        }
        24 => {
            let index = fun::index::iota(SIZES[0], Dtype::I32)?;
            fun::add(&fun::take(x, &fun::negative(&index)?, Some(0))?, &fun::sin(y)?)
        }
        _ => {
            let around = fun::pad(x, &[(1, 0), (0, 2)], &fun::fill(pullback::Scalar::Float(0.25), x))?;
            fun::add(&fun::slice(&around, &[0, 4], &[1, -1], &size)?, &fun::triu(y, 0)?)
        }
    }
}

/// The array, with a number of its own added to every element.
///
/// Elements that are equal by an identity (the columns' sums of a `softmax`, say) differ in rounding alone, so which
/// is the largest of them, or the floor of one, is for chance to say; a program that asks has no value to compare.
fn apart(x: &Array) -> Result<Array> {
    let place = fun::cast(&fun::index::iota(SIZES[0] * SIZES[1], Dtype::I32)?, x.dtype())?;
    let own = fun::sin(&fun::add(&fun::multiply(&place, &place.weak(1.7))?, &place.weak(0.3))?)?;
    fun::add(x, &fun::reshape(&fun::multiply(&own, &own.weak(0.37))?, Shape::from(SIZES))?)
}

fn rough(what: u8, x: &Array, y: &Array, z: &Array) -> Result<Array> {
    let size = Shape::from(SIZES);
    let (x, y) = (&apart(x)?, if matches!(what, 35..) { &apart(y)? } else { y });
    match what {
        26 => fun::maximum(x, y),
        27 => fun::minimum(x, &fun::sin(y)?),
        28 => fun::abs(x),
        29 => fun::where_(&fun::less(x, y)?, z, &fun::cos(x)?),
        30 => fun::relu(x),
        31 => fun::sort(x, Some(1)),
        32 => fun::broadcast_to(&fun::max(x, Some(&[0]), true)?, &size),
        33 => fun::cummax(x, Some(0), false, true),
        34 => fun::clip(x, Some(&x.weak(-0.4)), Some(&x.weak(0.6))),
        35 => fun::take_along_axis(x, &fun::argsort(y, Some(1))?, Some(1)),
        36 => fun::subtract(x, &fun::floor(&fun::multiply(y, &y.weak(3.))?)?).and_then(|x| tame(&x)),
        _ => {
            let row = fun::argmax(&fun::reshape(y, Shape::from([SIZES[0] * SIZES[1]]))?, None, false)?;
            let row = fun::remainder(&fun::cast(&row, Dtype::I32)?, &fun::index::int(SIZES[0]))?;
            let place = [fun::subscript::Index::Array(row)];
            let part = fun::narrow(z, 0, 0, 1)?;
            let part = fun::reshape(&part, Shape::from([SIZES[1]]))?;
            fun::subscript::update(x, &place, fun::subscript::How::Add, &part)
        }
    }
}
