//! Floor 6: Python's door. The only crate that knows PyO3.
//!
//! `array`, `operators`, `index`, `convert`, `show`, `buffer` and `dlpack` are the array object; `dtype` and `limits`
//! its element types; `table` and the `fun_*` rooms its functions; `tree`, `flat` and `nodes` the containers,
//! `treedef` their structures for Python; `grads`, `linear`, `listed`, `vmap`, `checkpoint`, `compile`, `record`,
//! `places` and `wrap` the transforms; `custom`, `custom_function`, `rules`, `handed`, `answers`, `conform`, `axes`,
//! `variable` and `site` the functions with rules of their own; `callback` the calls from a graph back to Python,
//! `wgsl` those of users' kernels; `fft` and `random` the modules of these names; `eval`, `exported`, `watch`, `graph`,
//! `device`, `streams` what is left; `error` what crosses the border when something fails, `named` under which name.

mod answers;
mod args;
mod array;
mod axes;
mod branch;
mod buffer;
mod callback;
mod checkpoint;
mod compile;
mod conform;
mod context;
mod convert;
mod custom;
mod custom_function;
mod device;
mod dlpack;
mod dtype;
mod error;
mod eval;
mod exported;
mod fft;
mod flat;
mod fun_blocks;
mod fun_conv;
mod fun_einsum;
mod fun_elements;
mod fun_fast;
mod fun_linalg;
mod fun_make;
mod fun_norm;
mod fun_part;
mod fun_product;
mod fun_quantize;
mod fun_reduce;
mod fun_shape;
mod fun_signal;
mod grads;
mod graph;
mod handed;
mod held;
mod index;
mod limits;
mod linear;
mod listed;
mod memory;
mod named;
mod nodes;
#[expect(unsafe_op_in_unsafe_fn, reason = "PyO3 writes the calls, for names that a macro passes")]
mod operators;
mod pair;
mod passes;
mod places;
mod random;
mod record;
mod rules;
mod show;
mod site;
mod standard;
mod streams;
mod table;
mod tree;
mod treedef;
mod variable;
mod vmap;
mod watch;
mod wgsl;
mod wrap;

use pullback::{Dtype, Scalar};
use pyo3::prelude::*;
use pyo3::types::PyString;

/// Adds functions by their paths, which name their errors: `prefix` stands before the names.
macro_rules! add {
    ($module:ident, $prefix:literal: $($room:ident::{$($name:ident),+ $(,)?};)*) => {
        $($({
            let function = wrap_pyfunction!($room::$name, $module)?;
            let name = function.getattr("__name__")?.cast_into::<PyString>()?;
            $module.add(name, named::function($module, function, $prefix)?)?;
        })+)*
    };
}

/// A graph is many small pieces of memory that come and go by the thousand, at which the allocators of systems differ
/// by more than anything else that an operation does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The compiled half of `pullback`.
#[pymodule(gil_used = true)]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    held::locked(py)?;
    table::fill(module)?;
    for dtype in Dtype::ALL {
        module.add(dtype::attribute(dtype), dtype::PyDtype(dtype))?;
    }
    module.add("cpu", device::PyDevice(pullback::Device::Cpu))?;
    module.add("gpu", device::PyDevice(pullback::Device::Gpu))?;
    module.add("RuleError", py.get_type::<error::RuleError>())?;
    module.add("DeviceError", py.get_type::<error::DeviceError>())?;
    module.add("InternalError", py.get_type::<error::InternalError>())?;
    module.add("AnomalyError", py.get_type::<error::AnomalyError>())?;
    module.add("AnomalyWarning", py.get_type::<error::AnomalyWarning>())?;
    module.add("RuleFallbackWarning", py.get_type::<error::RuleFallbackWarning>())?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    classes(module)?;
    functions(module)?;
    named::methods(
        Bound::new(py, array::PyArray::new(pullback::Array::scalar(Scalar::Bool(true), Dtype::Bool)))?
            .as_any(),
    )?;
    let random = PyModule::new(py, "pullback.random")?;
    randoms(&random)?;
    random.add("state", random::state(py)?)?;
    module.add("random", &random)?;
    let transforms = PyModule::new(py, "pullback.fft")?;
    ffts(&transforms)?;
    module.add("fft", &transforms)?;
    let linalg = PyModule::new(py, "pullback.linalg")?;
    linalgs(&linalg)?;
    for name in ["matmul", "matrix_transpose", "outer", "tensordot", "vecdot"] {
        linalg.add(name, module.getattr(name)?)?;
    }
    module.add("linalg", &linalg)?;
    let fast = PyModule::new(py, "pullback.fast")?;
    fasts(&fast)?;
    module.add("fast", &fast)?;
    // PyO3 lists private names too.
    module.delattr("__all__")
}

fn randoms(module: &Bound<'_, PyModule>) -> PyResult<()> {
    add! { module, "random.":
        random::{
            key, seed, split_key, bits, uniform, normal, laplace, truncated_normal, bernoulli, randint, gumbel,
            categorical, permutation, multivariate_normal,
        };
    }
    Ok(())
}

fn ffts(module: &Bound<'_, PyModule>) -> PyResult<()> {
    add! { module, "":
        fft::{
            fft, ifft, rfft, irfft, hfft, ihfft, fftn, ifftn, rfftn, irfftn, fft2, ifft2, rfft2, irfft2, fftfreq,
            rfftfreq, fftshift, ifftshift, stft, istft,
        };
    }
    Ok(())
}

