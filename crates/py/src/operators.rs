//! `+ - * / // % ** @`, comparisons and bits, with their reflected and in-place forms.

use pullback::promote::{promote_weak, scalar_dtype};
use pullback::{Array, Dtype, Scalar, fun};
use pyo3::basic::CompareOp;
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyComplex, PyFloat, PyInt};

use crate::array::{PyArray, beside};
use crate::convert;

/// What stands next to an array.
pub enum Operand {
    /// An array, of a type of its own.
    Array(Array),
    /// A number of Python, which takes the array's type.
    Number(Scalar),
    /// None of ours.
    Foreign,
}

/// An operand. Exact types come first: they are one pointer comparison each.
#[inline]
pub fn operand(value: &Bound<'_, PyAny>) -> PyResult<Operand> {
    if let Ok(array) = value.cast_exact::<PyArray>() {
        return Ok(Operand::Array(array.get().of(value.py())));
    }
    if let Ok(float) = value.cast_exact::<PyFloat>() {
        return Ok(Operand::Number(Scalar::Float(float.value())));
    }
    if let Ok(int) = value.cast_exact::<PyInt>() {
        return integer(int.as_any()).map(Operand::Number);
    }
    slow_operand(value)
}

/// A Python integer.
pub fn integer(value: &Bound<'_, PyAny>) -> PyResult<Scalar> {
    if let Ok(int) = value.extract::<i64>() {
        return Ok(Scalar::Int(int));
    }
    match value.extract::<u64>() {
        Ok(int) => Ok(Scalar::Uint(int)),
        Err(_) => {
            // Python refuses to print what has thousands of digits.
            let got = value.str().map_or_else(|_| "a longer one".into(), |text| text.to_string());
            Err(PyOverflowError::new_err(format!("[array] expected an integer of 64 bits, got {got}")))
        }
    }
}

#[cold]
fn slow_operand(value: &Bound<'_, PyAny>) -> PyResult<Operand> {
    if let Some(number) = number(value)? {
        return Ok(Operand::Number(number));
    }
    if let Ok(array) = value.cast::<PyArray>() {
        return Ok(Operand::Array(array.get().get()));
    }
    // NumPy's scalars and arrays, and those of others; never strings and lists.
    let py = value.py();
    if value.hasattr(intern!(py, "__array__"))? || value.hasattr(intern!(py, "__dlpack__"))? {
        return convert::array(value, None).map(Operand::Array);
    }
    Ok(Operand::Foreign)
}

/// A number of Python, if that is what it is.
pub fn number(value: &Bound<'_, PyAny>) -> PyResult<Option<Scalar>> {
    if let Ok(truth) = value.cast::<PyBool>() {
        return Ok(Some(Scalar::Bool(truth.is_true())));
    }
    if value.is_instance_of::<PyInt>() {
        return integer(value).map(Some);
    }
    if let Ok(float) = value.cast::<PyFloat>() {
        return Ok(Some(Scalar::Float(float.value())));
    }
    if let Ok(complex) = value.cast::<PyComplex>() {
        return Ok(Some(Scalar::Complex(complex.real(), complex.imag())));
    }
    Ok(None)
}

/// A number next to an array, as an array.
pub fn weak(number: Scalar, next_to: Dtype) -> PyResult<Array> {
    let dtype = promote_weak(next_to, number);
    if dtype.is_integer() {
        check_fits(number, dtype)?;
    }
    Ok(Array::scalar(number, dtype))
}

/// A number that is written into an array, in the array's type: floats lose what is behind the point in integers, as
/// with NumPy, and nothing else is lost.
pub fn fitted(number: Scalar, into: Dtype) -> PyResult<Array> {
    Ok(Array::scalar(fit(number, into)?, into))
}

