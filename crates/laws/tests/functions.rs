//! Functions against MLX, for every type and many arguments: `data/functions.py` wrote the cases.

use pullback::fun::{self, Cuts, Fill};
use pullback::{Array, Aval, Dtype, Result, Scalar, Shape, from_f64, to_f64};
use pullback_laws::close;
use pullback_laws::elements::epsilon;
use pullback_laws::report::devices;

fn numbers<T: std::str::FromStr>(text: &str) -> Vec<T> {
    text.split(',').filter_map(|n| n.parse().ok()).collect()
}

/// `dtype:shape=elements`
fn array(text: &str) -> Array {
    let (dtype, rest) = text.split_once(':').expect("a type");
    let (shape, elements) = rest.split_once('=').expect("a shape");
    let dtype = Dtype::from_name(dtype).expect("a type that exists");
    from_f64(&numbers(elements), Aval::new(numbers::<usize>(shape), dtype))
        .expect("as many as the shape says")
}

/// Params of a case, by position; an empty one is `None`.
struct Words<'a>(Vec<&'a str>);

impl Words<'_> {
    fn list(&self, i: usize) -> Option<Vec<isize>> {
        (!self.0[i].is_empty()).then(|| numbers(self.0[i]))
    }
    fn axes(&self, i: usize) -> Vec<isize> {
        numbers(self.0[i])
    }
    fn int(&self, i: usize) -> isize {
        self.0[i].parse().expect("an integer")
    }
    fn size(&self, i: usize) -> usize {
        self.0[i].parse().expect("a size")
    }
    fn maybe(&self, i: usize) -> Option<isize> {
        self.0[i].parse().ok()
    }
    fn flag(&self, i: usize) -> bool {
        self.0.get(i) == Some(&"1")
    }
    fn real(&self, i: usize) -> f64 {
        self.0[i].parse().expect("a number")
    }
}

fn elementwise(name: &str, x: &[Array], p: &Words) -> Option<Result<Array>> {
    macro_rules! by_name {
        (one: $($one:ident)*; two: $($two:ident)*) => {
            match name {
                $(stringify!($one) => fun::$one(&x[0]),)*
                $(stringify!($two) => fun::$two(&x[0], &x[1]),)*
                "where" => fun::where_(&x[0], &x[1], &x[2]),
                "clip" => fun::clip(&x[0], Some(&x[1]), Some(&x[2])),
                "round" => fun::round(&x[0], p.int(0) as i32),
                "isclose" => fun::isclose(&x[0], &x[1], p.real(0), p.real(1), p.flag(2)),
                "allclose" => fun::allclose(&x[0], &x[1], p.real(0), p.real(1), p.flag(2)),
                "array_equal" => fun::array_equal(&x[0], &x[1], p.flag(0)),
                _ => return None,
            }
        };
    }
    Some(by_name! {
        one: abs sign square sqrt rsqrt reciprocal exp log sin tanh sigmoid erf floor ceil logical_not isnan isfinite
            negative bitwise_invert relu gelu gelu_approx silu degrees radians;
        two: add subtract multiply divide power maximum minimum remainder floor_divide arctan2 logaddexp less
            less_equal greater greater_equal equal not_equal logical_and logical_or bitwise_and bitwise_or left_shift
            right_shift matmul outer inner
    })
}

