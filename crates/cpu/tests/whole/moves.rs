//! Elements moved, counted and drawn.

use super::*;

#[test]
fn parts_joined() {
    let mut rng = Rng(8);
    for dtype in Dtype::ALL {
        for (o, i, lengths) in [
            (1, 1, vec![3, 0, 2]),
            (3, 2, vec![1, 4]),
            (2, 5, vec![2]),
            (4, 0, vec![1, 1]),
            (1, 700, vec![300, 700]),
        ] {
            let parts: Vec<Given> = lengths
                .iter()
                .map(|&n| given(&[o, n, i], dtype, block(dtype, o * n * i, &mut rng)))
                .collect();
            let total = lengths.iter().sum::<usize>();
            let mut want = Vec::new();
            for row in 0..o {
                for (part, n) in parts.iter().zip(&lengths) {
                    let line = n * i * dtype.size();
                    want.extend_from_slice(&part.bytes[row * line..(row + 1) * line]);
                }
            }
            assert!(run(Whole::Concatenate, &parts, &[o, total, i], dtype) == want);
        }
    }
}

#[test]
fn elements_placed() {
    let mut rng = Rng(9);
    let into = [
        (Layout { shape: Shape::new(&[2, 3]), strides: [10, 2].into_iter().collect(), offset: 5 }, 24),
        (Layout { shape: Shape::new(&[3, 2]), strides: [-4, -1].into_iter().collect(), offset: 11 }, 12),
        (Layout { shape: Shape::new(&[]), strides: [].into_iter().collect(), offset: 2 }, 4),
        (Layout { shape: Shape::new(&[0, 3]), strides: [1, 1].into_iter().collect(), offset: 0 }, 3),
        (Layout { shape: Shape::new(&[2, 3]), strides: [1, 2].into_iter().collect(), offset: 0 }, 6),
        (
            Layout { shape: Shape::new(&[700, 300]), strides: [1, 701].into_iter().collect(), offset: 1 },
            701 * 300,
        ),
    ];
    for dtype in Dtype::ALL {
        for (into, size) in into.clone() {
            let x = block(dtype, into.shape.size(), &mut rng);
            let fill = block(dtype, 1, &mut rng);
            let s = dtype.size();
            let mut want: Vec<u8> = fill.iter().copied().cycle().take(size * s).collect();
            for p in 0..into.shape.size() {
                let mut at = into.offset as isize;
                let mut rest = p;
                for (&n, &stride) in into.shape.iter().zip(&into.strides).rev() {
                    at += (rest % n) as isize * stride;
                    rest /= n;
                }
                want[at as usize * s..][..s].copy_from_slice(&x[p * s..][..s]);
            }
            let operands = [given(&into.shape, dtype, x), given(&[], dtype, fill)];
            assert!(
                run(Whole::Place { size, into: into.clone() }, &operands, &[size], dtype) == want,
                "{dtype} {into:?}"
            );
        }
    }
}

#[test]
fn counting() {
    for dtype in Dtype::ALL {
        let n = if dtype.size() == 1 { 100 } else { 250 };
        let got = scalars(dtype, &run(Whole::Iota, &[], &[n], dtype));
        for (i, got) in got.into_iter().enumerate() {
            assert_eq!(
                got.real(),
                if dtype == Dtype::Bool { f64::from(u8::from(i > 0)) } else { i as f64 },
                "{dtype}"
            );
        }
    }
}

/// Words that MLX 0.32.4 gives for `random.key(42)`: `random.split(key, n)` are 2 n words, and those of odd number were
/// checked through `random.uniform`.
#[test]
fn random_words_are_those_of_mlx() {
    let cases: [&[u32]; 5] = [
        &[64467757, 2916123636],
        &[2465931498, 3679230171, 255383827, 267815257],
        &[3134548294, 3733159049, 3746501087, 894150801, 801545058, 2363201431],
        &[3134548294, 3733159049, 843694964, 894150801, 801545058],
        &[1832780943],
    ];
    for words in cases {
        let keys: Vec<u8> = [0u32, 42, 0, 42].iter().flat_map(|x| x.to_le_bytes()).collect();
        let out = run(
            Whole::RandomBits { words: words.len() },
            &[given(&[2, 2], Dtype::U32, keys)],
            &[2, words.len()],
            Dtype::U32,
        );
        let got: Vec<u32> = out.as_chunks::<4>().0.iter().map(|x| u32::from_le_bytes(*x)).collect();
        assert_eq!(got, [words, words].concat());
    }
    assert!(
        run(Whole::RandomBits { words: 0 }, &[given(&[1, 2], Dtype::U32, vec![0; 8])], &[1, 0], Dtype::U32)
            .is_empty()
    );
}

/// Every word by itself, whatever thread makes it.
#[test]
fn many_random_words() {
    use pullback_kernels::array::random::{middle, threefry};
    for words in [100_000, 100_001] {
        let keys: Vec<u8> = [7u32, 9].iter().flat_map(|x| x.to_le_bytes()).collect();
        let out =
            run(Whole::RandomBits { words }, &[given(&[1, 2], Dtype::U32, keys)], &[1, words], Dtype::U32);
        let half = words.div_ceil(2);
        for (i, got) in out.as_chunks::<4>().0.iter().enumerate() {
            let want = if words % 2 == 1 && i == half - 1 {
                middle([7, 9], words)
            } else {
                let pair = if i < half { i } else { i - half };
                threefry([7, 9], [pair as u32, (pair + half) as u32])[usize::from(i >= half)]
            };
            assert_eq!(u32::from_le_bytes(*got), want, "{i}");
        }
    }
}
