//! What a device must be able to do.

use pullback_base::{Device, Dtype, Error, Result, Storage};
use pullback_kernels::Whole;

use crate::plan::Step;
use crate::program::Program;
use crate::shader::Shader;

/// Blocks of a run by slot. A backend takes what dies and puts what it makes.
pub type Slots = [Option<Storage>];

/// Called between steps: the host language may want to stop (Ctrl-C). An error ends the run.
pub type Poll<'a> = dyn FnMut() -> Result<()> + 'a;

/// A device that runs steps.
pub trait Backend: Send + Sync {
    /// Which one it is.
    fn device(&self) -> Device;

    /// Why it cannot run this program, if so. Asked when planning; such a group goes to the CPU.
    fn lacks_group(&self, program: &Program) -> Option<String>;

    /// Why it cannot run this kernel on operands of these types, if so.
    fn lacks_whole(&self, whole: &Whole, dtypes: &[Dtype]) -> Option<String>;

    /// Runs steps in order. Every operand's slot is filled with a block of this device; afterwards every
    /// output's slot is, and dying slots are empty. May return before the work is done; `download` waits.
    ///
    /// # Errors
    /// `Memory` if a block is too large, `Device` if the device failed, and what `poll` returns.
    fn run(&self, steps: &[Step], slots: &mut Slots, poll: &mut Poll) -> Result<()>;

    /// A block with these bytes: elements of type `dtype` as the host has them.
    ///
    /// # Errors
    /// As `run`.
    fn upload(&self, bytes: &[u8], dtype: Dtype) -> Result<Storage>;

    /// The elements of a block of this device as the host has them. Waits for the work that makes it.
    ///
    /// # Errors
    /// As `run`.
    fn download(&self, block: &Storage, dtype: Dtype) -> Result<Vec<u8>>;

    /// Checks a kernel in the text of a user; the whole text as it would be run.
    ///
    /// # Errors
    /// `Value` for a text with a mistake, and where, or sizes that the device does not take; `Device` for one that runs
    /// no such kernels.
    fn check_shader(&self, shader: &Shader) -> Result<String> {
        Err(no_shaders(shader))
    }

    /// Runs a kernel in the text of a user, which was checked; the blocks it writes.
    ///
    /// # Errors
    /// As `run`.
    fn run_shader(&self, shader: &Shader, _inputs: &[Storage]) -> Result<Vec<Storage>> {
        Err(no_shaders(shader))
    }

    /// Waits for everything.
    ///
    /// # Errors
    /// As `run`.
    fn synchronize(&self) -> Result<()>;
}

fn no_shaders(shader: &Shader) -> Error {
    Error::device(format!(
        "[wgsl_kernel] expected a GPU to run '{}' on, got a device without shaders",
        shader.name
    ))
}
