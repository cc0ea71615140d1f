//! Inner loops: slices in, slices out, one function per operation, type, operand form and instruction set.
//!
//! How a kernel is made. A row of a table (`float`, `int`, `cast`) is an expression on scalars. The row's
//! type implements `Map1`..`Map4`; the generic *drivers* below are the only loops, and the only
//! functions that carry `#[target_feature]`. A row is parsed and type-checked once for all sets; another
//! set costs one more instantiation of a driver, which is LLVM's time alone.
//!
//! What the loops rely on:
//! * The operands are separate parameters of reference type. LLVM then knows that `dst` overlaps nothing;
//!   with raw pointers it would check at run time and fall into a scalar loop whenever dst = a.
//! * A scalar operand is a form of its own (bit i of `FORM`), so it stays in a register.
//! * Loops count to `dst.len()` over slices cut to that length: no bounds checks remain.

pub mod cast;
pub mod complex;
pub mod float;
pub mod fold;
pub mod int;
pub mod layout;
pub mod truth;

use pullback_base::Dtype;

use crate::isa::{Isa, Target};
use crate::map::Op;

/// A compiled loop. Operands it does not take are empty.
///
/// # Safety
/// The processor has the set it was built for; slices are whole, aligned elements of the types it was
/// looked up for; vector operands are as long as `dst`, scalar operands hold one element.
pub type Kernel = unsafe fn(dst: &mut [u8], a: &[u8], b: &[u8], c: &[u8], d: &[u8]);

/// The kernel for `op` on operands of type `dtype`, where bit i of `form` says that operand i is a scalar.
///
/// Not every form exists: the caller then spreads scalars over a tile and asks for form 0.
pub fn map(op: Op, dtype: Dtype, form: u8, isa: Isa) -> Option<Kernel> {
    match dtype {
        Dtype::F32 => float::single(op, form, isa),
        Dtype::F64 => float::double(op, form, isa),
        Dtype::I32 => int::i32(op, form, isa),
        Dtype::U32 => int::u32(op, form, isa),
        Dtype::I64 => int::i64(op, form, isa),
        Dtype::U64 => int::u64(op, form, isa),
        Dtype::Bool => truth::bool(op, form, isa),
        Dtype::C64 => complex::c64(op, form),
        // In memory only.
        Dtype::F16 | Dtype::Bf16 | Dtype::U8 | Dtype::U16 | Dtype::I8 | Dtype::I16 => None,
    }
}

/// One row: a function of one element.
pub(crate) trait Map1 {
    type In: Copy;
    type Out: Copy;
    fn at<I: Target>(x: Self::In) -> Self::Out;

    /// Operands for which `at` is wrong and `slow` is right. Tested along the way, visited after the loop.
    #[inline(always)]
    fn rare(_x: Self::In) -> bool {
        false
    }
    fn slow(_x: Self::In) -> Self::Out {
        unreachable!("a row with rare operands says what to do with them")
    }
}

/// One row: a function of two elements.
pub(crate) trait Map2 {
    type In: Copy;
    type Out: Copy;
    fn at<I: Target>(x: Self::In, y: Self::In) -> Self::Out;
}

/// One row: a function of three elements, the first of which may be a truth value.
pub(crate) trait Map3 {
    type First: Copy;
    type In: Copy;
    type Out: Copy;
    fn at<I: Target>(x: Self::First, y: Self::In, z: Self::In) -> Self::Out;
}

/// One row: a function of four elements.
pub(crate) trait Map4 {
    type In: Copy;
    type Out: Copy;
    fn at<I: Target>(x: Self::In, y: Self::In, z: Self::In, w: Self::In) -> Self::Out;
}

/// A loop that is no tile kernel but is worth compiling for every instruction set. `run` must be inlined.
pub trait Work {
    /// What it gives.
    type Out;
    /// The loop.
    fn run(self) -> Self::Out;
}