fn linalgs(module: &Bound<'_, PyModule>) -> PyResult<()> {
    add! { module, "":
        fun_linalg::{
            inv, det, cholesky, cholesky_inv, tri_inv, solve, solve_triangular, slogdet, lu, lu_factor, qr, svd, svdvals,
            eigh, eigvalsh, eig, eigvals, pinv, cross, matrix_power,
        };
        fun_norm::{norm, vector_norm, matrix_norm, cond, matrix_rank, matrix_diagonal, matrix_trace};
    }
    Ok(())
}

fn fasts(module: &Bound<'_, PyModule>) -> PyResult<()> {
    add! { module, "":
        fun_fast::{
            cross_entropy, gated_delta_update, layer_norm, rms_norm, rope, scaled_dot_product_attention,
        };
        wgsl::{wgsl_kernel};
    }
    module.add_class::<wgsl::PyWgslKernel>()
}

fn classes(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<array::PyArray>()?;
    module.add_class::<dtype::PyDtype>()?;
    module.add_class::<limits::FloatInfo>()?;
    module.add_class::<limits::IntegerInfo>()?;
    module.add_class::<device::PyDevice>()?;
    module.add_class::<streams::PyStream>()?;
    module.add_class::<streams::PyThreadLocalStream>()?;
    module.add_class::<streams::PyStreamContext>()?;
    module.add_class::<custom::Custom>()?;
    module.add_class::<custom_function::CustomFunction>()?;
    module.add_class::<handed::Handed>()?;
    module.add_class::<context::Context>()?;
    module.add_class::<passes::Passes>()?;
    module.add_class::<passes::Applied>()?;
    module.add_class::<passes::Apply>()?;
    module.add_class::<pair::Output>()?;
    module.add_class::<treedef::TreeDef>()?;
    module.add_class::<index::ArrayAt>()?;
    module.add_class::<index::ArrayAtIndices>()
}

#[expect(clippy::unsafe_removed_from_name, reason = "a name of MLX has the word, and is no unsafe function")]
fn functions(module: &Bound<'_, PyModule>) -> PyResult<()> {
    add! { module, "":
        array::{_rebuild};
        device::{default_device, set_default_device, is_available, device_count, device_info};
        streams::{
            stream, default_stream, set_default_stream, new_stream, new_thread_unsafe_stream, new_thread_local_stream,
            clear_streams, depends,
        };
        dlpack::{from_dlpack};
        buffer::{_from_bytes};
        limits::{result_type, can_cast, _category};
        show::{_precision, _set_precision};
        eval::{eval, async_eval, synchronize, explain, info, _live_nodes};
        memory::{
            get_active_memory, get_peak_memory, reset_peak_memory, get_cache_memory, clear_cache, set_cache_limit,
            get_memory_limit, set_memory_limit, get_array_buffer_size,
        };
        table::{table};
        grads::{grad, value_and_grad, vjp, jvp, stop_gradient, _gradient};
        vmap::{vmap, _mapped};
        branch::{_branch};
        checkpoint::{checkpoint, checkpoint_name};
        linear::{linearize, vjp_fun, linear_transpose};
        record::{_record, closure_convert};
        treedef::{_tree_flatten};
        graph::{_graph};
        exported::{_export, _written, _imported, _pending};
        watch::{_watch_start, _watch_stop};
        nodes::{register_tree_node, register_tree_node_class, register_module};
        compile::{compile, enable_compile, disable_compile};
        callback::{pure_callback, _host_call, _debug_print};
        standard::{_placed};
        fun_reduce::{
            sum, prod, max, min, any, all, mean, logsumexp, var, std, argmax, argmin, cumsum, cumprod, cummax, cummin,
            softmax, sort, argsort, topk, logcumsumexp, count_nonzero, minmax, median, partition, argpartition,
            searchsorted,
        };
        fun_einsum::{einsum, einsum_path};
        fun_conv::{
            conv1d, conv2d, conv3d, conv_general, conv_transpose1d, conv_transpose2d, conv_transpose3d,
        };
        fun_blocks::{
            as_strided, gather_mm, segmented_mm, block_masked_mm, hadamard_transform, digitize, interp, _unique,
            _count_distinct, _flat_nonzero, _bincount,
        };
        fun_elements::{conjugate, real, imag, positive, isposinf, isneginf, nan_to_num, logical_xor, divmod};
        fun_part::{
            matrix_transpose, contiguous, unstack, atleast_1d, atleast_2d, atleast_3d, meshgrid, slice, slice_update,
        };
        fun_quantize::{
            to_fp8, from_fp8, quantize, dequantize, quantized_matmul, gather_qmm, qqmm, gather_qqmm,
        };
        fun_signal::{diff, convolve, bartlett, blackman, hamming, hanning, vecdot, kron};
        fun_shape::{
            reshape, transpose, swapaxes, moveaxis, squeeze, expand_dims, flatten, unflatten, flip, broadcast_to,
            broadcast_arrays, broadcast_shapes, concatenate, stack, split, repeat, tile, roll, pad, diagonal, diag,
            trace, view, astype,
        };
        fun_product::{addmm, inner, matmul, outer, tensordot};
        fun_make::{
            zeros, ones, full, zeros_like, ones_like, full_like, arange, linspace, eye, identity, tri, tril, triu,
            where_, clip, round, relu, gelu, gelu_approx, silu, radians, degrees, take, take_along_axis, put_along_axis, isclose, allclose, array_equal,
        };
    }
    Ok(())
}
