//! A function as operations in order.

use pullback_base::{Aval, Error, Result};
use pullback_compile::backend::Poll;
use pullback_core::custom::fence;
use pullback_core::op::{Diff, OpDef, Results};
use pullback_core::{Array, Params};
use pullback_transform::Traced;

use super::listing::{Calls, Made, Source, list};
use crate::host;

/// An operation. Values are numbered: arguments, then constants, then the results of each step in turn.
#[derive(Clone, Debug)]
pub struct Step {
    /// The row.
    pub op: &'static OpDef,
    /// Its params.
    pub params: Params,
    /// Its operands.
    pub inputs: Vec<u32>,
    /// How many results it has.
    pub results: usize,
}

/// A function of arrays, of fixed types, that runs no code of its own.
pub struct Program {
    pub(super) inputs: Vec<Aval>,
    pub(super) constants: Vec<Array>,
    pub(super) steps: Vec<Step>,
    pub(super) outs: Vec<u32>,
    /// Types of all values.
    avals: Vec<Aval>,
}

/// As many axes as an array in a file may have: more than files of arrays have, and few enough that no operation makes
/// a great many of few bytes.
pub(super) const AXES: usize = 64;

impl Program {
    /// The operations of a recorded function. What it captured is computed.
    ///
    /// # Errors
    /// `Value` for a call of the host, and for a captured array that has no elements; what computing them answers.
    pub fn of(traced: &Traced, poll: &mut Poll) -> Result<Program> {
        let listing = list(traced.outs(), traced.leaves(), Calls::Fenced);
        let arguments = traced.leaves().len();
        let constant = |leaf: &Array| match leaf.as_const() {
            Some(_) => Ok(leaf.clone()),
            // Computed where it is, so that none of it is asked for twice.
            None => host::host(leaf, poll).map(|block| Array::from_storage(block, leaf.aval().clone())),
        };
        let constants = listing.leaves[arguments..].iter().map(constant).collect::<Result<Vec<Array>>>()?;
        let mut next = listing.leaves.len() as u32;
        let mut firsts = Vec::with_capacity(listing.steps.len());
        let number = |source: &Source, firsts: &[u32]| match source {
            Source::Leaf(leaf) => *leaf,
            Source::Made(step, out) => firsts[*step as usize] + out,
        };
        let mut steps = Vec::with_capacity(listing.steps.len());
        for Made { op, params, inputs, avals } in listing.steps {
            if let Params::Host(_) = params {
                return Err(Error::value(format!(
                    "[export_function] expected operations of the engine, got a call of {}: code of the host stays with \
                     its program",
                    op.name
                )));
            }
            let inputs = inputs.iter().map(|input| number(input, &firsts)).collect();
            firsts.push(next);
            next += avals.len() as u32;
            steps.push(Step { op, params, inputs, results: avals.len() });
        }
        let outs = listing.outs.iter().map(|out| number(out, &firsts)).collect();
        Program::new(traced.arguments(), constants, steps, outs)
    }

    /// A program of parts from anywhere.
    ///
    /// # Errors
    /// `Value` for a step that no call of the engine could have made.
    pub(super) fn new(
        inputs: Vec<Aval>,
        constants: Vec<Array>,
        mut steps: Vec<Step>,
        outs: Vec<u32>,
    ) -> Result<Program> {
        let mut avals = inputs.clone();
        avals.extend(constants.iter().map(|constant| constant.aval().clone()));
        for step in &mut steps {
            let operands = step.inputs.iter().map(|&input| avals.get(input as usize));
            let operands: Option<Vec<&Aval>> = operands.collect();
            let Some(operands) = operands else {
                let text = format!("operands of {} that come before it, got a later one", step.op.name);
                return Err(wrong(text));
            };
            let results = admit(step, &operands)?;
            step.results = results.len();
            avals.extend(results);
        }
        if outs.iter().any(|&out| out as usize >= avals.len()) {
            return Err(wrong("results that are values of the function, got others"));
        }
        Ok(Program { inputs, constants, steps, outs, avals })
    }

    /// The function of `args`: its operations, applied to them on the device that is current.
    ///
    /// # Errors
    /// `Value` for arguments of other types.
    pub fn call(&self, args: &[Array]) -> Result<Vec<Array>> {
        if !args.iter().map(Array::aval).eq(&self.inputs) {
            let said = |avals: &mut dyn Iterator<Item = &Aval>| {
                avals.map(ToString::to_string).collect::<Vec<_>>().join(", ")
            };
            let (want, got) = (said(&mut self.inputs.iter()), said(&mut args.iter().map(Array::aval)));
            return Err(Error::value(format!("[import_function] expected arguments ({want}), got ({got})")));
        }
        let mut values: Vec<Array> = args.iter().chain(&self.constants).cloned().collect();
        for step in &self.steps {
            let inputs: Vec<&Array> = step.inputs.iter().map(|&input| &values[input as usize]).collect();
            let made = Array::apply_all(step.op, step.params.clone(), &inputs)?;
            values.extend(made);
        }
        Ok(self.outs.iter().map(|&out| values[out as usize].clone()).collect())
    }

    /// Types of the arguments.
    pub fn inputs(&self) -> &[Aval] {
        &self.inputs
    }

    /// What the function captured, or needs besides.
    pub fn constants(&self) -> &[Array] {
        &self.constants
    }

    /// Its operations.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Which values are its results.
    pub fn outs(&self) -> &[u32] {
        &self.outs
    }

    /// Types of all values.
    pub fn avals(&self) -> &[Aval] {
        &self.avals
    }
}

/// Whose name an operation in a file may have.
pub(super) fn named(name: &str) -> Option<&'static OpDef> {
    pullback_core::ops::named(name).or_else(|| fence::ALL.into_iter().find(|op| op.name == name))
}

/// The error of what no graph can hold.
pub(super) fn wrong(expected: impl std::fmt::Display) -> Error {
    Error::value(format!("[import_function] expected {expected}"))
}

/// Types of the results of a step, if the row takes what is there. A row may rely on what its callers see to: on how many
/// operands it has, and on the kind of its params. Nobody has seen to anything here.
fn admit(step: &Step, operands: &[&Aval]) -> Result<Results> {
    let (op, params) = (step.op, &step.params);
    let any_number = matches!(op.diff, Diff::LinearAll(_));
    if !any_number && operands.len() != op.args.len() {
        let (want, got) = (op.args.len(), operands.len());
        return Err(wrong(format!("{want} operands of {}, got {got}", op.name)));
    }
    let kind = std::mem::discriminant(params);
    let alike = |sample: &pullback_core::op::Sample| std::mem::discriminant(&(sample.params)()) == kind;
    let fits = match op.test.samples {
        // Fences do not look at params.
        [] => matches!(params, Params::None | Params::Name(_)),
        samples => samples.iter().any(alike),
    };
    if !fits {
        return Err(wrong(format!("params of {}, got {params:?}", op.name)));
    }
    let results = op.infer(params, operands);
    let results =
        results.map_err(|error| wrong(format!("a graph that can be built, got: {}", error.text())))?;
    for aval in &results {
        let counted = aval.shape.clone().checked(op.name);
        if aval.shape.ndim() > AXES || counted.is_err() {
            return Err(wrong(format!("results of {} that can be counted, got others", op.name)));
        }
    }
    Ok(results)
}
