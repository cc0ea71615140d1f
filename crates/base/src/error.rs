//! Errors are values: a kind, a sentence, and notes added on the way up.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// What went wrong, for code that asks. Each kind is one exception type in Python.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ErrorKind {
    /// A shape, a size, an axis, a value out of its domain: `ValueError`.
    Value,
    /// A dtype or an object of the wrong kind: `TypeError`.
    Type,
    /// An index out of range: `IndexError`.
    Index,
    /// Too large for the memory or for the device: `MemoryError`.
    Memory,
    /// A rule is missing, returned something unfit, or cannot be transposed: `RuleError`.
    Rule,
    /// The device is missing, was lost, or failed: `DeviceError`.
    Device,
    /// An operation made a NaN, and somebody watches: `AnomalyError`.
    Anomaly,
    /// Raised by the host language inside a callback; `source` holds the exception.
    Host,
    /// A bug of ours.
    Internal,
}

/// See the module.
#[derive(Clone)]
pub struct Error(Box<Parts>);

#[derive(Clone)]
struct Parts {
    kind: ErrorKind,
    text: String,
    notes: Vec<String>,
    source: Option<Arc<dyn Any + Send + Sync>>,
}

/// Shorthand.
pub type Result<T> = std::result::Result<T, Error>;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident => $kind:ident;)*) => {$(
        $(#[doc = $doc])+
        pub fn $name(text: impl Into<String>) -> Error {
            Error::new(ErrorKind::$kind, text)
        }
    )*};
}

impl Error {
    /// An error without notes. The text reads `[op] expected …, got …`, then the likely fix.
    pub fn new(kind: ErrorKind, text: impl Into<String>) -> Error {
        Error(Box::new(Parts { kind, text: text.into(), notes: vec![], source: None }))
    }

    kinds! {
        /// A `Value` error.
        value => Value;
        /// A `Type` error.
        type_ => Type;
        /// An `Index` error.
        index => Index;
        /// A `Memory` error.
        memory => Memory;
        /// A `Rule` error.
        rule => Rule;
        /// A `Device` error.
        device => Device;
        /// An `Anomaly` error.
        anomaly => Anomaly;
        /// An `Internal` error.
        internal => Internal;
    }

    /// An exception of the host language, carried through the engine untouched.
    pub fn host(text: impl Into<String>, source: impl Any + Send + Sync) -> Error {
        let source: Arc<dyn Any + Send + Sync> = Arc::new(source);
        Error(Box::new(Parts {
            kind: ErrorKind::Host,
            text: text.into(),
            notes: vec![],
            source: Some(source),
        }))
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The sentence, without notes.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// What was added on the way up.
    pub fn notes(&self) -> &[String] {
        &self.0.notes
    }

    /// The exception of the host language, if that is what this is.
    pub fn source<T: 'static>(&self) -> Option<&T> {
        self.0.source.as_deref()?.downcast_ref()
    }

    /// Adds a note unless it is there already: nested transforms pass the same call site twice.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Error {
        let note = note.into();
        if !self.0.notes.contains(&note) {
            self.0.notes.push(note);
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)?;
        self.0.notes.iter().try_for_each(|note| write!(f, "\n  {note}"))
    }
}
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}
impl std::error::Error for Error {}
