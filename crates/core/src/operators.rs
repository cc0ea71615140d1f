//! `+ - * /` on arrays, with broadcasting and promotion. They panic where `fun` would answer an error: for
//! rules, whose operands fit by construction, and for short Rust programs.

use std::ops;

use crate::array::Array;
use crate::fun;

macro_rules! operator {
    ($Trait:ident, $method:ident, $fun:ident) => {
        operator!(@pair $Trait, $method, $fun, Array, Array, self => &self, y => &y);
        operator!(@pair $Trait, $method, $fun, Array, &Array, self => &self, y => y);
        operator!(@pair $Trait, $method, $fun, &Array, Array, self => self, y => &y);
        operator!(@pair $Trait, $method, $fun, &Array, &Array, self => self, y => y);
        operator!(@pair $Trait, $method, $fun, f64, Array, self => &y.weak(self), y => &y);
        operator!(@pair $Trait, $method, $fun, f64, &Array, self => &y.weak(self), y => y);
        operator!(@pair $Trait, $method, $fun, Array, f64, self => &self, y => &self.weak(y));
        operator!(@pair $Trait, $method, $fun, &Array, f64, self => self, y => &self.weak(y));
    };
    (@pair $Trait:ident, $method:ident, $fun:ident, $X:ty, $Y:ty, $x:tt => $a:expr, $y:ident => $b:expr) => {
        impl ops::$Trait<$Y> for $X {
            type Output = Array;
            fn $method($x, $y: $Y) -> Array {
                fun::$fun($a, $b).unwrap_or_else(|error| panic!("{error}"))
            }
        }
    };
}

operator!(Add, add, add);
operator!(Sub, sub, subtract);
operator!(Mul, mul, multiply);
operator!(Div, div, divide);

impl ops::Neg for Array {
    type Output = Array;
    fn neg(self) -> Array {
        -&self
    }
}
impl ops::Neg for &Array {
    type Output = Array;
    fn neg(self) -> Array {
        fun::negative(self).unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Array {
    /// A number as a scalar of this array's type.
    pub fn weak(&self, value: f64) -> Array {
        Array::scalar(pullback_base::Scalar::Float(value), self.dtype())
    }
}
