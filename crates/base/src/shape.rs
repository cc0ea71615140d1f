//! Shapes: sizes of axes, how they broadcast, and how an axis is named.

use std::fmt;
use std::ops::Deref;

use smallvec::SmallVec;

use crate::error::{Error, Result};

/// The size of every axis. Up to four are kept in place.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct Shape(SmallVec<[usize; 4]>);

impl Clone for Shape {
    /// Every node has shapes, and this is one copy of memory where the derived one is a loop.
    #[inline]
    fn clone(&self) -> Shape {
        Shape::new(&self.0)
    }
}

impl Shape {
    /// A shape from sizes.
    pub fn new(sizes: &[usize]) -> Shape {
        Shape(SmallVec::from_slice(sizes))
    }

    /// Number of elements.
    pub fn size(&self) -> usize {
        self.0.iter().product()
    }

    /// Number of axes.
    pub fn ndim(&self) -> usize {
        self.0.len()
    }

    /// With an axis of size `size` put in at `axis`.
    pub fn with(&self, axis: usize, size: usize) -> Shape {
        let mut sizes = self.0.clone();
        sizes.insert(axis, size);
        Shape(sizes)
    }

    /// With axis `axis` taken out.
    pub fn without(&self, axis: usize) -> Shape {
        let mut sizes = self.0.clone();
        sizes.remove(axis);
        Shape(sizes)
    }

    /// Refuses a shape whose elements cannot be counted.
    pub fn checked(self, op: &str) -> Result<Shape> {
        // Zero sizes do not hide an overflow: the product of the others must fit too.
        let counted = self.0.iter().filter(|&&n| n != 0).try_fold(1usize, |acc, &n| acc.checked_mul(n));
        match counted {
            Some(n) if n <= isize::MAX as usize / 16 => Ok(self),
            _ => Err(Error::memory(format!(
                "[{op}] expected a shape whose elements can be counted, got {self}: too many elements"
            ))),
        }
    }

    /// Element strides of a row-major array of this shape.
    pub fn strides(&self) -> SmallVec<[isize; 4]> {
        let mut strides: SmallVec<[isize; 4]> = SmallVec::from_elem(1, self.ndim());
        for axis in (1..self.ndim()).rev() {
            strides[axis - 1] = strides[axis] * self.0[axis].max(1) as isize;
        }
        strides
    }
}

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.0
    }
}
impl From<&[usize]> for Shape {
    fn from(sizes: &[usize]) -> Shape {
        Shape::new(sizes)
    }
}
impl From<Vec<usize>> for Shape {
    fn from(sizes: Vec<usize>) -> Shape {
        Shape(SmallVec::from_vec(sizes))
    }
}
impl<const N: usize> From<[usize; N]> for Shape {
    fn from(sizes: [usize; N]) -> Shape {
        Shape::new(&sizes)
    }
}
impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(sizes: I) -> Shape {
        Shape(sizes.into_iter().collect())
    }
}

impl fmt::Display for Shape {
    /// As Python prints a tuple.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (axis, size) in self.0.iter().enumerate() {
            if axis > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{size}")?;
        }
        f.write_str(if self.ndim() == 1 { ",)" } else { ")" })
    }
}

/// The shape that all of `shapes` broadcast to, by NumPy's rule: aligned at the last axis, sizes equal or 1.
///
/// # Errors
/// `Value`, naming the shapes, where two sizes differ and neither is 1.
pub fn broadcast(op: &str, shapes: &[&[usize]]) -> Result<Shape> {
    let ndim = shapes.iter().map(|shape| shape.len()).max().unwrap_or(0);
    let mut sizes = vec![1; ndim];
    for shape in shapes {
        for (to, &size) in sizes[ndim - shape.len()..].iter_mut().zip(shape.iter()) {
            if *to == 1 {
                *to = size;
            } else if size != 1 && size != *to {
                let list: Vec<String> = shapes.iter().map(|s| Shape::new(s).to_string()).collect();
                let text = format!("[{op}] expected shapes that broadcast, got {}", list.join(" and "));
                return Err(Error::value(text));
            }
        }
    }
    Ok(Shape::from(sizes))
}

/// The axis that `axis` names; negative ones count from the end.
///
/// # Errors
/// `Index` where there is no such axis.
pub fn axis(op: &str, axis: isize, ndim: usize) -> Result<usize> {
    let at = if axis < 0 { axis + ndim as isize } else { axis };
    if at >= 0 && (at as usize) < ndim {
        return Ok(at as usize);
    }
    let range = match ndim {
        0 => "no axis, the array is a scalar".to_string(),
        n => format!("an axis from {} to {}", -(n as isize), n - 1),
    };
    Err(Error::value(format!("[{op}] expected {range}, got axis {axis}")))
}

/// The axes that `axes` name, sorted; all of them for `None`.
///
/// # Errors
/// Where one does not exist or is named twice.
pub fn axes(op: &str, axes: Option<&[isize]>, ndim: usize) -> Result<Vec<usize>> {
    let Some(list) = axes else { return Ok((0..ndim).collect()) };
    let mut found = list.iter().map(|&a| axis(op, a, ndim)).collect::<Result<Vec<usize>>>()?;
    found.sort_unstable();
    match found.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::value(format!("[{op}] expected distinct axes, got axis {} twice", pair[0]))),
        None => Ok(found),
    }
}
