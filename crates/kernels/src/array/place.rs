//! Bytes moved: copies between layouts, concatenation, filling.

use crate::tile::layout::spread;

/// Copies an N-dimensional array of elements of `size` bytes. Strides are in elements.
///
/// # Safety
/// Both pointers are aligned for `size`, and valid at every element that shape and strides reach; no element of `dst`
/// is one of `src`.
pub unsafe fn copy(
    dst: *mut u8,
    dst_strides: &[isize],
    src: *const u8,
    src_strides: &[isize],
    shape: &[usize],
    size: usize,
) {
    if shape.contains(&0) {
        return;
    }
    let Some((&last, outer)) = shape.split_last() else {
        // SAFETY: the caller's promise.
        return unsafe { line(dst, 1, src, 1, 1, size) };
    };
    let axis = outer.len();
    let mut index = vec![0usize; axis];
    let (mut to, mut from) = (0isize, 0isize);
    loop {
        // SAFETY: the caller's promise.
        unsafe {
            let (dst, src) = (dst.offset(to * size as isize), src.offset(from * size as isize));
            line(dst, dst_strides[axis], src, src_strides[axis], last, size);
        }
        let mut k = axis;
        loop {
            if k == 0 {
                return;
            }
            k -= 1;
            index[k] += 1;
            to += dst_strides[k];
            from += src_strides[k];
            if index[k] < outer[k] {
                break;
            }
            to -= dst_strides[k] * outer[k] as isize;
            from -= src_strides[k] * outer[k] as isize;
            index[k] = 0;
        }
    }
}

/// # Safety
/// As `copy`, for a run of `n` elements.
unsafe fn line(dst: *mut u8, to: isize, src: *const u8, from: isize, n: usize, size: usize) {
    if to == 1 {
        // SAFETY: the caller's promise: a run of `n` elements.
        let dst = unsafe { std::slice::from_raw_parts_mut(dst, n * size) };
        // SAFETY: the caller's promise.
        return unsafe { spread(size)(dst, src, 1, n, 0, from) };
    }
    // SAFETY: the caller's promise.
    unsafe {
        match size {
            1 => strided::<u8>(dst, to, src, from, n),
            2 => strided::<u16>(dst, to, src, from, n),
            4 => strided::<u32>(dst, to, src, from, n),
            _ => strided::<u64>(dst, to, src, from, n),
        }
    }
}

/// # Safety
/// As `line`.
unsafe fn strided<T: Copy>(dst: *mut u8, to: isize, src: *const u8, from: isize, n: usize) {
    let (dst, src) = (dst.cast::<T>(), src.cast::<T>());
    for i in 0..n as isize {
        // SAFETY: the caller's promise.
        unsafe { *dst.offset(i * to) = *src.offset(i * from) };
    }
}

/// Fills `out` with copies of `element`.
pub fn fill(out: &mut [u8], element: &[u8]) {
    match *element {
        [byte] => out.fill(byte),
        _ => out.chunks_exact_mut(element.len()).for_each(|out| out.copy_from_slice(element)),
    }
}

/// `parts [o, n_j · i] -> [o, sum]`, for rows `rows` of the result; each part comes with the bytes of one of its rows.
/// `out` starts with the first of these rows.
pub fn concatenate(out: &mut [u8], parts: &[(&[u8], usize)], rows: std::ops::Range<usize>) {
    let mut rest = out;
    for row in rows {
        for (part, bytes) in parts {
            let (head, tail) = std::mem::take(&mut rest).split_at_mut(*bytes);
            head.copy_from_slice(&part[row * bytes..(row + 1) * bytes]);
            rest = tail;
        }
    }
}

/// Rows of a band of `transpose`: a cache line of the smallest elements that matter.
pub const BAND: usize = 16;

/// Copies `rows` (at most `BAND`) rows of `cols` elements of `size` bytes, read down the columns: for a source whose
/// rows are close together and whose columns are far apart. Strides are in elements; columns of `dst` follow each other.
///
/// # Safety
/// As `copy`.
pub unsafe fn transpose(
    dst: *mut u8,
    dst_row: isize,
    src: *const u8,
    (row, col): (isize, isize),
    (rows, cols): (usize, usize),
    size: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match size {
            1 => transpose_as::<u8>(dst, dst_row, src, (row, col), (rows, cols)),
            2 => transpose_as::<u16>(dst, dst_row, src, (row, col), (rows, cols)),
            4 => transpose_as::<u32>(dst, dst_row, src, (row, col), (rows, cols)),
            _ => transpose_as::<u64>(dst, dst_row, src, (row, col), (rows, cols)),
        }
    }
}

/// # Safety
/// As `transpose`.
unsafe fn transpose_as<T: Copy + Default>(
    dst: *mut u8,
    dst_row: isize,
    src: *const u8,
    (row, col): (isize, isize),
    (rows, cols): (usize, usize),
) {
    let (dst, src) = (dst.cast::<T>(), src.cast::<T>());
    // Through a square of its own: lines of the source and of the result that fall on one cache set are each seen once.
    let mut square = [[T::default(); BAND]; BAND];
    for start in (0..cols).step_by(BAND) {
        let width = BAND.min(cols - start);
        for c in 0..width {
            // SAFETY: the caller's promise.
            let from = unsafe { src.offset((start + c) as isize * col) };
            if row == 1 && rows == BAND {
                // SAFETY: the caller's promise: elements in order.
                let line = unsafe { std::slice::from_raw_parts(from, BAND) };
                for (r, &x) in line.iter().enumerate() {
                    square[r][c] = x;
                }
            } else {
                for (r, line) in square[..rows].iter_mut().enumerate() {
                    // SAFETY: the caller's promise.
                    line[c] = unsafe { *from.offset(r as isize * row) };
                }
            }
        }
        for (r, line) in square[..rows].iter().enumerate() {
            // SAFETY: the caller's promise; the square is no part of the result.
            unsafe {
                let to = dst.offset(r as isize * dst_row + start as isize);
                std::ptr::copy_nonoverlapping(line.as_ptr(), to, width);
            }
        }
    }
}