/// Runs a loop as compiled for an instruction set; for the baseline if the processor lacks it.
pub fn work<W: Work>(isa: Isa, work: W) -> W::Out {
    let isa = if isa.available() { isa } else { Isa::Base };
    // SAFETY: the processor has the set.
    unsafe { for_isa!(isa, work, W)(work) }
}

/// Such a loop that asks what its instruction set has.
pub(crate) trait TargetWork {
    /// The loop.
    fn run<I: Target>(self);
}

/// As `work`.
pub(crate) fn target_work<W: TargetWork>(isa: Isa, work: W) {
    let isa = if isa.available() { isa } else { Isa::Base };
    // SAFETY: the processor has the set.
    unsafe { for_isa!(isa, target_work, W)(work) }
}

/// # Safety
/// `bytes` is whole, aligned elements of type `T`.
#[inline(always)]
pub(crate) unsafe fn cast<T>(bytes: &[u8]) -> &[T] {
    debug_assert_eq!(bytes.as_ptr() as usize % align_of::<T>(), 0);
    debug_assert_eq!(bytes.len() % size_of::<T>(), 0);
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len() / size_of::<T>()) }
}

/// # Safety
/// As `cast`.
#[inline(always)]
pub(crate) unsafe fn cast_mut<T>(bytes: &mut [u8]) -> &mut [T] {
    debug_assert_eq!(bytes.as_ptr() as usize % align_of::<T>(), 0);
    debug_assert_eq!(bytes.len() % size_of::<T>(), 0);
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), bytes.len() / size_of::<T>()) }
}

/// Operand number `K` of a loop over `n` elements.
///
/// # Safety
/// As `cast`.
#[inline(always)]
pub(crate) unsafe fn operand<T, const FORM: u8, const K: u8>(bytes: &[u8], n: usize) -> &[T] {
    // SAFETY: the caller's promise.
    let all = unsafe { cast::<T>(bytes) };
    if FORM >> K & 1 == 1 { &all[..1] } else { &all[..n] }
}

#[inline(always)]
pub(crate) fn pick<T: Copy, const FORM: u8, const K: u8>(operand: &[T], i: usize) -> T {
    if FORM >> K & 1 == 1 { operand[0] } else { operand[i] }
}

