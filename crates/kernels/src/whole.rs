//! Kernels that see whole arrays, by name: what is neither a function of elements nor a reduction.
//!
//! All operands are contiguous, in the canonical shapes given with each name (only products take strides: `Matmul`,
//! `Conv` and `Packed`); results are contiguous. `o`, `i` are the sizes before and after the axis that a kernel works along.

use pullback_base::Layout;

/// What a cumulative kernel carries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum Cumulate {
    Sum,
    Prod,
    Max,
    Min,
}

/// What a scatter does where it writes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum Scatter {
    /// The update with the highest position wins.
    Set,
    Add,
    Prod,
    Max,
    Min,
}

/// How windows of a convolution slide along one spatial axis: element `k` of the kernel meets element `u` of the input
/// where `t · stride + k · dilation - low = u · spread`, for the window that makes element `t` of the result.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Slide {
    /// Number of windows.
    pub count: usize,
    /// From window to window.
    pub stride: usize,
    /// Zeros in front of the input; a negative number of them cuts elements off.
    pub low: isize,
    /// From element to element of the kernel.
    pub dilation: usize,
    /// From element to element of the input; what lies between is zero.
    pub spread: usize,
}

/// What a sum over `n` terms is divided by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scale {
    /// 1
    One,
    /// The square root of `n`.
    Root,
    /// `n`
    Length,
}

/// Which coefficients the complex side of a Fourier transform has whose other side is real.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Spectrum {
    /// All `n`.
    Full,
    /// The first `n / 2 + 1`, each for itself.
    Once,
    /// The first `n / 2 + 1`; those that have a conjugate among the others stand for both of the pair.
    Twice,
}

/// A discrete Fourier transform: `sum_j x[j] w ** (j * k) / scale` with `w = e ** (-2 pi i / n)`. A real operand has
/// a complex result, and a real result is the real part of the sum.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Fourier {
    /// Its length.
    pub n: usize,
    /// With the conjugate of `w`.
    pub inverse: bool,
    /// What sums are divided by.
    pub scale: Scale,
    /// What the complex side has where the other one is real.
    pub spectrum: Spectrum,
}

impl Fourier {
    /// What sums are multiplied by.
    pub fn factor(&self) -> f64 {
        match self.scale {
            Scale::One => 1.,
            Scale::Root => 1. / (self.n as f64).sqrt(),
            Scale::Length => 1. / self.n as f64,
        }
    }

    /// How many coefficients the complex side has where the other one is real.
    pub fn coefficients(&self) -> usize {
        match self.spectrum {
            Spectrum::Full => self.n,
            Spectrum::Once | Spectrum::Twice => self.n / 2 + 1,
        }
    }

    /// Whether coefficient `k` stands for the pair of it and its conjugate.
    pub fn stands_for_two(&self, k: usize) -> bool {
        self.spectrum == Spectrum::Twice && k > 0 && 2 * k < self.n
    }
}

/// Which vectors a factorization makes beside values.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Vectors {
    /// None: it has one result.
    None,
    /// As many as there are values.
    Thin,
    /// Those that fill up a square matrix as well.
    Full,
}

/// A kernel of linear algebra, on batches of matrices in row order. What has no solution is NaN, and so is whatever is
/// made of a matrix that is not finite. Vectors have a first large component that is real and positive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Linalg {
    /// `[b, n, n] -> [b, n, n]`: the lower factor; only the lower triangle is read.
    Cholesky,
    /// `[b, m, n] -> [b, m, n], i32 [b, k], i32 [b, m]`: both factors in one, with partial pivoting; the row that was
    /// exchanged with each; and the rows of the operand in the order of the factors.
    Lu,
    /// `[b, n, n], [b, n, k], factors [b, n, n], order i32 [b, n] -> [b, n, k]`: a solution, from what `Lu` made of the first
    /// operand, which is not read.
    LuSolve {
        /// With the transposed matrix.
        transposed: bool,
    },
    /// `[b, n, n] x [b, n, k] -> [b, n, k]`: a solution; only one triangle of the matrix is read.
    Triangular {
        /// The upper one.
        upper: bool,
    },
    /// `[b, m, n] -> [b, m, k], [b, k, n]`: an orthogonal and an upper triangular factor.
    Qr(Vectors),
    /// `[b, m, n] -> [b, k], [b, m, p], [b, q, n]`: singular values in descending order; left and right vectors.
    Svd(Vectors),
    /// `[b, n, n] -> [b, n], [b, n, n]`: eigenvalues in ascending order, and the vectors; only the lower triangle is read.
    Eigh(Vectors),
    /// `[b, n, n] -> c64 [b, n], c64 [b, n, n]`: eigenvalues, and the vectors.
    Eig(Vectors),
    /// `[b, n, n] -> [b, n, n]`: the square root that is Hermitian and has no negative eigenvalue; negative ones of the
    /// operand, of which the lower triangle is read, are taken for zero.
    Root,
    /// `[b, m, n], least [b] -> [b, n, m]`: the pseudo-inverse, without singular values that are not above `least` times the
    /// largest.
    Pinv,
}

