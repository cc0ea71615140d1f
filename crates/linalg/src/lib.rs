//! Floor 1: factorizations of one matrix, slices in, slices out. The only room that knows the library of factorizations.
//!
//! Matrices are in row order. `plain` has loops for small matrices, where a library's preparations take longer than the
//! work; `solve` has Cholesky, LU and what they solve, `spectrum` has QR, singular values, eigenvalues and the
//! pseudo-inverse. `number` is what elements must be able to do. A matrix that is not finite, or that has no such
//! factorization, gives NaN: in a batch, one matrix must not take the others with it.
//!
//! It is a crate of its own because the library's generic code takes longer to compile than all of the rest.

#![forbid(unsafe_code)]

mod number;
mod plain;
mod solve;
mod spectrum;
mod work;

pub use faer::c32;
pub use number::Number;
pub use solve::{cholesky, lu, lu_solve, triangular};
pub use spectrum::{eig, eig_complex, eigh, pinv, qr, root, svd};
pub use work::Work;
