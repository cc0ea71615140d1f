//! Products of matrices. Everything that multiplies stands behind one trait; this file alone knows the libraries.

use gemm::Parallelism;
use half::f16;
use pullback_base::{Buffer, Dtype, Result, Shape};
use pullback_kernels::Isa;
use pullback_kernels::array::{place, product};
use pullback_kernels::element::Truth;
use pullback_kernels::tile::cast::cast;

use crate::memory::CpuBuffer;
use crate::threads;

/// A matrix, or one for each batch, somewhere in memory. Strides are in elements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Side {
    pub ptr: *const u8,
    pub batch: isize,
    pub row: isize,
    pub col: isize,
}

/// Sizes of `[b, m, k] · [b, k, n]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub b: usize,
    pub m: usize,
    pub k: usize,
    pub n: usize,
}

/// A product of two matrices (the first of each side's batch), written row after row or added to what is there, on so
/// many threads.
#[derive(Clone, Copy)]
pub(crate) struct Product {
    pub sizes: Sizes,
    pub out: *mut u8,
    pub a: Side,
    pub b: Side,
    pub add: bool,
    pub threads: usize,
}
// SAFETY: products that run at one time write elsewhere.
unsafe impl Send for Product {}
// SAFETY: as above.
unsafe impl Sync for Product {}

/// Something that multiplies matrices of one type.
pub(crate) trait Multiply: Sync {
    /// Picoseconds per product of two elements, on one thread.
    fn cost(&self) -> usize;

    /// # Safety
    /// Sides are valid at all elements that sizes and strides reach, the output at m · n; types are those it is for.
    unsafe fn multiply(&self, product: Product);
}

/// The crate `gemm`, with nothing and one.
struct Library<T>(T, T);

impl<T: Copy + Sync + 'static> Multiply for Library<T> {
    fn cost(&self) -> usize {
        10 * size_of::<T>() / 4
    }

    // SAFETY: the trait's promise.
    unsafe fn multiply(&self, Product { sizes: Sizes { m, k, n, .. }, out, a, b, add, threads }: Product) {
        let parallelism = if threads > 1 { Parallelism::Rayon(threads) } else { Parallelism::None };
        // SAFETY: the caller's promise.
        unsafe {
            gemm::gemm(
                m,
                n,
                k,
                out.cast::<T>(),
                1,
                n as isize,
                add,
                a.ptr.cast::<T>(),
                a.col,
                a.row,
                b.ptr.cast::<T>(),
                b.col,
                b.row,
                if add { self.1 } else { self.0 },
                self.1,
                false,
                false,
                false,
                parallelism,
            );
        }
    }
}

/// Our own loops.
struct Loops<T>(Isa, std::marker::PhantomData<T>);

impl<T: product::Ring> Multiply for Loops<T> {
    fn cost(&self) -> usize {
        200
    }

    // SAFETY: the trait's promise.
    unsafe fn multiply(&self, Product { sizes: Sizes { m, k, n, .. }, out, a, b, add, threads }: Product) {
        let matrix = |side: Side, from: usize| product::Matrix {
            ptr: side.ptr.cast::<T>().wrapping_offset(from as isize * side.row),
            row: side.row,
            col: side.col,
        };
        let shared = Product { sizes: Sizes { b: 1, m, k, n }, out, a, b, add, threads };
        threads::ranges(threads, m, |rows| {
            let Product { out, a, b, .. } = { &shared };
            // SAFETY: rows of this part alone; the rest is the caller's promise.
            unsafe {
                let out = std::slice::from_raw_parts_mut(out.cast::<T>().add(rows.start * n), rows.len() * n);
                let (a, b) = (matrix(*a, rows.start), matrix(*b, 0));
                if !add {
                    out.fill(T::ZERO);
                }
                product::product(self.0, out, a, b, (k, n), &mut Vec::new());
            }
        });
    }
}

/// What multiplies elements of a type, if anything does without converting them.
pub(crate) fn multiplier(dtype: Dtype, isa: Isa, sizes: Sizes) -> Option<Box<dyn Multiply>> {
    fn loops<T: product::Ring>(isa: Isa) -> Option<Box<dyn Multiply>> {
        Some(Box::new(Loops::<T>(isa, std::marker::PhantomData)))
    }
    match dtype {
        Dtype::F32 => Some(Box::new(Library(0f32, 1f32))),
        Dtype::F64 => Some(Box::new(Library(0f64, 1f64))),
        Dtype::C64 => Some(Box::new(Library(gemm::c32::new(0., 0.), gemm::c32::new(1., 0.)))),
        // With fewer products, and for vectors, the library rounds partial sums to half.
        Dtype::F16 if sizes.k > 2 && sizes.m > 1 && sizes.n > 1 => {
            Some(Box::new(Library(f16::ZERO, f16::ONE)))
        }
        Dtype::F16 | Dtype::Bf16 => None,
        Dtype::Bool => loops::<Truth>(isa),
        Dtype::U8 => loops::<u8>(isa),
        Dtype::U16 => loops::<u16>(isa),
        Dtype::U32 => loops::<u32>(isa),
        Dtype::U64 => loops::<u64>(isa),
        Dtype::I8 => loops::<i8>(isa),
        Dtype::I16 => loops::<i16>(isa),
        Dtype::I32 => loops::<i32>(isa),
        Dtype::I64 => loops::<i64>(isa),
    }
}

