//! What a rule returns is checked: by position, then shape, then dtype.

use pullback_base::{Aval, Error, Result};
use pullback_core::custom::{Call, Mapped, Site, Value};
use pullback_core::{Array, fun};
use smallvec::{SmallVec, smallvec};

use crate::{Derivatives, count};

/// Cotangents of the arguments.
pub(crate) fn gradients(call: &Call, value: Value) -> Result<Derivatives> {
    let value = match alone(value, call.inputs) {
        Ok(array) => return Ok(smallvec![Some(array)]),
        Err(value) => value,
    };
    let names = &call.func.args;
    let values = listed(call, value, call.inputs, "vjp")?;
    if values.len() != call.inputs.len() {
        let text = format!(
            "vjp rule of '{}' returned {} for {} ({})",
            call.func.name,
            count(values.len(), "gradient"),
            count(call.inputs.len(), "argument"),
            (0..call.inputs.len()).map(|i| name(names, i)).collect::<Vec<_>>().join(", ")
        );
        return Err(at(Error::rule(text), call.site));
    }
    let each = values.into_iter().zip(call.inputs).enumerate();
    let what = |i| format!("vjp rule of '{}', argument {}", call.func.name, name(names, i));
    each.map(|(i, (value, x))| fit(value, x.aval(), &|| what(i)).map_err(|e| at(e, call.site))).collect()
}

/// Tangents of the outputs.
pub(crate) fn tangents(call: &Call, value: Value) -> Result<Derivatives> {
    let value = match alone(value, call.outputs) {
        Ok(array) => return Ok(smallvec![Some(array)]),
        Err(value) => value,
    };
    let values = listed(call, value, call.outputs, "jvp")?;
    if values.len() != call.outputs.len() {
        let (got, want) = (count(values.len(), "tangent"), count(call.outputs.len(), "output"));
        let text = format!("jvp rule of '{}' returned {got} for {want}", call.func.name);
        return Err(at(Error::rule(text), call.site));
    }
    let each = values.into_iter().zip(call.outputs).enumerate();
    let what = |i| format!("jvp rule of '{}', output {i}", call.func.name);
    each.map(|(i, (value, y))| fit(value, y.aval(), &|| what(i)).map_err(|e| at(e, call.site))).collect()
}

/// The one array that there is to be, if it is just that: most are, and the rest takes several times as long.
fn alone(value: Value, like: &[Array]) -> std::result::Result<Array, Value> {
    match (value, like) {
        (Value::Array(array), [x]) if array.aval() == x.aval() && x.is_inexact() => Ok(array),
        (value, _) => Err(value),
    }
}

/// A forward pass that runs late must say of the outputs what the function did.
pub(crate) fn same_outputs(call: &Call, outs: &[Array]) -> Result<()> {
    if outs.iter().map(Array::aval).eq(call.outputs.iter().map(Array::aval)) {
        return Ok(());
    }
    let list = |arrays: &[Array]| arrays.iter().map(|x| x.aval().to_string()).collect::<Vec<_>>().join(", ");
    let (want, got) = (list(call.outputs), list(outs));
    let text = format!("forward rule of '{}': expected outputs {want}, got {got}", call.func.name);
    Err(at(Error::rule(text), call.site))
}

/// The result of a rule as a list, one item for each of `like` if all is well.
fn listed(call: &Call, value: Value, like: &[Array], rule: &str) -> Result<SmallVec<[Value; 1]>> {
    match value {
        Value::Tuple(values) => Ok(values.into()),
        Value::None if like.iter().any(Array::is_inexact) => {
            let hint = "did it forget to return? (return pb.zeros_like(x) for zero)";
            let text = format!("{rule} rule of '{}' returned None: {hint}", call.func.name);
            Err(at(Error::rule(text), call.site))
        }
        Value::None => Ok(smallvec![Value::None; like.len()]),
        one => Ok(smallvec![one]),
    }
}

/// Outputs of a vmap rule: as many axes as outputs, each in range and as long as the batch.
pub(crate) fn mapped(name: &str, site: &Site, (outs, axes): &Mapped, size: usize) -> Result<()> {
    let fail = |text: String| Err(at(Error::rule(format!("vmap rule of '{name}'{text}")), site));
    if outs.len() != axes.len() {
        let axes = format!("{} {}", axes.len(), if axes.len() == 1 { "axis" } else { "axes" });
        return fail(format!(" returned {} and {axes}", count(outs.len(), "output")));
    }
    for (i, (out, axis)) in outs.iter().zip(axes).enumerate() {
        let Some(axis) = *axis else { continue };
        match out.shape().get(axis) {
            None => return fail(format!(": output {i} is {}, and has no axis {axis}", out.aval())),
            Some(&len) if len != size => {
                return fail(format!(": output {i} has size {len} on axis {axis}, the batch has {size}"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// `value` as an array of type `aval`; `None` for zero.
fn fit(value: Value, aval: &Aval, what: &dyn Fn() -> String) -> Result<Option<Array>> {
    // Described only where it is wrong: a text costs more than all else here.
    let wrong = || Err(Error::rule(format!("{}: expected {aval}, got {}", what(), described(&value))));
    let kind = match &value {
        Value::None => return Ok(None),
        Value::Other(_) | Value::Tuple(_) => return wrong(),
        // Integers and booleans have no tangents: whatever stands here means zero.
        _ if !aval.dtype.is_inexact() => return Ok(None),
        Value::Scalar(scalar) => scalar.kind(),
        Value::Array(array) if !array.is_inexact() => return wrong(),
        Value::Array(array) => array.dtype().kind(),
    };
    // The imaginary part would be lost.
    if kind > aval.dtype.kind() {
        return wrong();
    }
    let array = match &value {
        Value::Array(array) if array.aval() == aval => {
            let Value::Array(array) = value else { unreachable!("just matched") };
            return Ok(Some(array));
        }
        Value::Array(array) => array,
        Value::Scalar(scalar) => return Ok(Some(Array::full(*scalar, aval))),
        Value::None | Value::Other(_) | Value::Tuple(_) => unreachable!("answered above"),
    };
    let (have, want): (&[usize], &[usize]) = (array.shape(), &aval.shape);
    let tail = want.len().checked_sub(have.len()).map(|skip| &want[skip..]);
    if !tail.is_some_and(|tail| have.iter().zip(tail).all(|(&a, &b)| a == b || a == 1)) {
        return wrong();
    }
    let array = fun::cast(array, aval.dtype)?;
    fun::broadcast_to(&array, &aval.shape).map(Some)
}

fn described(value: &Value) -> String {
    match value {
        Value::None => "None".into(),
        Value::Scalar(scalar) => format!("{scalar:?}"),
        Value::Array(array) => array.aval().to_string(),
        Value::Tuple(values) => format!("a tuple of {}", values.len()),
        Value::Other(kind) => format!("a {kind}"),
    }
}

fn name(names: &[String], i: usize) -> String {
    names.get(i).cloned().unwrap_or_else(|| format!("captured {}", i - names.len()))
}

/// Adds where the function was called.
pub(crate) fn at(error: Error, site: &Site) -> Error {
    error.note(format!("called at {site}"))
}
