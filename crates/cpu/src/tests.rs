//! What is hidden from outside: superinstructions, several walks over a row, programs found again.

use std::sync::Arc;

use pullback_base::{Buffer, Dtype};
use pullback_compile::Program;
use pullback_compile::program::Class;
use pullback_kernels::{Fold, Isa, Map, Op};

use crate::ir::{Axis, Inst, Layout, Tiled};
use crate::memory::CpuBuffer;
use crate::programs::{Form, Programs};
use crate::run::{Group, Input, Points, Strides};
use crate::translate::{Facts, Part, translate};

fn sets() -> impl Iterator<Item = Isa> {
    Isa::ALL.into_iter().filter(|isa| isa.available())
}

fn ops(group: &Group) -> Vec<Op> {
    let op = |inst: &Inst| if let Inst::Map { op, .. } = inst { Some(*op) } else { None };
    group.program().insts.iter().filter_map(op).collect()
}

#[test]
fn superinstructions() {
    let f = Dtype::F32;
    let mut p = Program::default();
    let (x, y) = (p.load(f, Class::Full), p.load(f, Class::Full));
    let e = p.map(Map::Mul, &[x, x], f);
    let e = p.map(Map::Neg, &[e], f);
    let e = p.map(Map::Exp, &[e], f);
    let q = p.map(Map::Lt, &[x, y], Dtype::Bool);
    let q = p.map(Map::Select, &[q, e, y], f);
    let q = p.map(Map::Mul, &[q, y], f);
    let q = p.map(Map::Add, &[q, x], f);
    p.store(f, q);
    let tiled = translate(&p, &Facts::new(&p), Part::Points, None, &[Layout::Full; 2]);
    for isa in sets() {
        assert_eq!(ops(&Group::new(&tiled, isa)), [Op::ExpNegSquare, Op::SelectLt, Op::MulAdd]);
    }
}

/// Softmax is one program of three walks over the row.
#[test]
fn softmax_of_any_width() {
    let f = Dtype::F32;
    let mut p = Tiled::default();
    let map = |p: &mut Tiled, op, a, b| p.push(Inst::Map { op, args: [a, b, a, a] }, f);
    let x = p.push(Inst::Load { input: 0, layout: Layout::Full }, f);
    let top = p.push(Inst::Reduce { fold: Fold::Max, axis: Axis::Inner, arg: x }, f);
    let d = map(&mut p, Op::Sub, x, top);
    let e = map(&mut p, Op::Exp, d, d);
    let s = p.push(Inst::Reduce { fold: Fold::Sum, axis: Axis::Inner, arg: e }, f);
    let y = map(&mut p, Op::Div, e, s);
    p.push(Inst::Store { output: 0, arg: y, per_row: false }, f);
    for isa in sets() {
        let group = Group::new(&p, isa);
        for cols in [1, 2, 10, 191, 192, 193, 767, 768, 769, 4096] {
            let rows = 9;
            let values: Vec<f32> = (0..rows * cols).map(|i| ((i * 37 % 101) as f32 - 50.) * 0.1).collect();
            let (from, to) =
                (CpuBuffer::new(rows * cols * 4).unwrap(), CpuBuffer::new(rows * cols * 4).unwrap());
            // SAFETY: both blocks hold that many floats.
            let out: &[f32] = unsafe {
                std::ptr::copy_nonoverlapping(values.as_ptr(), from.ptr().cast(), values.len());
                let input = Input { ptr: from.ptr(), rows: Strides::from_slice(&[cols as isize]), col: 1 };
                group.run(Points { outer: &[rows], cols }, &[input], &[to.ptr()], false).unwrap();
                std::slice::from_raw_parts(to.ptr().cast(), rows * cols)
            };
            for (x, y) in values.chunks(cols).zip(out.chunks(cols)) {
                let sum: f64 = x.iter().map(|&x| f64::from(x).exp()).sum();
                for (&x, &y) in x.iter().zip(y) {
                    assert!((f64::from(y) - f64::from(x).exp() / sum).abs() < 1e-6, "{isa:?} {cols}");
                }
            }
        }
    }
}

#[test]
fn equal_programs_share_their_code() {
    let make = |map: Map| {
        let mut p = Program::default();
        let x = p.load(Dtype::F32, Class::Full);
        let y = p.map(map, &[x], Dtype::F32);
        p.store(Dtype::F32, y);
        Arc::new(p)
    };
    let programs = Programs::default();
    let (a, b, c) = (make(Map::Exp), make(Map::Exp), make(Map::Log));
    let known = programs.get(&a);
    assert!(Arc::ptr_eq(&known, &programs.get(&a)) && Arc::ptr_eq(&known, &programs.get(&b)));
    assert!(!Arc::ptr_eq(&known, &programs.get(&c)));
    assert_eq!(programs.len(), 2);
    let form = || Form { part: Part::Points, axis: None, layouts: [Layout::Full].into_iter().collect() };
    assert!(Arc::ptr_eq(&known.group(form(), Isa::Base), &known.group(form(), Isa::Base)));
}

#[test]
fn blocks_come_back() {
    let block = CpuBuffer::new(12_345_678).unwrap();
    let (ptr, bytes) = (block.ptr(), block.bytes());
    assert_eq!((ptr as usize % 64, bytes), (0, 12_345_678));
    drop(block);
    assert_eq!(CpuBuffer::new(12_300_000).unwrap().ptr(), ptr);
}
