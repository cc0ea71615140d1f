//! Rows by position.

/// The row that a position of `Take` names among `n`: negative ones count from the end, the rest is clamped.
#[inline(always)]
fn nearest(position: i32, n: usize) -> usize {
    let position = if position < 0 { i64::from(position) + n as i64 } else { position.into() };
    position.clamp(0, n as i64 - 1) as usize
}

/// Row k of `out` is row `index[k]` of `table`, which has `n` rows of `row` bytes. A table without rows gives zeros.
pub fn take(out: &mut [u8], table: &[u8], n: usize, row: usize, index: &[i32]) {
    if n == 0 {
        return out.fill(0);
    }
    match row {
        0 => {}
        1 => take_as::<1>(out, table, n, index),
        2 => take_as::<2>(out, table, n, index),
        4 => take_as::<4>(out, table, n, index),
        8 => take_as::<8>(out, table, n, index),
        _ => {
            for (out, &position) in out.chunks_exact_mut(row).zip(index) {
                let start = nearest(position, n) * row;
                out.copy_from_slice(&table[start..start + row]);
            }
        }
    }
}

fn take_as<const N: usize>(out: &mut [u8], table: &[u8], n: usize, index: &[i32]) {
    let (out, table) = (out.as_chunks_mut::<N>().0, &table.as_chunks::<N>().0[..n]);
    for (out, &position) in out.iter_mut().zip(index) {
        *out = table[nearest(position, n)];
    }
}

/// The row that a position of `Scatter` names among `n`, if there is one.
#[inline(always)]
pub fn exact(position: i32, n: usize) -> Option<usize> {
    let position = if position < 0 { i64::from(position) + n as i64 } else { position.into() };
    (0..n as i64).contains(&position).then_some(position as usize)
}
