//! Loops over whole arrays in canonical shapes: what `Whole` names. Each works on a range of the result, so that
//! callers can split it over threads.

pub mod index;
pub mod order;
pub mod packed;
pub mod place;
pub mod product;
pub mod random;
pub mod scan;
pub mod scatter;
pub mod window;

/// Runs a body with a name for the Rust type that stands for an element type: `with_element!(dtype, T => …)`.
#[macro_export]
macro_rules! with_element {
    ($dtype:expr, $name:ident => $body:expr) => {
        match $dtype {
            $crate::base::Dtype::C64 => {
                type $name = [f32; 2];
                $body
            }
            real => $crate::with_real!(real, $name => $body, else unreachable!("complex is handled above")),
        }
    };
}

/// The same for real numbers: `with_real!(dtype, T => …, else …)`.
#[macro_export]
macro_rules! with_real {
    ($dtype:expr, $name:ident => $body:expr, else $else:expr) => {
        match $dtype {
            $crate::base::Dtype::Bool => {
                type $name = $crate::element::Truth;
                $body
            }
            $crate::base::Dtype::U8 => {
                type $name = u8;
                $body
            }
            $crate::base::Dtype::U16 => {
                type $name = u16;
                $body
            }
            $crate::base::Dtype::U32 => {
                type $name = u32;
                $body
            }
            $crate::base::Dtype::U64 => {
                type $name = u64;
                $body
            }
            $crate::base::Dtype::I8 => {
                type $name = i8;
                $body
            }
            $crate::base::Dtype::I16 => {
                type $name = i16;
                $body
            }
            $crate::base::Dtype::I32 => {
                type $name = i32;
                $body
            }
            $crate::base::Dtype::I64 => {
                type $name = i64;
                $body
            }
            $crate::base::Dtype::F16 => {
                type $name = $crate::half::f16;
                $body
            }
            $crate::base::Dtype::Bf16 => {
                type $name = $crate::half::bf16;
                $body
            }
            $crate::base::Dtype::F32 => {
                type $name = f32;
                $body
            }
            $crate::base::Dtype::F64 => {
                type $name = f64;
                $body
            }
            $crate::base::Dtype::C64 => $else,
        }
    };
}
