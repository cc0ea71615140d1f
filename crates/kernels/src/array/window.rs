//! Windows of a convolution: laid side by side for a product of matrices, and summed without one.

use std::ops::Range;

use crate::isa::Isa;
use crate::tile::{Work, work};

use super::product::Ring;

/// A spatial axis. An element of the input is met where `major · major_step + minor · minor_step - low` is a position.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    /// Sizes of the outer and the inner index.
    pub sizes: [usize; 2],
    /// Positions from index to index.
    pub steps: [isize; 2],
    /// Positions before the first element.
    pub low: isize,
    /// How many positions there are.
    pub size: usize,
    /// Elements of memory from position to position.
    pub stride: isize,
}

/// A table `[batch · majors.., minors.., run]` whose elements are those of the input that windows and kernels meet.
#[derive(Clone, Debug)]
pub struct Table {
    /// Elements of memory from one batch to the next; batches are counted before majors.
    pub batch: isize,
    /// The spatial axes.
    pub axes: Vec<Axis>,
    /// Number of elements for each place, and elements of memory between them.
    pub run: (usize, isize),
}

impl Table {
    /// Rows per batch, and places in each row.
    pub fn sizes(&self) -> [usize; 2] {
        [0, 1].map(|index| self.axes.iter().map(|axis| axis.sizes[index]).product())
    }

    /// Where index `flat` stands on each axis, times its steps.
    fn positions(&self, index: usize, mut flat: usize, to: &mut [isize]) {
        for (axis, to) in self.axes.iter().zip(to).rev() {
            *to = (flat % axis.sizes[index]) as isize * axis.steps[index];
            flat /= axis.sizes[index];
        }
    }
}

/// Writes rows `rows`, columns of places `places`, of a table; what lies outside the input is zero. `T` is any type of
/// the elements' size, zero of which has no bit set.
///
/// # Safety
/// `x` is valid at all elements that the table reaches.
pub unsafe fn pack<T: Copy + Default>(
    out: &mut [T],
    x: *const T,
    table: &Table,
    rows: Range<usize>,
    places: Range<usize>,
) {
    let [majors, minors] = table.sizes();
    let Some((last, outer)) = table.axes.split_last() else {
        for (row, out) in rows.zip(out.chunks_exact_mut(table.run.0.max(1))) {
            // SAFETY: the caller's promise.
            unsafe { copy(out, x.offset(row as isize * table.batch), table.run.1) };
        }
        return;
    };
    debug_assert!(places.end <= minors);
    let mut major = vec![0; table.axes.len()];
    let mut minor = vec![0; table.axes.len()];
    let (width, mut rest) = (last.sizes[1], out);
    for row in rows {
        table.positions(0, row % majors, &mut major);
        let mut at = places.start;
        while at < places.end {
            let (line, from) = (at / width, at % width);
            let to = width.min(from + places.end - at);
            table.positions(1, line * width, &mut minor);
            let mut offset = (row / majors) as isize * table.batch;
            let mut inside = true;
            for ((axis, a), b) in outer.iter().zip(&major).zip(&minor) {
                let position = a + b - axis.low;
                inside &= position >= 0 && position < axis.size as isize;
                offset += position * axis.stride;
            }
            let (now, after) = rest.split_at_mut((to - from) * table.run.0);
            if inside {
                let first = major[outer.len()] - last.low;
                // SAFETY: the caller's promise.
                unsafe { line_of(now, x.wrapping_offset(offset), last, table.run, first, from..to) };
            } else {
                now.fill(T::default());
            }
            (rest, at) = (after, at + to - from);
        }
    }
}

/// Places `places` of a line along the last axis, the first of which is at position `first`.
///
/// # Safety
/// As `pack`.
#[inline]
unsafe fn line_of<T: Copy + Default>(
    out: &mut [T],
    x: *const T,
    axis: &Axis,
    run: (usize, isize),
    first: isize,
    places: Range<usize>,
) {
    let (size, step) = (axis.size as isize, axis.steps[1]);
    // Places `low..high` are inside.
    let beyond = |limit: isize| {
        let gap = limit - first;
        if gap <= 0 { 0 } else { (gap + step - 1) / step }
    };
    let clip = |place: isize| (place as usize).clamp(places.start, places.end);
    let (low, high) = (clip(beyond(0)), clip(beyond(size)));
    let (head, rest) = out.split_at_mut((low - places.start) * run.0);
    let (body, tail) = rest.split_at_mut((high - low) * run.0);
    head.fill(T::default());
    tail.fill(T::default());
    if body.is_empty() {
        return;
    }
    let start = x.wrapping_offset((first + low as isize * step) * axis.stride);
    let far = step * axis.stride;
    // SAFETY: the caller's promise; these places are inside.
    unsafe {
        if run.0 == 1 {
            copy(body, start, far);
        } else if run.1 == 1 && far == run.0 as isize {
            copy(body, start, 1);
        } else {
            for (place, out) in body.chunks_exact_mut(run.0).enumerate() {
                copy(out, start.offset(place as isize * far), run.1);
            }
        }
    }
}

/// # Safety
/// `x` is valid at as many elements, `stride` apart.
#[inline(always)]
unsafe fn copy<T: Copy>(out: &mut [T], x: *const T, stride: isize) {
    if stride == 1 {
        // SAFETY: the caller's promise; memory that is written is nobody else's.
        return unsafe { std::ptr::copy_nonoverlapping(x, out.as_mut_ptr(), out.len()) };
    }
    for (i, out) in out.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *out = unsafe { *x.offset(i as isize * stride) };
    }
}

/// Groups that are summed side by side.
pub const LANES: usize = 32;

/// `out[i · far] = sum of x[i] · w[i]` over pairs of offsets into `x` and `w`, for `count` neighbouring groups.
///
/// # Safety
/// All elements reached are valid, also where `x` and `w` themselves are not.
pub unsafe fn lanes<T: Ring>(
    isa: Isa,
    (out, far): (*mut T, isize),
    (x, w): (*const T, *const T),
    pairs: &[(isize, isize)],
    count: usize,
) {
    work(isa, Lanes { out, far, x, w, pairs, count });
}

struct Lanes<'a, T> {
    out: *mut T,
    far: isize,
    x: *const T,
    w: *const T,
    pairs: &'a [(isize, isize)],
    count: usize,
}

impl<T: Ring> Work for Lanes<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        let Lanes { out, far, x, w, pairs, count } = self;
        let mut at = 0;
        while at + LANES <= count {
            let mut sums = [T::ZERO; LANES];
            for &(a, b) in pairs {
                // SAFETY: the caller's promise.
                let (x, w) = unsafe {
                    let at = at as isize;
                    (
                        &*x.wrapping_offset(a + at).cast::<[T; LANES]>(),
                        &*w.wrapping_offset(b + at).cast::<[T; LANES]>(),
                    )
                };
                for i in 0..LANES {
                    sums[i] = T::add_product(sums[i], x[i], w[i]);
                }
            }
            for (i, &sum) in sums.iter().enumerate() {
                // SAFETY: the caller's promise.
                unsafe { *out.offset((at + i) as isize * far) = sum };
            }
            at += LANES;
        }
        for at in at as isize..count as isize {
            // SAFETY: the caller's promise.
            let product = |sum, &(a, b): &(isize, isize)| unsafe {
                T::add_product(sum, *x.wrapping_offset(a + at), *w.wrapping_offset(b + at))
            };
            let sum = pairs.iter().fold(T::ZERO, product);
            // SAFETY: the caller's promise.
            unsafe { *out.offset(at * far) = sum };
        }
    }
}