/// As `fitted`, the number alone.
pub fn fit(number: Scalar, into: Dtype) -> PyResult<Scalar> {
    let refused = |got: &str| format!("[array] expected a number that {into} holds, got {got}");
    let number = match number {
        Scalar::Complex(..) if !matches!(into, Dtype::C64 | Dtype::Bool) => {
            return Err(PyTypeError::new_err(refused("a complex one")));
        }
        Scalar::Float(x) if into.is_integer() && x.is_nan() => {
            return Err(PyValueError::new_err(refused("nan")));
        }
        // Below 2 ** 63 a double is an `i64` once it is truncated, below 2 ** 64 a `u64`.
        Scalar::Float(x) if into.is_integer() => match x.trunc() {
            x if (-(2f64.powi(63))..2f64.powi(63)).contains(&x) => Scalar::Int(x as i64),
            x if (0. ..2f64.powi(64)).contains(&x) => Scalar::Uint(x as u64),
            x => return Err(PyOverflowError::new_err(refused(&x.to_string()))),
        },
        other => other,
    };
    if into.is_integer() {
        check_fits(number, into)?;
    }
    Ok(number)
}

fn check_fits(number: Scalar, dtype: Dtype) -> PyResult<()> {
    let back = Scalar::from_bits(number.bits(dtype), dtype);
    let same = match (number, back) {
        (Scalar::Int(a), Scalar::Int(b)) => a == b,
        (Scalar::Uint(a), Scalar::Uint(b)) => a == b,
        (Scalar::Bool(_), _) => true,
        _ => false,
    };
    if same {
        return Ok(());
    }
    let text = match number {
        Scalar::Int(value) => value.to_string(),
        Scalar::Uint(value) => value.to_string(),
        other => format!("{other:?}"),
    };
    Err(PyOverflowError::new_err(format!("[array] expected a number that {dtype} holds, got {text}")))
}

/// Both operands of a function of two, at least one of which should be an array.
pub fn pair(a: &Bound<'_, PyAny>, b: &Bound<'_, PyAny>) -> PyResult<(Array, Array)> {
    let own = |number: Scalar| Array::scalar(number, scalar_dtype(number));
    Ok(match (operand(a)?, operand(b)?) {
        (Operand::Array(a), Operand::Array(b)) => (a, b),
        (Operand::Array(a), Operand::Number(b)) => {
            let b = weak(b, a.dtype())?;
            (a, b)
        }
        (Operand::Number(a), Operand::Array(b)) => (weak(a, b.dtype())?, b),
        (Operand::Number(a), Operand::Number(b)) => (own(a), own(b)),
        (Operand::Foreign, _) => (convert::array(a, None)?, convert::array(b, None)?),
        (_, Operand::Foreign) => (convert::array(a, None)?, convert::array(b, None)?),
    })
}

/// A function of two operands.
type Two = fn(&Array, &Array) -> pullback::Result<Array>;

#[inline]
fn apply<'py>(
    slf: &Bound<'py, PyArray>,
    other: &Bound<'py, PyAny>,
    make: impl FnOnce(&Array, &Array) -> pullback::Result<Array>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = slf.py();
    let a = slf.get().of(py);
    let b = match operand(other)? {
        Operand::Array(b) => b,
        Operand::Number(number) => weak(number, a.dtype())?,
        Operand::Foreign => return Ok(py.NotImplemented().into_bound(py)),
    };
    Ok(Bound::new(py, beside(py, &[&a, &b], || make(&a, &b))?)?.into_any())
}

#[inline]
fn binary<'py>(slf: &Bound<'py, PyArray>, other: &Bound<'py, PyAny>, op: Two) -> PyResult<Bound<'py, PyAny>> {
    apply(slf, other, op)
}

fn reflected<'py>(
    slf: &Bound<'py, PyArray>,
    other: &Bound<'py, PyAny>,
    op: Two,
) -> PyResult<Bound<'py, PyAny>> {
    apply(slf, other, |a, b| op(b, a))
}

fn in_place<'py>(slf: &Bound<'py, PyArray>, result: Bound<'py, PyAny>) -> PyResult<()> {
    match result.cast_into::<PyArray>() {
        Ok(array) => {
            slf.get().set(slf.py(), array.get().of(slf.py()));
            Ok(())
        }
        Err(other) => {
            let text =
                format!("[array] expected an array or a number, got {}", other.into_inner().get_type());
            Err(PyTypeError::new_err(text))
        }
    }
}

macro_rules! operators {
    ($($name:ident, $reflected:ident, $in_place:ident => $op:expr;)*) => {
        #[pymethods]
        impl PyArray {
            $(
                fn $name<'py>(slf: &Bound<'py, Self>, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
                    binary(slf, other, $op)
                }
                fn $reflected<'py>(slf: &Bound<'py, Self>, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
                    reflected(slf, other, $op)
                }
                fn $in_place<'py>(slf: &Bound<'py, Self>, other: &Bound<'py, PyAny>) -> PyResult<()> {
                    in_place(slf, binary(slf, other, $op)?)
                }
            )*
        }
    };
}

