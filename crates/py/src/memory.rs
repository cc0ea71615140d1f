//! What Python may ask of memory, and say.

use std::collections::HashMap;

use pullback::memory;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::error::OrRaise;
use crate::tree;

/// Bytes of arrays and scratch in use, on all devices. What is kept for reuse is not counted.
///
/// >>> x = pb.ones(1000)
/// >>> pb.eval(x)
/// >>> pb.get_active_memory() >= 4000
/// True
#[pyfunction]
pub fn get_active_memory() -> usize {
    memory::live()
}

/// The most bytes that have been in use at once, since the start or since `reset_peak_memory`.
///
/// >>> pb.get_peak_memory() >= pb.get_active_memory()
/// True
#[pyfunction]
pub fn get_peak_memory() -> usize {
    memory::peak()
}

/// Counts the peak from what is in use now.
///
/// >>> pb.reset_peak_memory()
#[pyfunction]
pub fn reset_peak_memory() {
    memory::forget_peak();
}

/// Bytes in free blocks that are kept for reuse, on all devices.
///
/// >>> pb.get_cache_memory() >= 0
/// True
#[pyfunction]
pub fn get_cache_memory() -> usize {
    memory::cached()
}

/// Gives what is kept for reuse back to the system. Small blocks of the GPU, which share pages, stay.
///
/// >>> pb.clear_cache()
#[pyfunction]
pub fn clear_cache(py: Python<'_>) -> PyResult<()> {
    py.detach(memory::clear_cache).or_raise()
}

fn bytes(op: &str, limit: i64) -> PyResult<usize> {
    usize::try_from(limit)
        .map_err(|_| PyValueError::new_err(format!("[{op}] expected a number of bytes, got {limit}")))
}

/// Keeps at most `limit` bytes of free blocks of the CPU for reuse, 1 GiB unless said otherwise; returns what the limit
/// was. With 0 nothing is kept.
///
/// >>> before = pb.set_cache_limit(0)
/// >>> pb.set_cache_limit(before)
/// 0
#[pyfunction]
pub fn set_cache_limit(limit: i64) -> PyResult<usize> {
    let limit = bytes("set_cache_limit", limit)?;
    let before = memory::cache_limit();
    memory::set_cache_limit(limit);
    Ok(before)
}

/// Above how many bytes, in use or kept, the CPU gives back what it keeps before it asks for more; see
/// `set_memory_limit`.
///
/// >>> pb.get_memory_limit() > 0
/// True
#[pyfunction]
pub fn get_memory_limit() -> usize {
    memory::limit()
}

/// A guideline for the memory of the CPU: above `limit` bytes, in use or kept, what is kept for reuse goes back to the
/// system before more is asked for. Arrays are not refused. Returns what the limit was; at first there is none, which is
/// a very large number.
///
/// >>> before = pb.set_memory_limit(2**30)
/// >>> pb.set_memory_limit(before)
/// 1073741824
#[pyfunction]
pub fn set_memory_limit(limit: i64) -> PyResult<usize> {
    let limit = bytes("set_memory_limit", limit)?;
    let before = memory::limit();
    memory::set_limit(limit);
    Ok(before)
}

/// Bytes of the blocks in which the elements of arrays lie; a block that several share counts once. Arguments are arrays
/// and trees of arrays, which must have been computed; what else is in a tree is left out.
///
/// >>> x = pb.ones(1000)
/// >>> pb.eval(x)
/// >>> pb.get_array_buffer_size(x, {"again": x})
/// 4000
#[pyfunction]
#[pyo3(signature = (*args))]
pub fn get_array_buffer_size(args: &Bound<'_, PyTuple>) -> PyResult<usize> {
    let mut blocks = HashMap::new();
    for array in tree::arrays(args.as_any())? {
        if array.as_const().is_some() {
            continue;
        }
        let Some(block) = array.data() else {
            let text = "[get_array_buffer_size] expected arrays that have been computed, got one that has not: use pb.eval";
            return Err(PyValueError::new_err(text));
        };
        blocks.insert(block.id(), block.bytes());
    }
    Ok(blocks.into_values().sum())
}
