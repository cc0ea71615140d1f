//! Elements from the host, and back.

use pullback_base::{Aval, Device, Dtype, Error, Result, Scalar, Storage};
use pullback_compile::Backend;
use pullback_compile::backend::Poll;
use pullback_core::Array;

use crate::{devices, eval};

/// An array of elements as the host has them, row-major; they are copied. Whatever is not zero is true.
///
/// # Errors
/// `Value` if their number is not that of the shape, `Memory` if they do not fit.
pub fn from_bytes(bytes: &[u8], aval: Aval) -> Result<Array> {
    if bytes.len() != aval.bytes() {
        let text = format!("[array] expected {} bytes for {aval}, got {}", aval.bytes(), bytes.len());
        return Err(Error::value(text));
    }
    if aval.dtype == Dtype::Bool && bytes.iter().any(|&byte| byte > 1) {
        // Kernels rely on ones.
        let ones: Vec<u8> = bytes.iter().map(|&byte| u8::from(byte != 0)).collect();
        return from_bytes(&ones, aval);
    }
    Ok(Array::from_storage(devices::cpu()?.upload(bytes, aval.dtype)?, aval))
}

/// An array of numbers, converted to the type.
///
/// # Errors
/// As `from_bytes`.
pub fn from_f64(values: &[f64], aval: Aval) -> Result<Array> {
    let size = aval.dtype.size();
    let element = |&value: &f64| Scalar::Float(value).bits(aval.dtype).to_le_bytes();
    let bytes: Vec<u8> = values.iter().flat_map(|value| element(value).into_iter().take(size)).collect();
    from_bytes(&bytes, aval)
}

/// An array of `float32`.
///
/// # Errors
/// As `from_bytes`.
pub fn array(values: &[f32], shape: &[usize]) -> Result<Array> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    from_bytes(&bytes, Aval::new(shape, Dtype::F32))
}

/// The elements in a block that the host can read, computed if need be.
///
/// # Errors
/// As `eval`.
pub fn host(array: &Array, poll: &mut Poll) -> Result<Storage> {
    eval::eval(std::slice::from_ref(array), poll)?;
    let block = array.data().ok_or_else(|| Error::internal("[eval] expected elements after a run"))?;
    eval::moved(block, array.dtype(), Device::Cpu)
}

/// The elements as `f64` (real parts, of complex ones).
///
/// # Errors
/// As `eval`.
pub fn to_f64(array: &Array) -> Result<Vec<f64>> {
    let block = host(array, &mut || Ok(()))?;
    let bytes = block.host().ok_or_else(|| Error::internal("[host] expected a block of the host"))?;
    let dtype = array.dtype();
    let element = |bytes: &[u8]| {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        Scalar::from_bits(u64::from_le_bytes(word), dtype).real()
    };
    Ok(bytes.chunks_exact(dtype.size()).take(array.size()).map(element).collect())
}
