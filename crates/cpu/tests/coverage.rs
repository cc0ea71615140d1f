//! Every row of the op table has a kernel for every type it takes, or is named here.

use pullback_base::Dtype;
use pullback_compile::program::{Class, computing};
use pullback_compile::{Backend, Inst, Program, Val};
use pullback_core::op::{Kernel, OpDef};
use pullback_core::ops;
use pullback_cpu::Cpu;

/// A program that does what the row does on elements of one type.
fn program(row: &OpDef, dtype: Dtype) -> Option<Program> {
    let mut p = Program::default();
    let value = match row.kernel {
        Kernel::Map(map) => {
            let operands: Vec<Val> = (0..map.arity())
                .map(|k| p.load(if k < map.key_operand() { Dtype::Bool } else { dtype }, Class::Full))
                .collect();
            p.map(map, &operands, dtype)
        }
        Kernel::Fold(fold) => {
            let arg = p.load(dtype, Class::Full);
            p.push(Inst::Reduce { fold, arg }, computing(dtype))
        }
        _ => return None,
    };
    p.store(p.dtype(value), value);
    Some(p)
}

#[test]
fn every_row_has_its_kernels() {
    let cpu = Cpu::new().unwrap();
    let (mut missing, mut checked) = (Vec::new(), 0);
    for row in ops::all() {
        for dtype in Dtype::ALL.into_iter().filter(|&dtype| row.dtypes.has(dtype)) {
            let Some(program) = program(row, dtype) else { continue };
            checked += 1;
            if cpu.lacks_group(&program).is_some() {
                missing.push(format!("{} {dtype}", row.name));
            }
        }
    }
    assert!(checked > 300, "{checked}");
    assert_eq!(missing, [""; 0]);
}
