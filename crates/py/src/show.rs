//! How arrays print: as NumPy's do, with the type of the elements.

use std::sync::atomic::{AtomicUsize, Ordering};

use pullback::{Aval, Dtype, Scalar};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Arrays of more elements are shown by their edges.
const SUMMARY: usize = 1000;
/// Elements shown at each edge.
const EDGE: usize = 3;
/// Digits after the point, unless a program says otherwise.
const DIGITS: usize = 8;
/// No element type has more digits than this to show.
const MOST: i64 = 1100;
const WIDTH: usize = 75;

/// Digits after the point; a number above every possible one stands for `DIGITS`.
static PRECISION: AtomicUsize = AtomicUsize::new(usize::MAX);

fn digits() -> usize {
    let set = PRECISION.load(Ordering::Relaxed);
    if set == usize::MAX { DIGITS } else { set }
}

/// The most digits after the point with which arrays print; -1 for the default.
#[pyfunction]
pub fn _precision() -> i64 {
    i64::try_from(PRECISION.load(Ordering::Relaxed)).unwrap_or(-1)
}

/// Sets the most digits after the point.
#[pyfunction]
#[pyo3(signature = (precision, /))]
pub fn _set_precision(precision: i64) -> PyResult<()> {
    if !(-1..=MOST).contains(&precision) {
        let text = format!(
            "[printoptions] expected a precision from 0 to {MOST}, or -1 for the default, got {precision}"
        );
        return Err(PyValueError::new_err(text));
    }
    PRECISION.store(usize::try_from(precision).unwrap_or(usize::MAX), Ordering::Relaxed);
    Ok(())
}

/// The text of an array.
pub fn show(content: &[u8], aval: &Aval) -> String {
    let suffix = format!(", dtype={})", aval.dtype.name());
    if aval.size() == 0 {
        let shape = if aval.shape.ndim() == 1 { String::new() } else { format!(", shape={}", aval.shape) };
        return format!("array([]{shape}{suffix}");
    }
    let summary = aval.size() > SUMMARY;
    let mut shown = Vec::new();
    pick(content, &aval.shape, aval.dtype, summary, &mut shown);
    let texts = texts(&shown, aval.dtype);
    let mut text = String::from("array(");
    let mut next = texts.into_iter();
    write(&mut text, &aval.shape, summary, 6, 0, &mut next);
    let last = text.rsplit('\n').next().map_or(0, str::len);
    if last + suffix.len() > WIDTH + 4 && aval.shape.ndim() > 0 {
        text.push_str(&format!(",\n      {}", suffix.trim_start_matches(',')));
        return text;
    }
    text + &suffix
}

/// Which positions of an axis are shown; `None` stands for the dots.
fn positions(n: usize, summary: bool) -> Vec<Option<usize>> {
    if summary && n > 2 * EDGE {
        (0..EDGE).map(Some).chain([None]).chain((n - EDGE..n).map(Some)).collect()
    } else {
        (0..n).map(Some).collect()
    }
}

fn pick(content: &[u8], shape: &[usize], dtype: Dtype, summary: bool, shown: &mut Vec<Scalar>) {
    let Some((&n, inner)) = shape.split_first() else {
        let mut word = [0; 8];
        word[..dtype.size()].copy_from_slice(&content[..dtype.size()]);
        return shown.push(Scalar::from_bits(u64::from_le_bytes(word), dtype));
    };
    let step = inner.iter().product::<usize>() * dtype.size();
    for i in positions(n, summary).into_iter().flatten() {
        pick(&content[i * step..], inner, dtype, summary, shown);
    }
}

fn write(
    text: &mut String,
    shape: &[usize],
    summary: bool,
    indent: usize,
    depth: usize,
    next: &mut dyn Iterator<Item = String>,
) {
    let Some((&n, inner)) = shape.split_first() else {
        return text.push_str(&next.next().unwrap_or_default());
    };
    text.push('[');
    let start = indent + depth + 1;
    let mut column = start;
    for (at, position) in positions(n, summary).into_iter().enumerate() {
        if inner.is_empty() {
            let item = match position {
                Some(_) => next.next().unwrap_or_default(),
                None => "...".into(),
            };
            if at > 0 {
                text.push(',');
                if column + 2 + item.len() > WIDTH {
                    text.push_str(&format!("\n{}", " ".repeat(start)));
                    column = start;
                } else {
                    text.push(' ');
                    column += 2;
                }
            }
            column += item.len();
            text.push_str(&item);
            continue;
        }
        if at > 0 {
            text.push_str(&format!(",{}{}", "\n".repeat(inner.len()), " ".repeat(start)));
        }
        match position {
            Some(_) => write(text, inner, summary, indent, depth + 1, next),
            None => text.push_str("..."),
        }
    }
    text.push(']');
}