fn axiswise(name: &str, x: &[Array], p: &Words) -> Option<Result<Array>> {
    let axes = || p.list(0);
    let scan = |f: fn(&Array, Option<isize>, bool, bool) -> Result<Array>| {
        f(&x[0], p.maybe(0), p.flag(1), p.flag(2))
    };
    let fold =
        |f: fn(&Array, Option<&[isize]>, bool) -> Result<Array>| f(&x[0], axes().as_deref(), p.flag(1));
    let ddof = || p.0.get(2).map_or(0., |n| n.parse().expect("a number"));
    Some(match name {
        "sum" => fold(fun::sum_over),
        "prod" => fold(fun::prod),
        "max" => fold(fun::max),
        "min" => fold(fun::min),
        "any" => fold(fun::any),
        "all" => fold(fun::all),
        "mean" => fold(fun::mean),
        "logsumexp" => fold(fun::logsumexp),
        "var" => fun::var(&x[0], axes().as_deref(), p.flag(1), ddof()),
        "std" => fun::std(&x[0], axes().as_deref(), p.flag(1), ddof()),
        "softmax" => fun::softmax(&x[0], axes().as_deref(), false),
        "argmax" => fun::argmax(&x[0], p.maybe(0), p.flag(1)),
        "argmin" => fun::argmin(&x[0], p.maybe(0), p.flag(1)),
        "cumsum" => scan(fun::cumsum),
        "cumprod" => scan(fun::cumprod),
        "cummax" => scan(fun::cummax),
        "cummin" => scan(fun::cummin),
        "sort" => fun::sort(&x[0], p.maybe(0)),
        "argsort" => fun::argsort(&x[0], p.maybe(0)),
        "take" => fun::take(&x[0], &x[1], p.maybe(0)),
        "take_along_axis" => fun::take_along_axis(&x[0], &x[1], p.maybe(0)),
        "put_along_axis" => fun::put_along_axis(&x[0], &x[1], &x[2], p.maybe(0)),
        "tensordot" => fun::tensordot(&x[0], &x[1], &p.axes(0), &p.axes(1)),
        "addmm" => fun::addmm(&x[0], &x[1], &x[2], p.real(0), p.real(1)),
        _ => return None,
    })
}

fn moving(name: &str, x: &[Array], p: &Words) -> Option<Result<Vec<Array>>> {
    let all: Vec<&Array> = x.iter().collect();
    let sizes = |i: usize| p.axes(i).into_iter().map(|n| n as usize).collect::<Vec<_>>();
    let widths = || sizes(0).chunks(2).map(|pair| (pair[0], pair[1])).collect::<Vec<_>>();
    let scalar = |i: usize| match p.0[i].parse() {
        Ok(n) => Scalar::Int(n),
        Err(_) => Scalar::Float(p.real(i)),
    };
    let one = match name {
        "split" => {
            let cuts = p.axes(1);
            let how = if p.0[0].is_empty() { Cuts::At(&cuts) } else { Cuts::Parts(p.size(0)) };
            return Some(fun::split(&x[0], how, p.int(2)));
        }
        "expand_dims" => fun::expand_dims(&x[0], &p.axes(0)),
        "squeeze" => fun::squeeze(&x[0], p.list(0).as_deref()),
        "swapaxes" => fun::swapaxes(&x[0], p.int(0), p.int(1)),
        "moveaxis" => fun::moveaxis(&x[0], p.int(0), p.int(1)),
        "permute" => fun::permute(&x[0], p.list(0).as_deref()),
        "flatten" => fun::flatten(&x[0], p.int(0), p.int(1)),
        "unflatten" => fun::unflatten(&x[0], p.int(0), &p.axes(1)),
        "reshape" => fun::reshape_to(&x[0], &p.axes(0)),
        "repeat" => fun::repeat(&x[0], p.size(0), p.maybe(1)),
        "tile" => fun::tile(&x[0], &sizes(0)),
        "roll" => fun::roll(&x[0], p.int(0), p.maybe(1)),
        "stack" => fun::stack(&all, p.int(0)),
        "concatenate" => fun::concatenate(&all, p.int(0)),
        "pad" => fun::pad(&x[0], &widths(), &fun::fill(Scalar::Int(7), &x[0])),
        "pad_edge" => fun::pad(&x[0], &widths(), &Fill::Edge),
        "tril" => fun::tril(&x[0], p.int(0)),
        "triu" => fun::triu(&x[0], p.int(0)),
        "eye" => fun::eye(p.size(0), p.size(1), p.int(2), Dtype::F32),
        "tri" => fun::tri(p.size(0), p.size(1), p.int(2), Dtype::F32),
        "diag" => fun::diag(&x[0], p.int(0)),
        "diagonal" => fun::diagonal(&x[0], p.int(0), p.int(1), p.int(2)),
        "trace" => fun::trace(&x[0], p.int(0), p.int(1), p.int(2)),
        "arange" => fun::arange(scalar(0), scalar(1), scalar(2), Dtype::from_name(p.0[3]).expect("a type")),
        "linspace" => fun::linspace(p.real(0), p.real(1), p.size(2), Dtype::F32),
        _ => return None,
    };
    Some(one.map(|y| vec![y]))
}