operators! {
    __add__, __radd__, __iadd__ => fun::add;
    __sub__, __rsub__, __isub__ => fun::subtract;
    __mul__, __rmul__, __imul__ => fun::multiply;
    __truediv__, __rtruediv__, __itruediv__ => fun::divide;
    __floordiv__, __rfloordiv__, __ifloordiv__ => fun::floor_divide;
    __mod__, __rmod__, __imod__ => fun::remainder;
    __and__, __rand__, __iand__ => fun::bitwise_and;
    __or__, __ror__, __ior__ => fun::bitwise_or;
    __xor__, __rxor__, __ixor__ => fun::bitwise_xor;
    __lshift__, __rlshift__, __ilshift__ => fun::left_shift;
    __rshift__, __rrshift__, __irshift__ => fun::right_shift;
}

fn power<'py>(
    slf: &Bound<'py, PyArray>,
    other: &Bound<'py, PyAny>,
    modulo: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    if !modulo.is_none() {
        return Ok(slf.py().NotImplemented().into_bound(slf.py()));
    }
    if let Ok(two) = other.cast_exact::<PyInt>()
        && two.extract::<i64>().is_ok_and(|n| n == 2)
    {
        let x = slf.get().of(slf.py());
        // The most frequent power by far, and its derivative is simpler.
        return Ok(Bound::new(slf.py(), beside(slf.py(), &[&x], || fun::square(&x))?)?.into_any());
    }
    binary(slf, other, fun::power)
}

#[pymethods]
impl PyArray {
    fn __neg__(&self, py: Python<'_>) -> PyResult<PyArray> {
        let x = self.get();
        beside(py, &[&x], || fun::negative(&x))
    }

    fn __pos__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __abs__(&self, py: Python<'_>) -> PyResult<PyArray> {
        let x = self.get();
        beside(py, &[&x], || fun::abs(&x))
    }

    fn __invert__(&self, py: Python<'_>) -> PyResult<PyArray> {
        let x = self.get();
        let op = if x.dtype() == Dtype::Bool { fun::logical_not } else { fun::bitwise_invert };
        beside(py, &[&x], || op(&x))
    }

    fn __pow__<'py>(
        slf: &Bound<'py, Self>,
        other: &Bound<'py, PyAny>,
        modulo: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        power(slf, other, modulo)
    }

    fn __rpow__<'py>(
        slf: &Bound<'py, Self>,
        other: &Bound<'py, PyAny>,
        _modulo: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        reflected(slf, other, fun::power)
    }

    fn __ipow__<'py>(
        slf: &Bound<'py, Self>,
        other: &Bound<'py, PyAny>,
        modulo: &Bound<'py, PyAny>,
    ) -> PyResult<()> {
        in_place(slf, power(slf, other, modulo)?)
    }

    fn __matmul__<'py>(slf: &Bound<'py, Self>, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        apply(slf, other, fun::matmul)
    }

    fn __rmatmul__<'py>(slf: &Bound<'py, Self>, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        apply(slf, other, |a, b| fun::matmul(b, a))
    }

    fn __imatmul__<'py>(slf: &Bound<'py, Self>, other: &Bound<'py, PyAny>) -> PyResult<()> {
        in_place(slf, apply(slf, other, fun::matmul)?)
    }

    fn __divmod__<'py>(
        slf: &Bound<'py, Self>,
        other: &Bound<'py, PyAny>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        Ok((binary(slf, other, fun::floor_divide)?, binary(slf, other, fun::remainder)?))
    }

    fn __richcmp__<'py>(
        slf: &Bound<'py, Self>,
        other: &Bound<'py, PyAny>,
        how: CompareOp,
    ) -> PyResult<Bound<'py, PyAny>> {
        let op: Two = match how {
            CompareOp::Lt => fun::less,
            CompareOp::Le => fun::less_equal,
            CompareOp::Gt => fun::greater,
            CompareOp::Ge => fun::greater_equal,
            CompareOp::Eq => fun::equal,
            CompareOp::Ne => fun::not_equal,
        };
        binary(slf, other, op)
    }
}
