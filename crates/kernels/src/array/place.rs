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