/// `out [b, m, n] = a [b, m, k] · b [b, k, n]`.
///
/// # Safety
/// Sides are valid at all elements of type `dtype` that sizes and strides reach, the output at b · m · n.
///
/// # Errors
/// `Memory` if there is no room to convert half floats.
pub(crate) unsafe fn matmul(
    dtype: Dtype,
    isa: Isa,
    sizes: Sizes,
    out: *mut u8,
    a: Side,
    b: Side,
) -> Result<()> {
    let count = sizes.b * sizes.m * sizes.n;
    if count == 0 {
        return Ok(());
    }
    if sizes.k == 0 {
        // SAFETY: the output has so many elements; nothing is all zeros in every type.
        unsafe { out.write_bytes(0, count * dtype.size()) };
        return Ok(());
    }
    if let Some(multiply) = multiplier(dtype, isa, sizes) {
        // SAFETY: the caller's promise.
        unsafe { batches(&*multiply, dtype, sizes, out, a, b) };
        return Ok(());
    }
    // Half floats through single.
    let wide = CpuBuffer::new(count * 4)?;
    // SAFETY: the caller's promise.
    let (left, right) = unsafe {
        (
            widen(dtype, isa, a, [sizes.b, sizes.m, sizes.k])?,
            widen(dtype, isa, b, [sizes.b, sizes.k, sizes.n])?,
        )
    };
    // SAFETY: copies of all elements, in order.
    unsafe {
        batches(&Library(0f32, 1f32), Dtype::F32, sizes, wide.ptr(), left.1, right.1);
        let out = std::slice::from_raw_parts_mut(out, count * dtype.size());
        cast(Dtype::F32, dtype, isa)(out, wide.host().unwrap_or_default(), &[], &[], &[]);
    }
    Ok(())
}

/// A side in single, in order; what all batches share once.
///
/// # Safety
/// As `matmul`.
unsafe fn widen(dtype: Dtype, isa: Isa, side: Side, shape: [usize; 3]) -> Result<(CpuBuffer, Side)> {
    let shape = [if side.batch == 0 { 1 } else { shape[0] }, shape[1], shape[2]];
    // SAFETY: the caller's promise.
    let wide = unsafe { widened(dtype, isa, side.ptr, &[side.batch, side.row, side.col], &shape)? };
    let (row, batch) = (shape[2] as isize, (shape[1] * shape[2]) as isize);
    let batch = if side.batch == 0 { 0 } else { batch };
    let side = Side { ptr: wide.ptr(), batch, row, col: 1 };
    Ok((wide, side))
}

/// Half floats in single, in order.
///
/// # Safety
/// `ptr` is valid at all elements of type `dtype` that shape and strides reach.
///
/// # Errors
/// `Memory` without room.
pub(crate) unsafe fn widened(
    dtype: Dtype,
    isa: Isa,
    ptr: *const u8,
    strides: &[isize],
    shape: &[usize],
) -> Result<CpuBuffer> {
    let own = Shape::new(shape);
    let (narrow, wide) = (CpuBuffer::new(own.size() * dtype.size())?, CpuBuffer::new(own.size() * 4)?);
    // SAFETY: the caller's promise; both blocks have room for all elements.
    unsafe {
        place::copy(narrow.ptr(), &own.strides(), ptr, strides, shape, dtype.size());
        let out = std::slice::from_raw_parts_mut(wide.ptr(), own.size() * 4);
        cast(dtype, Dtype::F32, isa)(out, narrow.host().unwrap_or_default(), &[], &[], &[]);
    }
    Ok(wide)
}

/// # Safety
/// As `matmul`.
unsafe fn batches(multiply: &dyn Multiply, dtype: Dtype, mut sizes: Sizes, out: *mut u8, a: Side, b: Side) {
    // Batches that share the right side and follow each other on the left are one product.
    if sizes.b > 1 && b.batch == 0 && a.batch == sizes.m as isize * a.row {
        sizes.m *= sizes.b;
        sizes.b = 1;
    }
    let each = sizes.m * sizes.n * sizes.k * multiply.cost();
    let parts = threads::parts(each * sizes.b, usize::MAX);
    let size = dtype.size();
    let one = Product { sizes: Sizes { b: 1, ..sizes }, out, a, b, add: false, threads: parts };
    let at = |batch: usize, threads: usize| {
        let Product { sizes, out, a, b, .. } = { &one };
        let side = |side: &Side| Side {
            ptr: side.ptr.wrapping_offset(batch as isize * side.batch * size as isize),
            ..*side
        };
        let out = out.wrapping_add(batch * sizes.m * sizes.n * size);
        Product { sizes: *sizes, out, a: side(a), b: side(b), add: false, threads }
    };
    if parts > 1 && sizes.b >= 4 * parts {
        threads::ranges(parts, sizes.b, |range| {
            // SAFETY: the caller's promise; batches write elsewhere.
            range.for_each(|batch| unsafe { multiply.multiply(at(batch, 1)) });
        });
    } else if parts > 1 {
        // SAFETY: the caller's promise.
        threads::inside(|| (0..sizes.b).for_each(|batch| unsafe { multiply.multiply(at(batch, parts)) }));
    } else {
        // SAFETY: the caller's promise.
        (0..sizes.b).for_each(|batch| unsafe { multiply.multiply(at(batch, 1)) });
    }
}
