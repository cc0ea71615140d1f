//! Operands that do not fit are an error, and never a panic.

use pullback::op::Infer;
use pullback::{Array, Dtype, ErrorKind, from_f64};

use crate::case::Case;
use crate::report::{Outcome, said};

/// The error law: types that the row does not take, operands that differ, and shapes cut short.
///
/// # Errors
/// What was accepted.
pub fn check(case: &Case) -> Outcome {
    let mut asked = 0;
    for dtype in Dtype::ALL.into_iter().filter(|&dtype| !case.op.dtypes.has(dtype)) {
        for which in 0..case.avals.len() {
            asked += refused(case, &|avals| avals[which].dtype = dtype, Some(ErrorKind::Type))
                .map_err(|text| format!("operand {which} of {dtype}: {text}"))?;
        }
    }
    let alike = matches!(case.op.infer, Infer::Same | Infer::Truth) && case.avals.len() > 1;
    if alike {
        asked += refused(case, &|avals| avals[1].shape = avals[1].shape.with(0, 7), Some(ErrorKind::Value))?;
        let other = Dtype::ALL.into_iter().find(|&d| case.op.dtypes.has(d) && d != case.avals[0].dtype);
        if let Some(other) = other {
            asked += refused(case, &|avals| avals[1].dtype = other, Some(ErrorKind::Value))?;
        }
    }
    // Whatever a row makes of other shapes, it says so.
    for which in 0..case.avals.len() {
        for axis in 0..case.avals[which].shape.ndim() {
            asked += refused(case, &|avals| avals[which].shape = avals[which].shape.without(axis), None)?;
            asked += refused(case, &|avals| avals[which].shape = avals[which].shape.with(axis, 5), None)?;
        }
    }
    Ok(asked)
}

/// Asks for an error of this kind; for none in particular, that there is no panic.
fn refused(case: &Case, change: &dyn Fn(&mut Vec<pullback::Aval>), kind: Option<ErrorKind>) -> Outcome {
    let mut case = case.clone();
    change(&mut case.avals);
    let zeros: pullback::Result<Vec<Array>> =
        case.avals.iter().map(|aval| from_f64(&vec![0.; aval.size()], aval.clone())).collect();
    let result = case.apply(&zeros.map_err(said)?);
    match (result, kind) {
        (Err(error), Some(kind)) if error.kind() == kind && error.text().starts_with('[') => Ok(1),
        (Err(error), Some(kind)) => Err(format!("expected an error of kind {kind:?}, got {error:?}")),
        (Ok(_), Some(kind)) => Err(format!("expected an error of kind {kind:?}, got a result")),
        (_, None) => Ok(1),
    }
}