macro_rules! drivers {
    ($module:ident, $target:ty $(, $features:literal)?) => {
        /// The loops, compiled for one instruction set.
        ///
        /// # Safety
        /// Of every function here: see `Kernel`.
        #[allow(clippy::missing_safety_doc)]
        pub(crate) mod $module {
            use super::*;

            // SAFETY: see `Kernel`.
            $(#[target_feature(enable = $features)])?
            pub unsafe fn map1<O: Map1>(dst: &mut [u8], a: &[u8], _: &[u8], _: &[u8], _: &[u8]) {
                // SAFETY: the contract of `Kernel`.
                let (dst, a) = unsafe { (cast_mut::<O::Out>(dst), cast::<O::In>(a)) };
                let a = &a[..dst.len()];
                let mut rare = 0u32;
                for i in 0..dst.len() {
                    rare |= u32::from(O::rare(a[i]));
                    dst[i] = O::at::<$target>(a[i]);
                }
                if rare != 0 {
                    for (dst, &x) in dst.iter_mut().zip(a) {
                        if O::rare(x) {
                            *dst = O::slow(x);
                        }
                    }
                }
            }

            // SAFETY: see `Kernel`.
            $(#[target_feature(enable = $features)])?
            pub unsafe fn map2<O: Map2, const FORM: u8>(dst: &mut [u8], a: &[u8], b: &[u8], _: &[u8], _: &[u8]) {
                // SAFETY: the contract of `Kernel`.
                let dst = unsafe { cast_mut::<O::Out>(dst) };
                let n = dst.len();
                // SAFETY: the contract of `Kernel`.
                let (a, b) = unsafe { (operand::<O::In, FORM, 0>(a, n), operand::<O::In, FORM, 1>(b, n)) };
                for i in 0..n {
                    dst[i] = O::at::<$target>(pick::<_, FORM, 0>(a, i), pick::<_, FORM, 1>(b, i));
                }
            }

            // SAFETY: see `Kernel`.
            $(#[target_feature(enable = $features)])?
            pub unsafe fn map3<O: Map3, const FORM: u8>(dst: &mut [u8], a: &[u8], b: &[u8], c: &[u8], _: &[u8]) {
                // SAFETY: the contract of `Kernel`.
                let dst = unsafe { cast_mut::<O::Out>(dst) };
                let n = dst.len();
                // SAFETY: the contract of `Kernel`.
                let (a, b, c) = unsafe {
                    (operand::<O::First, FORM, 0>(a, n), operand::<O::In, FORM, 1>(b, n), operand::<O::In, FORM, 2>(c, n))
                };
                for i in 0..n {
                    let (x, y, z) = (pick::<_, FORM, 0>(a, i), pick::<_, FORM, 1>(b, i), pick::<_, FORM, 2>(c, i));
                    dst[i] = O::at::<$target>(x, y, z);
                }
            }

            // SAFETY: see `Kernel`.
            $(#[target_feature(enable = $features)])?
            pub unsafe fn map4<O: Map4, const FORM: u8>(dst: &mut [u8], a: &[u8], b: &[u8], c: &[u8], d: &[u8]) {
                // SAFETY: the contract of `Kernel`.
                let dst = unsafe { cast_mut::<O::Out>(dst) };
                let n = dst.len();
                // SAFETY: the contract of `Kernel`.
                let (a, b, c, d) = unsafe {
                    (
                        operand::<O::In, FORM, 0>(a, n),
                        operand::<O::In, FORM, 1>(b, n),
                        operand::<O::In, FORM, 2>(c, n),
                        operand::<O::In, FORM, 3>(d, n),
                    )
                };
                for i in 0..n {
                    let (x, y) = (pick::<_, FORM, 0>(a, i), pick::<_, FORM, 1>(b, i));
                    let (z, w) = (pick::<_, FORM, 2>(c, i), pick::<_, FORM, 3>(d, i));
                    dst[i] = O::at::<$target>(x, y, z, w);
                }
            }

            // SAFETY: the processor has the set.
            $(#[target_feature(enable = $features)])?
            pub unsafe fn work<W: Work>(work: W) -> W::Out {
                work.run()
            }

            // SAFETY: the processor has the set.
            $(#[target_feature(enable = $features)])?
            pub unsafe fn target_work<W: TargetWork>(work: W) {
                work.run::<$target>();
            }

            // SAFETY: see `Kernel`.
            $(#[target_feature(enable = $features)])?
            pub unsafe fn fold<O: fold::Lanes>(cell: &mut u64, src: &[u8]) {
                // SAFETY: the contract of `Kernel`.
                fold::fold_lanes::<O>(cell, unsafe { cast::<O::In>(src) });
            }

            // SAFETY: see `Kernel`.
            $(#[target_feature(enable = $features)])?
            pub unsafe fn accumulate<O: fold::Lanes>(sums: &mut [u8], src: &[u8]) {
                // SAFETY: the contract of `Kernel`.
                let (sums, src) = unsafe { (cast_mut::<O::In>(sums), cast::<O::In>(src)) };
                for (sum, &x) in sums.iter_mut().zip(src) {
                    *sum = O::join(*sum, x);
                }
            }
        }
    };
}

#[cfg(target_arch = "aarch64")]
drivers!(base, crate::isa::Fused);
#[cfg(not(target_arch = "aarch64"))]
drivers!(base, crate::isa::Plain);
#[cfg(target_arch = "x86_64")]
drivers!(avx2, crate::isa::Fused, "avx2,fma,bmi1,bmi2,f16c");
#[cfg(target_arch = "x86_64")]
drivers!(avx512, crate::isa::Fused, "avx2,fma,bmi1,bmi2,f16c,avx512f,avx512vl,avx512bw,avx512dq");

/// The instance of a driver for the set in the variable `$isa`.
macro_rules! for_isa {
    ($isa:expr, $driver:ident, $($generic:tt)*) => {
        match $isa {
            #[cfg(target_arch = "x86_64")]
            $crate::isa::Isa::Avx512 => $crate::tile::avx512::$driver::<$($generic)*>,
            #[cfg(target_arch = "x86_64")]
            $crate::isa::Isa::Avx2 => $crate::tile::avx2::$driver::<$($generic)*>,
            _ => $crate::tile::base::$driver::<$($generic)*>,
        }
    };
}
pub(crate) use for_isa;

/// A look-up function from rows. `[0, 2]` lists the forms of a row; `I` in an expression is the target.
macro_rules! table {
    (
        $(#[$doc:meta])* fn $name:ident;
        one($in1:ty) { $($op1:ident: $out1:ty = |$x1:ident| $body1:expr $(, rare $rare:expr, $slow:expr)?;)* }
        two($in2:ty) { $($op2:ident $forms2:tt: $out2:ty = |$x2:ident, $y2:ident| $body2:expr;)* }
        three($in3:ty) { $($op3:ident $forms3:tt: $first3:ty = |$x3:ident, $y3:ident, $z3:ident| $body3:expr;)* }
        four($in4:ty) { $($op4:ident $forms4:tt = |$x4:ident, $y4:ident, $z4:ident, $w4:ident| $body4:expr;)* }
    ) => {
        $(#[$doc])*
        pub fn $name(op: $crate::map::Op, form: u8, isa: $crate::isa::Isa) -> Option<$crate::tile::Kernel> {
            #[allow(unused_imports)]
            use $crate::{isa::Target, tile::{Kernel, Map1, Map2, Map3, Map4, for_isa}, map::Op};
            Some(match op {
                $(Op::$op1 => {
                    struct Row;
                    impl Map1 for Row {
                        type In = $in1;
                        type Out = $out1;
                        #[inline(always)]
                        fn at<I: Target>($x1: $in1) -> $out1 { $body1 }
                        $(
                            #[inline(always)]
                            fn rare($x1: $in1) -> bool { $rare }
                            fn slow($x1: $in1) -> $out1 { $slow }
                        )?
                    }
                    if form != 0 { return None }
                    let kernel: Kernel = for_isa!(isa, map1, Row);
                    kernel
                })*
                $(Op::$op2 => {
                    struct Row;
                    impl Map2 for Row {
                        type In = $in2;
                        type Out = $out2;
                        #[inline(always)]
                        fn at<I: Target>($x2: $in2, $y2: $in2) -> $out2 { $body2 }
                    }
                    $crate::tile::forms!(form, isa, map2, $forms2)
                })*
                $(Op::$op3 => {
                    struct Row;
                    impl Map3 for Row {
                        type First = $first3;
                        type In = $in3;
                        type Out = $in3;
                        #[inline(always)]
                        fn at<I: Target>($x3: $first3, $y3: $in3, $z3: $in3) -> $in3 { $body3 }
                    }
                    $crate::tile::forms!(form, isa, map3, $forms3)
                })*
                $(Op::$op4 => {
                    struct Row;
                    impl Map4 for Row {
                        type In = $in4;
                        type Out = $in4;
                        #[inline(always)]
                        fn at<I: Target>($x4: $in4, $y4: $in4, $z4: $in4, $w4: $in4) -> $in4 { $body4 }
                    }
                    $crate::tile::forms!(form, isa, map4, $forms4)
                })*
                _ => return None,
            })
        }
    };
}
pub(crate) use table;

/// The instance of a driver for one of the forms that a row lists.
macro_rules! forms {
    ($form:expr, $isa:expr, $driver:ident, [$($bits:literal),*]) => {
        match $form {
            $($bits => { let kernel: Kernel = for_isa!($isa, $driver, Row, $bits); kernel })*
            _ => return None,
        }
    };
}
pub(crate) use forms;
