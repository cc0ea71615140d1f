//! Kernels in the text of users, as operations.

use pullback_base::{Device, Error, Result, Storage};
use pullback_compile::shader::Shader;
use pullback_core::callback::{Callback, HostCall, VmapMethod, WGSL_KERNEL, call};
use pullback_core::{Array, place};

use crate::devices;
use crate::eval::moved;

/// What a kernel writes, computed on the GPU when somebody asks for it, wherever its inputs are. The text is checked
/// now.
///
/// ```
/// use pullback::shader::Shader;
/// use pullback::callback::VmapMethod;
/// use pullback::{Device, array, available, to_f64, wgsl_kernel};
///
/// # fn main() -> pullback::Result<()> {
/// let x = array(&[1., 2., 3.], &[3])?;
/// let shader = Shader {
///     name: "double".into(),
///     header: String::new(),
///     source: "let i = global_invocation_id.x; y[i] = 2.0 * x[i];".into(),
///     inputs: vec![("x".into(), x.aval().clone())],
///     outputs: vec![("y".into(), x.aval().clone())],
///     constants: vec![],
///     grid: [3, 1, 1],
///     workgroup: [64, 1, 1],
///     atomic: false,
///     init: 0.,
/// };
/// if available(Device::Gpu) {
///     let y = wgsl_kernel(shader, &[&x], VmapMethod::Refuse)?;
///     assert_eq!(to_f64(&y[0])?, [2., 4., 6.]);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `Value` for a text with a mistake or sizes that the GPU does not take, `Type` for types that it has not, `Device`
/// where there is no GPU.
pub fn wgsl_kernel(shader: Shader, inputs: &[&Array], method: VmapMethod) -> Result<Vec<Array>> {
    check_shader(&shader)?;
    let avals = shader.outputs.iter().map(|(_, aval)| aval.clone()).collect();
    let _here = place::on(Some(Device::Gpu));
    let node = HostCall::new(&WGSL_KERNEL, std::sync::Arc::new(Launch(shader)), avals, method);
    Ok(call(node, inputs)?.into_vec())
}

/// Checks a kernel; its whole text, as it is run.
///
/// # Errors
/// As `wgsl_kernel`.
pub fn check_shader(shader: &Shader) -> Result<String> {
    devices::backend(Device::Gpu)?.check_shader(shader)
}

struct Launch(Shader);

impl Callback for Launch {
    fn call(&self, args: &[Array]) -> Result<Vec<Array>> {
        let missing = || Error::internal("[wgsl_kernel] expected the elements of an operand");
        let block = |x: &Array| moved(x.data().ok_or_else(missing)?, x.dtype(), Device::Gpu);
        let inputs = args.iter().map(block).collect::<Result<Vec<Storage>>>()?;
        devices::note_use(Device::Gpu);
        let outputs = devices::backend(Device::Gpu)?.run_shader(&self.0, &inputs)?;
        let array =
            |(block, (_, aval)): (Storage, &(String, _))| Array::from_storage(block, Clone::clone(aval));
        Ok(outputs.into_iter().zip(&self.0.outputs).map(array).collect())
    }
}
