//! Functions of complex numbers of two `f32`, computed in `f64`: there no product of parts runs over or vanishes, and what
//! cancels has 29 bits to spare. Parts of a result are within one unit of `f32`, but where a part is far below the modulus:
//! then within 2^-24 of that.
//!
//! Formulas of inverse functions are Kahan's, "Branch cuts for complex elementary functions" (1987), which know the side of
//! a cut by the sign of a zero.

/// A number in `f64`.
type Z = [f64; 2];

/// A function of `f64` on a number of `f32`.
#[inline(always)]
pub(crate) fn by(function: fn(Z) -> Z, x: [f32; 2]) -> [f32; 2] {
    let [re, im] = function([x[0].into(), x[1].into()]);
    [re as f32, im as f32]
}

/// As `by`, of two numbers.
#[inline(always)]
pub(crate) fn by2(function: fn(Z, Z) -> Z, x: [f32; 2], y: [f32; 2]) -> [f32; 2] {
    let [re, im] = function([x[0].into(), x[1].into()], [y[0].into(), y[1].into()]);
    [re as f32, im as f32]
}

fn times([a, b]: Z, [c, d]: Z) -> Z {
    [a * c - b * d, a * d + b * c]
}

/// A product that is zero where `x` is, whatever is infinite beside it.
fn part(x: f64, y: f64) -> f64 {
    if x == 0. { x.copysign(x.signum() * y.signum()) } else { x * y }
}

/// `-i z`.
fn back([x, y]: Z) -> Z {
    [y, -x]
}

/// `i z`.
fn turned([x, y]: Z) -> Z {
    [-y, x]
}

pub(crate) fn exp([x, y]: Z) -> Z {
    let size = x.exp();
    if y == 0. { [size, y] } else { [part(y.cos(), size), part(y.sin(), size)] }
}

pub(crate) fn exp2([x, y]: Z) -> Z {
    exp([x * std::f64::consts::LN_2, y * std::f64::consts::LN_2])
}

pub(crate) fn expm1([x, y]: Z) -> Z {
    let half = (y / 2.).sin();
    [part(y.cos(), x.exp_m1()) - 2. * half * half, part(y.sin(), x.exp())]
}

pub(crate) fn log([x, y]: Z) -> Z {
    [x.hypot(y).ln(), y.atan2(x)]
}

pub(crate) fn log2(z: Z) -> Z {
    log(z).map(|part| part * std::f64::consts::LOG2_E)
}

pub(crate) fn log10(z: Z) -> Z {
    log(z).map(|part| part * std::f64::consts::LOG10_E)
}

pub(crate) fn log1p([x, y]: Z) -> Z {
    let near = x.abs() < 0.5 && y.abs() < 0.5;
    [if near { 0.5 * (x * (2. + x) + y * y).ln_1p() } else { (1. + x).hypot(y).ln() }, y.atan2(1. + x)]
}

/// With a real part that is not negative.
pub(crate) fn sqrt([x, y]: Z) -> Z {
    if y.is_infinite() {
        return [f64::INFINITY, y];
    }
    let size = (0.5 * (x.abs() + x.hypot(y))).sqrt();
    if size == 0. {
        return [0., y];
    }
    let other = if size.is_infinite() { 0. } else { y.abs() / (2. * size) };
    let (re, im) = if x.is_sign_negative() { (other, size) } else { (size, other) };
    [re, im.copysign(y)]
}

pub(crate) fn rsqrt(z: Z) -> Z {
    let [x, y] = sqrt(z);
    let size = x * x + y * y;
    [x / size, -y / size]
}

pub(crate) fn sigmoid([x, y]: Z) -> Z {
    // e^-|x| does not run over.
    let [a, b] = exp([-x.abs(), if x < 0. { y } else { -y }]);
    let size = (1. + a) * (1. + a) + b * b;
    let [re, im] = [(1. + a) / size, -b / size];
    if x < 0. { times([a, b], [re, im]) } else { [re, im] }
}

pub(crate) fn sin([x, y]: Z) -> Z {
    [part(x.sin(), y.cosh()), part(y.sinh(), x.cos())]
}

pub(crate) fn cos([x, y]: Z) -> Z {
    [part(x.cos(), y.cosh()), -part(x.sin(), y.sinh())]
}

pub(crate) fn tan(z: Z) -> Z {
    back(tanh(turned(z)))
}

pub(crate) fn sinh([x, y]: Z) -> Z {
    [part(x.sinh(), y.cos()), part(y.sin(), x.cosh())]
}

pub(crate) fn cosh([x, y]: Z) -> Z {
    [part(y.cos(), x.cosh()), part(y.sin(), x.sinh())]
}

pub(crate) fn tanh([x, y]: Z) -> Z {
    if x.abs() > 40. {
        // 1 to the last bit; the other part is below every `f32` soon.
        return [1f64.copysign(x), 4. * y.sin() * y.cos() * (-2. * x.abs()).exp()];
    }
    let (slope, sinh, tan) = (1. + y.tan() * y.tan(), x.sinh(), y.tan());
    let below = 1. + slope * sinh * sinh;
    [slope * x.cosh() * sinh / below, tan / below]
}

/// `sqrt(1 - z)` and `sqrt(1 + z)`.
fn roots([x, y]: Z) -> (Z, Z) {
    (sqrt([1. - x, -y]), sqrt([1. + x, y]))
}

pub(crate) fn asin(z: Z) -> Z {
    let ([a, b], [c, d]) = roots(z);
    [z[0].atan2(a * c - b * d), (a * d - b * c).asinh()]
}

pub(crate) fn acos(z: Z) -> Z {
    let ([a, b], [c, d]) = roots(z);
    [2. * a.atan2(c), (b * c - a * d).asinh()]
}

pub(crate) fn atan(z: Z) -> Z {
    back(atanh(turned(z)))
}

pub(crate) fn asinh(z: Z) -> Z {
    back(asin(turned(z)))
}

pub(crate) fn acosh([x, y]: Z) -> Z {
    let ([a, b], [c, d]) = (sqrt([x - 1., y]), sqrt([x + 1., y]));
    [(a * c + b * d).asinh(), 2. * b.atan2(c)]
}

pub(crate) fn atanh([x, y]: Z) -> Z {
    let apart = (1. - x) * (1. - x) + y * y;
    [0.25 * (4. * x / apart).ln_1p(), 0.5 * (2. * y).atan2((1. - x) * (1. + x) - y * y)]
}

/// `z ** w`; 1 where `w` is zero.
pub(crate) fn pow(z: Z, w: Z) -> Z {
    if w == [0., 0.] {
        return [1., 0.];
    }
    if z == [0., 0.] {
        return if w[0] > 0. { [0., 0.] } else { [f64::NAN, f64::NAN] };
    }
    exp(times(w, log(z)))
}

/// `log(e^z + e^w)`, of which the term with the larger real part is taken out.
pub(crate) fn logaddexp(z: Z, w: Z) -> Z {
    let (large, small) = if z[0] >= w[0] { (z, w) } else { (w, z) };
    if small[0].is_infinite() {
        // The difference of two infinities would be NaN.
        return large;
    }
    let [re, im] = log1p(exp([small[0] - large[0], small[1] - large[1]]));
    [large[0] + re, large[1] + im]
}