/// The elements as texts of one width.
fn texts(shown: &[Scalar], dtype: Dtype) -> Vec<String> {
    let list: Vec<String> = match dtype {
        Dtype::Bool => shown.iter().map(|x| if x.truth() { "True" } else { "False" }.to_string()).collect(),
        Dtype::C64 => {
            let real = floats(&shown.iter().map(|x| x.real()).collect::<Vec<_>>(), true);
            let imag = floats(&shown.iter().map(|x| x.imag()).collect::<Vec<_>>(), true);
            let join = |(re, im): (String, String)| {
                let im = im.trim_start().to_string();
                let sign = if im.starts_with('-') { "" } else { "+" };
                format!("{re}{sign}{im}j")
            };
            real.into_iter().zip(imag).map(join).collect()
        }
        _ if dtype.is_inexact() => {
            floats(&shown.iter().map(|x| x.real()).collect::<Vec<_>>(), dtype != Dtype::F64)
        }
        _ => shown.iter().map(|x| integer(*x)).collect(),
    };
    let width = list.iter().map(String::len).max().unwrap_or(0);
    list.into_iter().map(|text| format!("{text:>width$}")).collect()
}

fn integer(value: Scalar) -> String {
    match value {
        Scalar::Uint(value) => value.to_string(),
        other => other.int().to_string(),
    }
}

/// Floats with their points in one column, in the fewest digits that tell them apart.
fn floats(values: &[f64], single: bool) -> Vec<String> {
    let finite = values.iter().map(|x| x.abs()).filter(|x| x.is_finite() && *x != 0.);
    let (least, most) = finite.fold((f64::INFINITY, 0f64), |(a, b), x| (a.min(x), b.max(x)));
    let scientific = most >= 1e8 || (most > 0. && (least < 1e-4 || most / least > 1000. && most >= 1e6));
    let limit = digits();
    let written = |value: f64, places: Option<usize>| match (scientific, single, places) {
        (false, true, None) => format!("{}", value as f32),
        (false, false, None) => format!("{value}"),
        (true, true, None) => format!("{:e}", value as f32),
        (true, false, None) => format!("{value:e}"),
        (false, true, Some(places)) => format!("{:.places$}", value as f32),
        (false, false, Some(places)) => format!("{value:.places$}"),
        (true, true, Some(places)) => format!("{:.places$e}", value as f32),
        (true, false, Some(places)) => format!("{value:.places$e}"),
    };
    let fraction = |text: &str| {
        let number = text.split('e').next().unwrap_or_default();
        number.split_once('.').map_or(0, |(_, part)| part.trim_end_matches('0').len())
    };
    // What rounding to the limit leaves behind zeros is no digit to make room for.
    let needed = |&value: &f64| {
        let exact = if value.is_finite() { fraction(&written(value, None)) } else { 0 };
        if exact > limit { fraction(&written(value, Some(limit))) } else { exact }
    };
    let places = values.iter().map(needed).max().unwrap_or(0);
    let one = |&value: &f64| {
        if value.is_nan() {
            return "nan".to_string();
        }
        if value.is_infinite() {
            return if value > 0. { "inf" } else { "-inf" }.to_string();
        }
        if scientific {
            let text = written(value, Some(places));
            let (number, power) = text.split_once('e').unwrap_or((&text, "0"));
            let (sign, power) = power.strip_prefix('-').map_or(('+', power), |power| ('-', power));
            let point = if places == 0 { "." } else { "" };
            return format!("{number}{point}e{sign}{power:0>2}");
        }
        let text = written(value, Some(places));
        let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
        // NumPy ends a number at its last digit and fills up with blanks.
        let part = part.trim_end_matches('0');
        format!("{whole}.{part:<places$}")
    };
    values.iter().map(one).collect()
}
