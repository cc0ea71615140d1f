//! The Walsh-Hadamard transform.

use pullback_base::promote::inexact;
use pullback_base::{Dtype, Error, Result, Scalar, Shape};

use super::index::{int, iota, iota_along};
use super::{
    add, bitwise_and, bitwise_xor, broadcast_to, cast, matmul, multiply, negative, remainder, reshape,
    right_shift, stack, subtract, swap_last, where_,
};
use crate::array::Array;

/// Hadamard's matrices that are no product of smaller ones, as rows of bits that say where -1 stands, the first bit last:
/// <http://neilsloane.com/hadamard/>. A row opens a band of blocks of `size` columns, each of which goes on as a
/// circulant.
struct Hadamard {
    size: usize,
    bands: &'static [u32],
}

const HADAMARD: [Hadamard; 3] = [
    Hadamard {
        size: 1,
        bands: &[0x2, 0xaab, 0x3c8, 0x96e, 0xf20, 0x5ba, 0xc8c, 0x6e6, 0x23c, 0xb96, 0x8f0, 0xe5a],
    },
    Hadamard { size: 5, bands: &[0x933de, 0x637c1, 0x0fa53, 0xf7a6d] },
    Hadamard { size: 7, bands: &[0xcd69e7e, 0xb467f43, 0x87fb325, 0xfcf1299] },
];

/// The Walsh-Hadamard transform along the last axis, times `scale`; without one, such that lengths stay. Of numbers of
/// elements `m 2 ** k`, where `m` is 1, 12, 20 or 28.
///
/// # Errors
/// `Value` for another number of elements.
pub fn hadamard_transform(x: &Array, scale: Option<f64>) -> Result<Array> {
    let y = cast(x, inexact(x.dtype()))?;
    let n = x.shape().last().copied().unwrap_or(1);
    let odd = |m: usize| n > 0 && n.is_multiple_of(m) && (n / m).is_power_of_two();
    let own = HADAMARD.iter().find(|own| odd(own.size * own.bands.len()));
    if !odd(1) && own.is_none() {
        return Err(Error::value(format!(
            "[hadamard_transform] expected a last axis of m 2 ** k elements with m of 1, 12, 20 or 28, got {}; pad it with \
             zeros",
            x.aval()
        )));
    }
    // The matrix is a Kronecker product, so each factor acts along an axis of its own: the last one, which then becomes
    // the first, until all are where they were.
    let mut factors = Vec::new();
    let own = if odd(1) { None } else { own };
    let mut left = n;
    if let Some(own) = own {
        left /= own.size * own.bands.len();
        factors.push(own.matrix(y.dtype())?);
    }
    while left > 1 {
        let size = left.min(RADIX);
        factors.push(sylvester(size, y.dtype())?);
        left /= size;
    }
    let rows = x.shape().iter().rev().skip(1).product();
    let mut z = reshape(&y, Shape::from([rows, 1, n]))?;
    for factor in factors.iter().rev() {
        let size = factor.shape()[0];
        let lines = reshape(&z, Shape::from([rows * (n / size), size]))?;
        z = swap_last(&reshape(&matmul(&lines, &swap_last(factor)?)?, Shape::from([rows, n / size, size]))?)?;
    }
    let z = reshape(&z, x.shape().clone())?;
    let scale = scale.unwrap_or(1. / (n as f64).sqrt());
    multiply(&z, &z.weak(scale))
}

/// The largest factor: as many products for each element, against passes over all of them.
const RADIX: usize = 16;

/// Sylvester's matrix: -1 where the positions have an odd number of bits in common.
fn sylvester(size: usize, dtype: Dtype) -> Result<Array> {
    let at = |axis: usize| {
        reshape(&iota(size, Dtype::I32)?, Shape::from(if axis == 0 { [size, 1] } else { [1, size] }))
    };
    let both = bitwise_and(&at(0)?, &at(1)?)?;
    let mut odd = both.clone();
    for bit in 1..size.ilog2() as usize {
        odd = bitwise_xor(&odd, &right_shift(&both, &int(bit))?)?;
    }
    signs(&odd, dtype)
}

/// -1 where the last bit is set, else 1.
fn signs(bits: &Array, dtype: Dtype) -> Result<Array> {
    let set = bitwise_and(bits, &int(1))?;
    let one = Array::scalar(Scalar::Int(1), dtype);
    where_(&cast(&set, Dtype::Bool)?, &negative(&one)?, &one)
}

impl Hadamard {
    fn matrix(&self, dtype: Dtype) -> Result<Array> {
        let (size, count) = (self.size, self.bands.len());
        let n = size * count;
        let rows: Vec<Array> =
            self.bands.iter().map(|&bits| Array::scalar(Scalar::Int(bits.into()), Dtype::I32)).collect();
        let bands = reshape(&stack(&rows.iter().collect::<Vec<_>>(), 0)?, Shape::from([count, 1, 1, 1]))?;
        // Axes: band, row within it, block, column within it.
        let along = |axis: usize| iota_along(&Shape::from([count, size, count, size]), axis);
        let turned = add(&subtract(&along(3)?, &along(1)?)?, &int(size))?;
        let turned = remainder(&turned, &int(size))?;
        let column = add(&multiply(&along(2)?, &int(size))?, &turned)?;
        let bits = right_shift(&bands, &column)?;
        let bits = broadcast_to(&bits, &Shape::from([count, size, count, size]))?;
        signs(&reshape(&bits, Shape::from([n, n]))?, dtype)
    }
}