/// What the codes of a packed matrix are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Codes {
    /// Whole numbers from 0, of so many bits.
    Bits(u8),
    /// Floats of four bits: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives.
    E2m1,
    /// Floats of eight bits: up to 448, and NaN.
    E4m3,
}

impl Codes {
    /// Bits of a code.
    pub const fn bits(self) -> usize {
        match self {
            Codes::Bits(bits) => bits as usize,
            Codes::E2m1 => 4,
            Codes::E4m3 => 8,
        }
    }
}

/// A matrix of codes in words of 32 bits, low bits first, row by row. Each `group` neighbours in a row have a scale, by which
/// their numbers are multiplied, and whole numbers have a bias, which is added to that.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Packed {
    /// What codes are.
    pub codes: Codes,
    /// Neighbours that share a scale.
    pub group: usize,
    /// Whether the matrix is meant as its transpose.
    pub transposed: bool,
}

impl Packed {
    /// Whether there is such a matrix.
    pub const fn exists(&self) -> bool {
        match self.codes {
            Codes::Bits(bits) => matches!(bits, 1..=6 | 8) && matches!(self.group, 32 | 64 | 128),
            Codes::E2m1 => matches!(self.group, 16 | 32),
            Codes::E4m3 => self.group == 32,
        }
    }

    /// Whether groups have biases.
    pub const fn biased(&self) -> bool {
        matches!(self.codes, Codes::Bits(_))
    }
}

/// A kernel over whole arrays.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Whole {
    /// `[b, m, k] x [b, k, n] -> [b, m, n]`, operands with any strides. Half floats accumulate in f32; integers
    /// wrap.
    Matmul,
    /// `x [n, s.., g, c], w [g, o, k.., c] -> [n, t.., g, o]`, operands with any strides: products of windows and kernels,
    /// summed over `k..` and `c`. Types as for `Matmul`. One slide for each spatial axis, whose `count` is `t`.
    Conv(Vec<Slide>),
    /// `x [b, m, k], codes u32 [b, r, ..], scales [b, r, ..], biases [b, r, ..] -> [b, m, n]`, operands with any strides:
    /// products with the matrix, which is `[k, n]`, or transposed `[n, k]`. Floats are of one type; half floats accumulate
    /// in f32. Biases are there for whole numbers only.
    Packed(Packed),
    /// `[o, n, i] -> u32 [o, i]`: position of the first largest (or smallest) along the axis; NaN is both.
    ArgReduce {
        /// Largest, else smallest.
        max: bool,
    },
    /// `[o, n, i] -> [o, n, i]`: running result along the axis.
    Cumulate {
        /// What is carried.
        how: Cumulate,
        /// From the end to the start.
        reverse: bool,
        /// Including the element itself.
        inclusive: bool,
    },
    /// `[o, n, i] -> [o, n, i]`: ascending and stable, NaN last.
    Sort,
    /// `[o, n, i] -> u32 [o, n, i]`: the positions that would sort.
    ArgSort,
    /// `table [n, i], index i32 [k] -> [k, i]`: rows by position. Negative ones count from the end; what is
    /// still out of range takes the nearest row.
    Take,
    /// `x [n, i], index i32 [k], updates [k, i] -> [n, i]`: `x` with rows written. Negative positions count
    /// from the end; what is still out of range is left out. Equal positions combine in order.
    Scatter(Scatter),
    /// `parts [o, n_j, i] -> [o, sum n_j, i]`.
    Concatenate,
    /// `x [..], fill [] -> [size]`: every element `fill`, then the elements of `x` at `into`.
    Place {
        /// Number of elements of the result.
        size: usize,
        /// Where the elements of `x`, in order, go.
        into: Layout,
    },
    /// `keys u32 [b, 2] -> u32 [b, words]`: random words of threefry2x32, laid out as MLX lays them out.
    RandomBits {
        /// Words per key.
        words: usize,
    },
    /// `-> [n]`: 0, 1, 2, … in any number type.
    Iota,
    /// `[o, m, i] -> [o, k, i]`: from `float32` or `complex64` to the other or the same one along the axis; at
    /// least one of them is complex. Complex sides have `n` elements, or the `coefficients` if the other is real.
    Fourier(Fourier),
    /// Linear algebra.
    Linalg(Linalg),
}

impl Whole {
    /// Whether operands may have any strides.
    pub const fn takes_strides(&self) -> bool {
        matches!(self, Whole::Matmul | Whole::Conv(_) | Whole::Packed(_))
    }

    /// How many operands it takes; `None` for any number.
    pub const fn operands(&self) -> Option<usize> {
        Some(match self {
            Whole::Iota => 0,
            Whole::ArgReduce { .. } | Whole::Cumulate { .. } | Whole::Sort | Whole::ArgSort => 1,
            Whole::RandomBits { .. } | Whole::Fourier(_) => 1,
            Whole::Matmul | Whole::Conv(_) | Whole::Take | Whole::Place { .. } => 2,
            Whole::Scatter(_) => 3,
            Whole::Packed(packed) => 3 + packed.biased() as usize,
            Whole::Linalg(Linalg::LuSolve { .. }) => 4,
            Whole::Linalg(Linalg::Triangular { .. } | Linalg::Pinv) => 2,
            Whole::Linalg(_) => 1,
            Whole::Concatenate => return None,
        })
    }
}