fn check(line: &str) -> std::result::Result<(), String> {
    let [name, params, inputs, outputs] = line.split(" | ").collect::<Vec<_>>()[..] else {
        return Err("expected four columns".into());
    };
    let words = Words(params.split(';').collect());
    let x: Vec<Array> = inputs.split('/').filter(|text| !text.is_empty()).map(array).collect();
    let single = elementwise(name, &x, &words).or_else(|| axiswise(name, &x, &words));
    let found = match single {
        Some(y) => y.map(|y| vec![y]),
        None => moving(name, &x, &words).ok_or("no such function")?,
    };
    let found = found.map_err(|error| error.to_string())?;
    let want: Vec<Array> = outputs.split('/').map(array).collect();
    if found.len() != want.len() {
        return Err(format!("{} results, expected {}", found.len(), want.len()));
    }
    for (found, want) in found.iter().zip(&want) {
        if found.aval() != want.aval() {
            return Err(format!("a result of {}, expected {}", found.aval(), want.aval()));
        }
        let elements = |y: &Array| to_f64(y).map_err(|error| error.to_string());
        let (found, expected) = (elements(found)?, elements(want)?);
        // Two libraries, each with errors of its own: a handful of units.
        let scale = expected.iter().filter(|y| y.is_finite()).fold(0., |acc: f64, y| acc.max(y.abs()));
        close(&found, &expected, 12. * epsilon(want.dtype()), scale)?;
    }
    Ok(())
}

#[test]
fn functions_are_those_of_mlx() {
    for device in devices() {
        let _here = pullback::place::on(Some(device));
        let (mut asked, mut wrong) = (0, Vec::new());
        for line in include_str!("data/functions.txt").lines() {
            asked += 1;
            if let Err(text) = check(line) {
                wrong.push(format!("{}\n    {text}", line.chars().take(160).collect::<String>()));
            }
        }
        println!("{asked} calls on {device}");
        assert!(wrong.is_empty(), "{} of {asked} calls on {device}:\n{}", wrong.len(), wrong.join("\n"));
    }
}

#[test]
fn misuse_is_an_error() {
    let x = fun::zeros(&Shape::from([2, 3]), Dtype::F32).expect("fits");
    let wrong: Vec<(Result<Array>, &str)> = vec![
        (fun::sum_over(&x, Some(&[2]), false), "axis 2"),
        (fun::sum_over(&x, Some(&[0, -2]), false), "axis 0 twice"),
        (fun::reshape_to(&x, &[4, -1]), "[reshape] expected a shape of 6 elements"),
        (fun::reshape_to(&x, &[-1, -1]), "at most one size of -1"),
        (fun::permute(&x, Some(&[0])), "expected 2 axes"),
        (fun::squeeze(&x, Some(&[0])), "axes of size 1"),
        (fun::matmul(&x, &x), "[matmul]"),
        (fun::matmul(&x, &fun::zeros(&Shape::from([]), Dtype::F32).expect("fits")), "at least one axis"),
        (fun::concatenate(&[], 0), "at least one array"),
        (
            fun::stack(&[&x, &fun::zeros(&Shape::from([2]), Dtype::F32).expect("fits")], 0),
            "arrays of one shape",
        ),
        (fun::add(&x, &fun::zeros(&Shape::from([4]), Dtype::F32).expect("fits")), "broadcast"),
        (fun::bitwise_and(&x, &x), "an integer or boolean type"),
        (fun::negative(&fun::full_like_bool(&x, true)), "logical_not"),
        (
            fun::max(&fun::zeros(&Shape::from([0, 3]), Dtype::F32).expect("fits"), Some(&[0]), false),
            "at least one",
        ),
        (fun::take(&x, &x, Some(0)), "integer positions"),
        (fun::clip(&x, None, None), "bound"),
        (fun::tril(&fun::zeros(&Shape::from([2]), Dtype::F32).expect("fits"), 0), "two axes"),
        (fun::arange(Scalar::Int(0), Scalar::Int(1), Scalar::Int(0), Dtype::I32), "a step other than 0"),
        (fun::zeros(&Shape::from([usize::MAX, 2]), Dtype::F32), "too many elements"),
        (fun::pad(&x, &[(1, 1)], &Fill::Edge), "widths for 2 axes"),
        (fun::diagonal(&x, 0, 1, -1), "two different axes"),
    ];
    for (result, words) in wrong {
        let error = result.expect_err(words);
        assert!(error.text().contains(words), "expected '{words}' in: {error}");
    }
    assert!(fun::split(&x, Cuts::Parts(2), 1).is_err());
}
