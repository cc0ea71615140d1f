//! Rows by position.

use super::*;

#[test]
fn rows_taken() {
    let mut rng = Rng(5);
    for dtype in Dtype::ALL {
        for (n, i) in [(5, 1), (4, 3), (1, 2), (3, 0)] {
            let table = block(dtype, n * i, &mut rng);
            let list = [0, 1, -1, n as i32, -(n as i32), 100, -100, i32::MIN, i32::MAX, 2];
            let operands = [given(&[n, i], dtype, table.clone()), positions(&list)];
            let out = run(Whole::Take, &operands, &[list.len(), i], dtype);
            let row = i * dtype.size();
            for (k, &position) in list.iter().enumerate() {
                let p = i64::from(position) + if position < 0 { n as i64 } else { 0 };
                let p = p.clamp(0, n as i64 - 1) as usize;
                assert_eq!(out[k * row..(k + 1) * row], table[p * row..(p + 1) * row], "{dtype} {position}");
            }
        }
    }
    let empty = [given(&[0, 2], Dtype::F32, vec![]), positions(&[0, 3])];
    assert_eq!(run(Whole::Take, &empty, &[2, 2], Dtype::F32), [0; 16]);
}

#[test]
fn rows_written() {
    let mut rng = Rng(6);
    for dtype in Dtype::ALL {
        for how in [Scatter::Set, Scatter::Add, Scatter::Prod, Scatter::Max, Scatter::Min] {
            for (n, i) in [(5, 1), (4, 3), (2, 40)] {
                let x = block(dtype, n * i, &mut rng);
                let list = [0, 1, -1, 1, n as i32, -(n as i32), 100, -100, i32::MIN, 1, 0];
                let updates = block(dtype, list.len() * i, &mut rng);
                let mut want = scalars(dtype, &x);
                for (k, &position) in list.iter().enumerate() {
                    let p = i64::from(position) + if position < 0 { n as i64 } else { 0 };
                    if !(0..n as i64).contains(&p) {
                        continue;
                    }
                    for j in 0..i {
                        let old = &mut want[p as usize * i + j];
                        let update = read(dtype, &updates, k * i + j);
                        *old = combine(how, dtype, *old, update);
                    }
                }
                for donate in [false, true] {
                    let operands = [
                        given(&[n, i], dtype, x.clone()),
                        positions(&list),
                        given(&[list.len(), i], dtype, updates.clone()),
                    ];
                    let cpu = Cpu::new().unwrap();
                    let out = run_on(&cpu, Whole::Scatter(how), &operands, &[n, i], dtype, donate);
                    for (got, &want) in scalars(dtype, &out).iter().zip(&want) {
                        let scale = 1. + want.real().abs() + want.imag().abs();
                        assert!(
                            values::close(*got, want, dtype, scale),
                            "{dtype} {how:?} {got:?}, not {want:?}"
                        );
                    }
                }
            }
        }
    }
}

fn combine(how: Scatter, dtype: Dtype, old: Scalar, update: Scalar) -> Scalar {
    let fold = match how {
        Scatter::Set => return update,
        Scatter::Add => Fold::Sum,
        Scatter::Prod => Fold::Prod,
        Scatter::Max => Fold::Max,
        Scatter::Min => Fold::Min,
    };
    if let (Scalar::Complex(a, b), Scalar::Complex(c, d)) = (old, update) {
        return match fold {
            Fold::Sum => Scalar::Complex(a + c, b + d),
            Fold::Prod => Scalar::Complex(a * c - b * d, a * d + b * c),
            Fold::Max => {
                if (c, d) > (a, b) {
                    update
                } else {
                    old
                }
            }
            Fold::Min => {
                if (c, d) < (a, b) {
                    update
                } else {
                    old
                }
            }
        };
    }
    values::join(fold, dtype, old, update)
}

/// Long rows are split over threads; equal positions still combine in order.
#[test]
fn large_scatters_combine_in_order() {
    let (n, i, k) = (300, 512, 2000);
    let mut rng = Rng(7);
    let list: Vec<i32> = (0..k).map(|_| rng.below(n) as i32).collect();
    let updates: Vec<f32> = (0..k * i).map(|j| (j % 1000) as f32 * 0.1).collect();
    let mut want = vec![0f32; n * i];
    for (row, &position) in updates.chunks(i).zip(&list) {
        let to = &mut want[position as usize * i..][..i];
        to.iter_mut().zip(row).for_each(|(to, x)| *to += x);
    }
    let bytes = |x: &[f32]| x.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let operands = [
        given(&[n, i], Dtype::F32, vec![0; n * i * 4]),
        positions(&list),
        given(&[k, i], Dtype::F32, bytes(&updates)),
    ];
    assert!(run(Whole::Scatter(Scatter::Add), &operands, &[n, i], Dtype::F32) == bytes(&want));
}
