//! Convolutions.

use pullback::fun::{self, Windows};
use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;

use crate::args::Ints;
use crate::array::{PyArray, build};
use crate::convert::Arg;
use crate::device::On;

/// Padding at both ends: the same, or a list for each.
pub struct Padding {
    low: Vec<isize>,
    high: Vec<isize>,
}

impl<'a, 'py> FromPyObject<'a, 'py> for Padding {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Padding> {
        match value.extract::<Ints>() {
            Ok(Ints(both)) => return Ok(Padding { low: both.clone(), high: both }),
            Err(err) if err.is_instance_of::<PyOverflowError>(value.py()) => return Err(err),
            Err(_) => {}
        }
        let (low, high) = value.extract::<(Ints, Ints)>().map_err(|_| {
            let got = value.repr().map_or_else(|_| "?".into(), |text| text.to_string());
            PyTypeError::new_err(format!(
                "expected an integer, a sequence of integers or a pair of sequences, got {got}"
            ))
        })?;
        Ok(Padding { low: low.0, high: high.0 })
    }
}

fn one() -> Ints {
    Ints(vec![1])
}

fn none() -> Ints {
    Ints(vec![0])
}

macro_rules! convolutions {
    ($($(#[doc = $doc:literal])+ $name:ident $spatial:literal, $(#[doc = $back_doc:literal])+ $back:ident;)*) => {$(
        $(#[doc = $doc])+
        #[pyfunction]
        #[pyo3(signature = (input, weight, /, stride=one(), padding=none(), dilation=one(), groups=1, *, stream=On::default()), text_signature = "(input, weight, /, stride=1, padding=0, dilation=1, groups=1, *, stream=None)")]
        #[expect(clippy::too_many_arguments, reason = "they are MLX's")]
        pub fn $name(
            py: Python<'_>,
            input: Arg,
            weight: Arg,
            stride: Ints,
            padding: Ints,
            dilation: Ints,
            groups: isize,
            stream: On,
        ) -> PyResult<PyArray> {
            let windows = Windows {
                stride: &stride.0,
                padding: (&padding.0, &padding.0),
                kernel_dilation: &dilation.0,
                input_dilation: &[1],
                groups,
                flip: false,
            };
            build(py, stream, || fun::conv(stringify!($name), &input.0, &weight.0, Some($spatial), &windows))
        }

        $(#[doc = $back_doc])+
        #[pyfunction]
        #[pyo3(signature = (input, weight, /, stride=one(), padding=none(), dilation=one(), output_padding=none(), groups=1, *, stream=On::default()), text_signature = "(input, weight, /, stride=1, padding=0, dilation=1, output_padding=0, groups=1, *, stream=None)")]
        #[expect(clippy::too_many_arguments, reason = "they are MLX's")]
        pub fn $back(
            py: Python<'_>,
            input: Arg,
            weight: Arg,
            stride: Ints,
            padding: Ints,
            dilation: Ints,
            output_padding: Ints,
            groups: isize,
            stream: On,
        ) -> PyResult<PyArray> {
            build(py, stream, || {
                let (x, w, name) = (&input.0, &weight.0, stringify!($back));
                let lists = (&stride.0, &padding.0, &dilation.0, &output_padding.0);
                fun::conv_transpose(name, x, w, $spatial, lists.0, lists.1, lists.2, lists.3, groups)
            })
        }
    )*};
}

convolutions! {
    /// Kernels `weight (C_out, K, C_in / groups)` over an input `(N, L, C_in)`: sums of products at every place where a
    /// kernel lies within the input, `stride` apart, with `padding` zeros at both ends. Elements of a kernel are
    /// `dilation` apart, and kernels of each of `groups` see channels of that group.
    ///
    /// >>> x = pb.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 4, 1)
    /// >>> pb.conv1d(x, pb.array([1.0, 10.0]).reshape(1, 2, 1)).reshape(-1)
    /// array([21., 32., 43.], dtype=float32)
    conv1d 1,
    /// Kernels `weight (C_out, K, C_in / groups)` spread over an input `(N, L, C_in)`: each element of the input adds a
    /// kernel times itself to the result, `stride` apart. `padding` elements of the result are cut off at both ends, and
    /// `output_padding` of them put behind. It is what `conv1d` needs for its derivative, up to which channels are called
    /// those of the input.
    ///
    /// >>> x = pb.array([1.0, 2.0]).reshape(1, 2, 1)
    /// >>> pb.conv_transpose1d(x, pb.array([1.0, 10.0]).reshape(1, 2, 1), stride=2).reshape(-1)
    /// array([ 1., 10.,  2., 20.], dtype=float32)
    conv_transpose1d;
    /// Kernels `weight (C_out, KH, KW, C_in / groups)` over an input `(N, H, W, C_in)`, as `conv1d` has them; numbers are
    /// for both axes, or a pair of them.
    ///
    /// >>> pb.conv2d(pb.ones((1, 4, 4, 3)), pb.ones((5, 3, 3, 3)), padding=1).shape
    /// (1, 4, 4, 5)
    conv2d 2,
    /// Kernels `weight (C_out, KH, KW, C_in / groups)` spread over an input `(N, H, W, C_in)`, as `conv_transpose1d` has
    /// them; numbers are for both axes, or a pair of them.
    ///
    /// >>> pb.conv_transpose2d(pb.ones((1, 4, 4, 3)), pb.ones((5, 2, 2, 3)), stride=2).shape
    /// (1, 8, 8, 5)
    conv_transpose2d;
    /// Kernels `weight (C_out, KD, KH, KW, C_in / groups)` over an input `(N, D, H, W, C_in)`, as `conv1d` has them;
    /// numbers are for all three axes, or three of them.
    ///
    /// >>> pb.conv3d(pb.ones((1, 4, 4, 4, 2)), pb.ones((5, 3, 3, 3, 2)), stride=(1, 1, 2)).shape
    /// (1, 2, 2, 1, 5)
    conv3d 3,
    /// Kernels `weight (C_out, KD, KH, KW, C_in / groups)` spread over an input `(N, D, H, W, C_in)`, as
    /// `conv_transpose1d` has them; numbers are for all three axes, or three of them.
    ///
    /// >>> pb.conv_transpose3d(pb.ones((1, 2, 2, 2, 2)), pb.ones((5, 2, 2, 2, 2)), stride=2).shape
    /// (1, 4, 4, 4, 5)
    conv_transpose3d;
}

/// Kernels `weight (C_out, .., C_in / groups)` over an input `(N, .., C_in)`, with any number of axes between. Numbers are
/// for all of these, or a list with one for each; padding may be a pair, of what is before and what is behind. Elements of
/// the input are `input_dilation` apart, with zeros between them. With `flip`, kernels are read backwards.
///
/// >>> x = pb.array([1.0, 2.0, 3.0]).reshape(1, 3, 1)
/// >>> w = pb.array([1.0, 10.0]).reshape(1, 2, 1)
/// >>> pb.conv_general(x, w, padding=([1], [0]), flip=True).reshape(-1)
/// array([ 1., 12., 23.], dtype=float32)
#[pyfunction]
#[pyo3(signature = (input, weight, /, stride=one(), padding=Padding { low: vec![0], high: vec![0] }, kernel_dilation=one(), input_dilation=one(), groups=1, flip=false, *, stream=On::default()), text_signature = "(input, weight, /, stride=1, padding=0, kernel_dilation=1, input_dilation=1, groups=1, flip=False, *, stream=None)")]
#[expect(clippy::too_many_arguments, reason = "they are MLX's")]
pub fn conv_general(
    py: Python<'_>,
    input: Arg,
    weight: Arg,
    stride: Ints,
    padding: Padding,
    kernel_dilation: Ints,
    input_dilation: Ints,
    groups: isize,
    flip: bool,
    stream: On,
) -> PyResult<PyArray> {
    let windows = Windows {
        stride: &stride.0,
        padding: (&padding.low, &padding.high),
        kernel_dilation: &kernel_dilation.0,
        input_dilation: &input_dilation.0,
        groups,
        flip,
    };
    build(py, stream, || fun::conv("conv_general", &input.0, &weight.0, None, &windows))
}
