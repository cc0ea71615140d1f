//! Sorting: ascending and stable, NaN last.

use std::cmp::Ordering;

use super::scan::Real;

/// The order of elements.
#[inline(always)]
pub fn compare<T: Real>(a: &T, b: &T) -> Ordering {
    if T::before(*a, *b) {
        Ordering::Less
    } else if T::before(*b, *a) {
        Ordering::Greater
    } else {
        Ordering::Equal
    }
}

/// Sorts lane `lane` of `[n, i]` elements into `out`, `i` elements apart; `line` is scratch.
///
/// # Safety
/// `out` is valid for n elements, `i` apart.
pub unsafe fn sort<T: Real>(out: *mut T, x: &[T], i: usize, lane: usize, line: &mut Vec<T>) {
    line.clear();
    line.extend(x[lane..].iter().step_by(i));
    line.sort_by(compare);
    for (k, &x) in line.iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { *out.add(k * i) = x };
    }
}

/// The positions that would sort lane `lane` of `[n, i]` elements; `line` and `positions` are scratch.
///
/// # Safety
/// `out` is valid for n elements, `i` apart.
pub unsafe fn arg_sort<T: Real>(out: *mut u32, x: &[T], i: usize, lane: usize, line: &mut Vec<(T, u32)>) {
    line.clear();
    line.extend(x[lane..].iter().step_by(i).zip(0u32..).map(|(&x, at)| (x, at)));
    line.sort_by(|a, b| compare(&a.0, &b.0));
    for (k, &(_, at)) in line.iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { *out.add(k * i) = at };
    }
}
