//! Functions without the program that made them: a list of operations by name, which goes into a file and comes back.
//!
//! `listing` says what a graph is made of, `program` makes a function of it, `bytes` and `params` are how numbers and
//! arguments of operations are written, `file` is the format.
//!
//! Custom functions are inlined through their bodies, as the compiler does: their rules are closures, and stay behind.
//! A derivative that was taken by a rule is in the list; one that would have to be is an error, for that of the body is
//! another. Calls of the host are refused. Arrays that a function captured, and random state with them, are
//! constants of it.
//!
//! ```
//! use pullback::exported::{Entry, Export, Program, read, write};
//! use pullback::{Aval, Dtype, array, to_f64, transform};
//!
//! let traced = transform::trace(&|x| Ok(vec![&x[0] * 2.]), &[Aval::new([2], Dtype::F32)])?;
//! let program = Program::of(&traced, &mut || Ok(()))?.into();
//! let entry = Entry { positional: 1, keywords: vec![], program };
//! let bytes = write(&Export { metadata: String::new(), entries: vec![entry] })?;
//! let doubled = read(&bytes)?.entries[0].program.call(&[array(&[1., 2.], &[2])?])?;
//! assert_eq!(to_f64(&doubled[0])?, [2., 4.]);
//! # Ok::<(), pullback::Error>(())
//! ```

mod bytes;
mod file;
mod listing;
mod params;
mod program;

pub use file::{Entry, Export, read, write};
pub use listing::{Calls, Listing, Made, Source, list};
pub use program::{Program, Step};
