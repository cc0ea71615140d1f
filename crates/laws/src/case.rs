//! A row with one of its samples.

use pullback::op::{OpDef, Sample};
use pullback::{Array, Aval, Dtype, Kind, Params, Result, ops};

use crate::elements::{Rng, drawn};

/// A row, operand types and params.
#[derive(Clone)]
pub struct Case {
    /// The row.
    pub op: &'static OpDef,
    /// Which of its samples.
    pub number: usize,
    /// Its params.
    pub params: Params,
    /// Types of its operands.
    pub avals: Vec<Aval>,
    /// The interval of their elements.
    pub domain: (f64, f64),
}

/// Every row with every sample.
pub fn cases() -> Vec<Case> {
    ops::all().flat_map(|op| op.test.samples.iter().enumerate().map(move |s| Case::new(op, s))).collect()
}

impl Case {
    fn new(op: &'static OpDef, (number, sample): (usize, &Sample)) -> Case {
        let aval = |(shape, &dtype): (&&[usize], &Dtype)| Aval::new(*shape, dtype);
        let avals = sample.shapes.iter().zip(sample.dtypes).map(aval).collect();
        Case { op, number, params: (sample.params)(), avals, domain: sample.domain }
    }

    /// For messages.
    pub fn name(&self) -> String {
        let avals: Vec<String> = self.avals.iter().map(ToString::to_string).collect();
        format!("{} #{} ({})", self.op.name, self.number, avals.join(", "))
    }

    /// The same with `float32` operands in another type, or with `int32` ones if there are no others; `None` where the
    /// row does not take the type.
    pub fn retyped(&self, dtype: Dtype) -> Option<Case> {
        let mut case = self.clone();
        let float = self.avals.iter().any(|aval| aval.dtype == Dtype::F32);
        let (from, fits) = if float { (Dtype::F32, true) } else { (Dtype::I32, dtype.is_integer()) };
        for aval in case.avals.iter_mut().filter(|aval| aval.dtype == from && fits) {
            aval.dtype = dtype;
        }
        if let Params::Count(n, Dtype::F32) = case.params {
            case.params = Params::Count(n, dtype);
        }
        let changed = case.avals != self.avals || case.params != self.params;
        (changed && case.infer().is_ok()).then_some(case)
    }

    /// The same with other sizes; `None` where they do not fit.
    pub fn reshaped(&self, size: impl Fn(usize) -> usize) -> Option<Case> {
        let mut case = self.clone();
        for aval in &mut case.avals {
            aval.shape = aval.shape.iter().map(|&n| size(n)).collect();
        }
        case.infer().is_ok().then_some(case)
    }

    /// Types of the results.
    ///
    /// # Errors
    /// What the row says.
    pub fn infer(&self) -> Result<Vec<Aval>> {
        Ok(self.op.infer(&self.params, &self.avals.iter().collect::<Vec<_>>())?.into_vec())
    }

    /// The row applied.
    ///
    /// # Errors
    /// What the row says.
    pub fn apply(&self, inputs: &[Array]) -> Result<Vec<Array>> {
        let inputs: Vec<&Array> = inputs.iter().collect();
        Ok(Array::apply_all(self.op, self.params.clone(), &inputs)?.into_vec())
    }

    /// Operands.
    ///
    /// # Errors
    /// `Memory`.
    pub fn inputs(&self, rng: &mut Rng) -> Result<Vec<Array>> {
        self.avals.iter().map(|aval| drawn(rng, aval, self.domain)).collect()
    }

    /// Operands with one more axis, where an axis is given.
    ///
    /// # Errors
    /// `Memory`.
    pub fn batched(&self, rng: &mut Rng, axes: &[Option<usize>], size: usize) -> Result<Vec<Array>> {
        let wide = |(aval, axis): (&Aval, &Option<usize>)| match axis {
            Some(axis) => aval.reshaped(aval.shape.with(*axis, size)),
            None => aval.clone(),
        };
        self.avals.iter().zip(axes).map(|pair| drawn(rng, &wide(pair), self.domain)).collect()
    }

    /// Whether something in it can be differentiated, and by differences: complex results of `float64` are rounded too
    /// much for that, and of the one row that has them, `eig`, vectors are given up to a phase.
    pub fn is_differentiable(&self) -> bool {
        let float = |aval: &Aval| aval.dtype.kind() >= Kind::Float;
        let double = self.avals.iter().any(|aval| aval.dtype == Dtype::F64);
        let compared = |aval: &Aval| float(aval) && !(double && aval.dtype == Dtype::C64);
        let results = self.infer().is_ok_and(|results| results.iter().any(compared));
        results && self.avals.iter().any(float) && !matches!(self.op.diff, pullback::op::Diff::Opaque(_))
    }
}
