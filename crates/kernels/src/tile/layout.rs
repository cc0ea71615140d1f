//! Loads that are not in place. They move bits and know sizes only, so one function serves every type, and
//! one instruction set is enough: fills and copies are the C library's or a plain store loop.

/// Fills `rows` × `cols` elements of `dst` from `src` with element strides.
///
/// # Safety
/// `src` is valid, and aligned for its size, at every (r · row_stride + c · col_stride) elements reached.
pub type Spread =
    unsafe fn(dst: &mut [u8], src: *const u8, rows: usize, cols: usize, row_stride: isize, col_stride: isize);

/// The spread for elements of `size` bytes.
pub fn spread(size: usize) -> Spread {
    match size {
        1 => spread_as::<u8>,
        2 => spread_as::<u16>,
        4 => spread_as::<u32>,
        _ => spread_as::<u64>,
    }
}

/// # Safety
/// As `Spread`.
unsafe fn spread_as<T: Copy>(
    dst: &mut [u8],
    src: *const u8,
    rows: usize,
    cols: usize,
    row_stride: isize,
    col_stride: isize,
) {
    // SAFETY: tiles are aligned for every type.
    let dst = unsafe { super::cast_mut::<T>(dst) };
    let src = src.cast::<T>();
    debug_assert_eq!(dst.len(), rows * cols);
    for (r, row) in dst.chunks_exact_mut(cols.max(1)).enumerate() {
        // SAFETY: the caller promises every element that the strides reach.
        let start = unsafe { src.offset(r as isize * row_stride) };
        match col_stride {
            // SAFETY: as above.
            0 => row.fill(unsafe { *start }),
            // SAFETY: as above; registers and inputs never overlap.
            1 => unsafe { std::ptr::copy_nonoverlapping(start, row.as_mut_ptr(), cols) },
            _ => {
                for (c, out) in row.iter_mut().enumerate() {
                    // SAFETY: as above.
                    *out = unsafe { *start.offset(c as isize * col_stride) };
                }
            }
        }
    }
}
