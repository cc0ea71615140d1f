//! The handle to a block of memory on some device.
//!
//! What a block is, only its device's room knows. Everybody else holds it, counts it, and asks a device.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::Device;

/// A block of memory. Its elements lie in order, without gaps: layouts with strides exist only inside a plan.
pub trait Buffer: Any + Send + Sync {
    /// Where it is.
    fn device(&self) -> Device;
    /// How many bytes of it are elements.
    fn bytes(&self) -> usize;
    /// The elements, where the host can read them in place.
    fn host(&self) -> Option<&[u8]>;
    /// For its own device, which knows the type.
    fn as_any(&self) -> &dyn Any;
}

/// A shared, immutable block.
#[derive(Clone)]
pub struct Storage(Arc<dyn Buffer>);

impl Storage {
    /// Shares a block.
    pub fn new(buffer: impl Buffer) -> Storage {
        Storage(Arc::new(buffer))
    }

    /// Where it is.
    pub fn device(&self) -> Device {
        self.0.device()
    }

    /// How many bytes of it are elements.
    pub fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// The elements, where the host can read them in place.
    pub fn host(&self) -> Option<&[u8]> {
        self.0.host()
    }

    /// The block as its device's room made it.
    pub fn get<T: 'static>(&self) -> Option<&T> {
        self.0.as_any().downcast_ref()
    }

    /// Whether nobody else holds it, so that it may be written to.
    pub fn is_unique(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Identity of the block.
    pub fn id(&self) -> usize {
        Arc::as_ptr(&self.0).cast::<()>() as usize
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes on {}", self.bytes(), self.device())
    }
}
