//! Random words: threefry2x32, counters laid out as MLX lays them out.

use crate::isa::Isa;
use crate::tile::{Work, work};

/// Rotations of the two kinds of round.
const ROTATIONS: [[u32; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];

/// The two words of a counter under a key (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3").
#[inline(always)]
pub fn threefry(key: [u32; 2], counter: [u32; 2]) -> [u32; 2] {
    let keys = [key[0], key[1], key[0] ^ key[1] ^ 0x1bd1_1bda];
    let mut x = [counter[0].wrapping_add(keys[0]), counter[1].wrapping_add(keys[1])];
    for round in 0..5 {
        for rotation in ROTATIONS[round % 2] {
            x[0] = x[0].wrapping_add(x[1]);
            x[1] = x[1].rotate_left(rotation) ^ x[0];
        }
        x[0] = x[0].wrapping_add(keys[(round + 1) % 3]);
        x[1] = x[1].wrapping_add(keys[(round + 2) % 3]).wrapping_add(round as u32 + 1);
    }
    x
}

/// Some of the `words` random words of a key: pair p is word p and the word half the length (rounded up) further. `low`
/// and `high` are those words for the pairs `from..from + low.len()`.
pub fn fill(isa: Isa, key: [u32; 2], words: usize, from: usize, low: &mut [u32], high: &mut [u32]) {
    struct Fill<'a>([u32; 2], usize, usize, &'a mut [u32], &'a mut [u32]);
    impl Work for Fill<'_> {
        type Out = ();
        #[inline(always)]
        fn run(self) {
            let Fill(key, offset, from, low, high) = self;
            let high = &mut high[..low.len()];
            for p in 0..low.len() {
                let first = (from + p) as u32;
                [low[p], high[p]] = threefry(key, [first, first.wrapping_add(offset as u32)]);
            }
        }
    }
    work(isa, Fill(key, words.div_ceil(2), from, low, high));
}

/// The word in the middle of an odd number of words.
pub fn middle(key: [u32; 2], words: usize) -> u32 {
    threefry(key, [(words / 2) as u32, 0])[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vectors of the authors' library.
    #[test]
    fn known_answers() {
        assert_eq!(threefry([0, 0], [0, 0]), [0x6b20_0159, 0x99ba_4efe]);
        assert_eq!(threefry([!0, !0], [!0, !0]), [0x1cb9_96fc, 0xbb00_2be7]);
        let (key, counter) = ([0x1319_8a2e, 0x0370_7344], [0x243f_6a88, 0x85a3_08d3]);
        assert_eq!(threefry(key, counter), [0xc492_3a9c, 0x483d_f7a0]);
    }
}
