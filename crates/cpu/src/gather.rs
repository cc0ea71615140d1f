//! Inputs that lie across the order of points: brought into order first, block by block.
//!
//! A tile of a transposed input takes one element of each cache line it touches, and has lost the lines by the time the
//! next tile wants their neighbours. A copy that works in squares reads every line once.

use pullback_base::{Result, Shape};
use pullback_kernels::array::place::{BAND, transpose};
use smallvec::SmallVec;

use crate::memory::CpuBuffer;
use crate::run::Strides;
use crate::space::Cut;
use crate::threads;

/// Bytes of an input from which on the order of reading matters: what a second-level cache does not hold.
const LARGE: usize = 1 << 18;
/// Bytes from element to element of a row from which on each is in a cache line of its own.
const FAR: usize = 64;
/// Rows and columns copied before going on: both sides then stay within as many pages.
const BLOCK: usize = 8 * BAND;

type Sources = SmallVec<[*const u8; 8]>;

/// The cut with inputs that lie across it replaced by copies in order, where that pays; the copies.
///
/// # Safety
/// Sources lead to all elements that the strides of the cut reach, of so many bytes each.
///
/// # Errors
/// `Memory` if there is no room for a copy.
pub(crate) unsafe fn gathered(
    sizes: &[usize],
    cut: &Cut,
    sources: &[*const u8],
) -> Result<Option<(Cut, Sources, Vec<CpuBuffer>)>> {
    let mut changed: Option<(Cut, Sources, Vec<CpuBuffer>)> = None;
    for (input, &size) in sizes.iter().enumerate() {
        let Some(across) = across(cut, input, size) else { continue };
        let shape = Shape::new(&cut.axes.sizes);
        let block = CpuBuffer::new(shape.size() * size)?;
        // SAFETY: the caller's promise; the block has room for every point.
        unsafe { bands(block.ptr(), sources[input], &cut.axes.strides[input], &shape, across, size) };
        let (cut, sources, blocks) =
            changed.get_or_insert_with(|| (cut.clone(), Sources::from_slice(sources), Vec::new()));
        cut.axes.strides[input] = Strides::from_slice(&shape.strides());
        sources[input] = block.ptr();
        blocks.push(block);
    }
    Ok(changed)
}

/// The axis along which the elements of an input are closest, if it is not the last one and reading along that
/// one would waste most of each cache line.
fn across(cut: &Cut, input: usize, size: usize) -> Option<usize> {
    let (strides, sizes) = (cut.axes.strides.get(input)?, &cut.axes.sizes);
    let last = sizes.len().checked_sub(1)?;
    let points: usize = sizes.iter().product();
    // A repeated input is smaller than its copy would be.
    if points * size < LARGE || strides[last].unsigned_abs() * size < FAR || strides.contains(&0) {
        return None;
    }
    let nearest =
        (0..last).filter(|&axis| sizes[axis] >= BAND / 2).min_by_key(|&axis| strides[axis].unsigned_abs())?;
    (strides[nearest].unsigned_abs() * 4 <= strides[last].unsigned_abs() && sizes[last] >= BAND / 2)
        .then_some(nearest)
}

/// Memory that threads share; each writes bands of its own.
struct Shared(*mut u8, *const u8);
// SAFETY: see above.
unsafe impl Sync for Shared {}

/// Copies an input into order, block row by block row: some rows along the axis `across`, whole along the last one.
///
/// # Safety
/// As `gathered`; `dst` has room for every point.
unsafe fn bands(dst: *mut u8, src: *const u8, strides: &[isize], shape: &Shape, across: usize, size: usize) {
    let last = shape.ndim() - 1;
    let own = shape.strides();
    let cols = shape[last];
    let per_row = shape[across].div_ceil(BLOCK);
    // The axes that bands are counted along, slowest first.
    let counts: SmallVec<[usize; 4]> =
        (0..last).map(|axis| if axis == across { per_row } else { shape[axis] }).collect();
    let count: usize = counts.iter().product();
    let shared = &Shared(dst, src);
    let parts = threads::parts(count * BLOCK * cols * 600, count);
    threads::ranges(parts, count, |range| {
        let Shared(dst, src) = *shared;
        for band in range {
            let (mut left, mut to, mut from, mut rows) = (band, 0isize, 0isize, BLOCK);
            for axis in (0..last).rev() {
                let mut at = left % counts[axis];
                left /= counts[axis];
                if axis == across {
                    at *= BLOCK;
                    rows = BLOCK.min(shape[across] - at);
                }
                to += at as isize * own[axis];
                from += at as isize * strides[axis];
            }
            let (row, col) = (strides[across], strides[last]);
            for start in (0..cols).step_by(BLOCK) {
                for top in (0..rows).step_by(BAND) {
                    let to = to + top as isize * own[across] + start as isize;
                    let from = from + top as isize * row + start as isize * col;
                    let square = (BAND.min(rows - top), BLOCK.min(cols - start));
                    // SAFETY: the caller's promise; bands share no element.
                    unsafe {
                        let (dst, src) = (dst.offset(to * size as isize), src.offset(from * size as isize));
                        transpose(dst, own[across], src, (row, col), square, size);
                    }
                }
            }
        }
    });
}
