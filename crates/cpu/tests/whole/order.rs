//! What needs an order: extremes, running results, sorting.

use super::*;

#[test]
fn extremes_by_position() {
    let mut rng = Rng(2);
    for dtype in reals() {
        for [o, n, i] in [[1, 9, 1], [3, 5, 4], [2, 1, 3], [0, 4, 2], [4, 100, 1]] {
            for max in [false, true] {
                let bytes = with_nan(dtype, o * n * i, &mut rng);
                let x = scalars(dtype, &bytes);
                let out =
                    run(Whole::ArgReduce { max }, &[given(&[o, n, i], dtype, bytes)], &[o, i], Dtype::U32);
                for (p, &got) in scalars(Dtype::U32, &out).iter().enumerate() {
                    let line: Vec<f64> = (0..n).map(|j| x[(p / i * n + j) * i + p % i].real()).collect();
                    let best = line.iter().position(|x| x.is_nan()).unwrap_or_else(|| {
                        let top = line.iter().copied().fold(line[0], if max { f64::max } else { f64::min });
                        line.iter().position(|&x| x == top).unwrap()
                    });
                    assert_eq!(got, Scalar::Int(best as i64), "{dtype} max {max} {line:?}");
                }
            }
        }
    }
}

#[test]
fn running_results() {
    let mut rng = Rng(3);
    for dtype in reals() {
        for [o, n, i] in [[1, 9, 1], [3, 5, 4], [2, 0, 3], [2, 1, 1]] {
            for (how, fold) in [
                (Cumulate::Sum, Fold::Sum),
                (Cumulate::Prod, Fold::Prod),
                (Cumulate::Max, Fold::Max),
                (Cumulate::Min, Fold::Min),
            ] {
                for (reverse, inclusive) in [(false, true), (true, true), (false, false), (true, false)] {
                    let bytes = block(dtype, o * n * i, &mut rng);
                    let x = scalars(dtype, &bytes);
                    let whole = Whole::Cumulate { how, reverse, inclusive };
                    let out = run(whole, &[given(&[o, n, i], dtype, bytes)], &[o, n, i], dtype);
                    let got = scalars(dtype, &out);
                    for lane in 0..o * i {
                        let mut carried = values::neutral(fold, dtype);
                        for j in 0..n {
                            let at = (lane / i * n + if reverse { n - 1 - j } else { j }) * i + lane % i;
                            let next = values::join(fold, dtype, carried, x[at]);
                            let want = if inclusive { next } else { carried };
                            let scale = if want.real().is_finite() { 1. + want.real().abs() } else { 1. };
                            assert!(
                                values::close(got[at], want, dtype, scale),
                                "{dtype} {how:?} {reverse} {inclusive}: {:?}, not {want:?}",
                                got[at]
                            );
                            carried = next;
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn sorting() {
    let mut rng = Rng(4);
    for dtype in reals() {
        for [o, n, i] in [[1, 50, 1], [3, 20, 4], [2, 0, 3], [2, 1, 1], [1, 150_000, 1], [1, 100, 30]] {
            if n > 1000 && !matches!(dtype, Dtype::F32 | Dtype::I32 | Dtype::F16) {
                continue;
            }
            let bytes = with_nan(dtype, o * n * i, &mut rng);
            let x = scalars(dtype, &bytes);
            let operand = || given(&[o, n, i], dtype, bytes.clone());
            let sorted = scalars(dtype, &run(Whole::Sort, &[operand()], &[o, n, i], dtype));
            let order = scalars(Dtype::U32, &run(Whole::ArgSort, &[operand()], &[o, n, i], Dtype::U32));
            for lane in 0..o * i {
                let at = |j: usize| (lane / i * n + j) * i + lane % i;
                let mut want: Vec<usize> = (0..n).collect();
                let key = |j: usize| x[at(j)].real();
                want.sort_by(|&a, &b| match (key(a).is_nan(), key(b).is_nan()) {
                    (false, false) => key(a).total_cmp(&key(b)),
                    (a, b) => a.cmp(&b),
                });
                for (j, &from) in want.iter().enumerate() {
                    assert_eq!(
                        order[at(j)],
                        Scalar::Int(from as i64),
                        "{dtype} {o} {n} {i} lane {lane} place {j}"
                    );
                    assert_eq!(sorted[at(j)].bits(dtype), x[at(from)].bits(dtype));
                }
            }
        }
    }
}

/// Signed zeros are equal: they stay in order.
#[test]
fn sorting_is_stable() {
    let x: Vec<f32> = vec![0., -0., 1., -0., 0., -1.];
    let bytes = x.iter().flat_map(|x| x.to_le_bytes()).collect();
    let out = run(Whole::ArgSort, &[given(&[1, 6, 1], Dtype::F32, bytes)], &[1, 6, 1], Dtype::U32);
    let order: Vec<i64> = scalars(Dtype::U32, &out).iter().map(|x| x.int()).collect();
    assert_eq!(order, [5, 0, 1, 3, 4, 2]);
}

#[test]
fn what_is_missing_is_said() {
    let cpu = Cpu::new().unwrap();
    for whole in [Whole::Sort, Whole::ArgSort, Whole::ArgReduce { max: true }] {
        assert!(cpu.lacks_whole(&whole, &[Dtype::C64]).unwrap().contains("complex"));
        assert_eq!(cpu.lacks_whole(&whole, &[Dtype::F16]), None);
    }
}
