//! Random programs: custom functions whose rules tell the truth are as good as plain ones,
//! under every nesting of grad, jvp and vmap.

use pullback_transform::trace;

use crate::prelude::*;

/// xorshift64*
struct Rng(u64);
impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    fn array(&mut self, shape: &[usize]) -> Array {
        let n = shape.iter().product();
        let values: Vec<f64> = (0..n).map(|_| self.next() as f64 / (1u64 << 52) as f64 - 1.).collect();
        array(&values, shape, Dtype::F64)
    }
}

/// A program over variables that all have one shape; so has its value.
#[derive(Debug)]
enum Expr {
    Var(usize),
    Add(Box<Expr>, Box<Expr>),
    Mul(Box<Expr>, Box<Expr>),
    Sin(Box<Expr>),
    /// The mean, repeated.
    Mean(Box<Expr>),
    /// Function, with which rules, of what; the last number is the variable it captures.
    Call(usize, usize, Vec<Expr>, usize),
    Grad(usize, Box<Expr>),
    Jvp(usize, Box<Expr>, Box<Expr>),
    /// Over an axis, of the variables marked; of the others the sum over that axis.
    Vmap(usize, Vec<bool>, Box<Expr>),
    /// Recorded, as a function of the variables marked; the others are captured.
    Record(Vec<bool>, Box<Expr>),
}

const VARS: usize = 3;
/// A soak of 20 000 takes a quarter of a minute.
const PROGRAMS: usize = 3000;

fn program(rng: &mut Rng, size: usize, rank: usize, transforms: usize) -> Expr {
    let part = |rng: &mut Rng| Box::new(program(rng, size / 2, rank, transforms));
    if size == 0 {
        return Expr::Var(rng.below(VARS));
    }
    match rng.below(if transforms > 0 { 18 } else { 10 }) {
        0 => Expr::Add(part(rng), part(rng)),
        1 => Expr::Mul(part(rng), part(rng)),
        2 => Expr::Sin(part(rng)),
        3 => Expr::Mean(part(rng)),
        4..=9 => Expr::Call(rng.below(4), rng.below(KINDS), vec![*part(rng), *part(rng)], rng.below(VARS)),
        10 | 11 => Expr::Grad(rng.below(VARS), Box::new(program(rng, size, rank, transforms - 1))),
        12 | 13 => {
            let along = program(rng, size / 2, rank, transforms - 1);
            Expr::Jvp(rng.below(VARS), Box::new(program(rng, size, rank, transforms - 1)), Box::new(along))
        }
        16 | 17 => {
            let marks = (0..VARS).map(|_| rng.below(2) == 0).collect();
            Expr::Record(marks, Box::new(program(rng, size, rank, transforms - 1)))
        }
        _ if rank == 0 => program(rng, size, rank, transforms - 1),
        _ => {
            let mut marks: Vec<bool> = (0..VARS).map(|_| rng.below(2) == 0).collect();
            marks[rng.below(VARS)] = true;
            Expr::Vmap(rng.below(rank), marks, Box::new(program(rng, size, rank - 1, transforms - 1)))
        }
    }
}

/// The functions: two arguments and one captured array, all of one shape.
fn function(which: usize, x: &[Array], c: &Array) -> Array {
    match which {
        0 => sin(&x[0]) * &x[1] + c,
        1 => &x[0] * &x[1] * c,
        2 => exp(&(&x[0].full_like(0.3) * &x[1])) * &sin(&(&x[0] * c)),
        _ => spread(&(&x[0] * &x[1])) * cos(c),
    }
}
/// Derivatives of the first three, by the two arguments; the fourth has rules of its own.
fn slopes(which: usize, x: &[Array], c: &Array) -> [Array; 2] {
    match which {
        0 => [cos(&x[0]) * &x[1], sin(&x[0])],
        1 => [&x[1] * c, &x[0] * c],
        _ => {
            let e = exp(&(&x[0].full_like(0.3) * &x[1]));
            let s = sin(&(&x[0] * c));
            [&e * &(cos(&(&x[0] * c)) * c), x[0].full_like(0.3) * &e * s]
        }
    }
}
fn spread(g: &Array) -> Array {
    broadcast(&sum_all(g), g.shape())
}

/// 0 to 8: closures, 9: checkpoint, from 10 on: custom functions within bodies and rules.
const KINDS: usize = 14;

/// Which rules the custom functions of a program have.
#[derive(Clone, Copy, PartialEq)]
enum With {
    /// None: no custom functions.
    Plain,
    TrueRules,
    /// A vjp rule clips, a jvp rule is out by a factor.
    FalseRules,
}

/// Function `which` by rules of kind `kind`.
fn custom(which: usize, kind: usize, x: &[Array], c: &Array, with: With) -> Result<Vec<Array>> {
    let lie = with == With::FalseRules;
    // As an argument or as a capture: its gradient is the body's where it is captured, so the
    // rules need not know of it.
    let (a, b, d, e) = (c.clone(), c.clone(), c.clone(), c.clone());
    let body = move |x: &[Array]| Ok(vec![function(which, x, &a)]);
    let pull = move |x: &[Array], g: &Array| {
        if which == 3 {
            let g = spread(&(g * cos(&b)));
            return vec![&g * &x[1], &g * &x[0]];
        }
        slopes(which, x, &b).iter().map(|slope| g * slope).collect()
    };
    let pull = move |x: &[Array], g: &Array| {
        let grads: Vec<Array> = pull(x, g);
        if lie { grads.iter().map(|g| clip(&(2. * g), -0.2, 0.3)).collect() } else { grads }
    };
    let push = move |x: &[Array], t: &[Array]| {
        if which == 3 {
            return spread(&(&t[0] * &x[1] + &t[1] * &x[0])) * cos(&d);
        }
        let s = slopes(which, x, &d);
        let sum = &s[0] * &t[0] + &s[1] * &t[1];
        if lie { 3. * sum } else { sum }
    };
    let mapped = move |x: &[Array], axes: &[Option<usize>], size: usize| {
        let front =
            |i: usize| axes[i].map_or_else(|| repeat(&x[i], 0, size), |axis| move_axis(&x[i], axis, 0));
        let (x, y, c) = (front(0), front(1), repeat(&e, 0, size));
        if which == 3 {
            let inner: Vec<usize> = (1..x.shape().len()).collect();
            let dots = {
                let dots = sum(&(&x * &y), &inner);
                let ones: Vec<usize> =
                    x.shape().iter().enumerate().map(|(axis, &n)| if axis == 0 { n } else { 1 }).collect();
                broadcast(&reshape(&dots, &ones), x.shape())
            };
            return Ok((vec![dots * cos(&c)], vec![Some(0)]));
        }
        Ok((vec![function(which, &[x, y], &c)], vec![Some(0)]))
    };
    if kind == 9 {
        return checkpoint(body, x);
    }
    if kind > 9 {
        return nested(which, kind, x, c, with);
    }
    let f = Custom::new("f", &["x", "y"], body.clone()).captured(Captured::Differentiate);
    let f = match kind {
        0 | 5 => f.vjp(move |call: &Call, g| Ok(pull(call.inputs, &g[0]).into())),
        1 | 6 => f.jvp(move |call: &Call, t| Ok(push(call.inputs, t).into())),
        2 | 7 => f
            .vjp(move |call: &Call, g| Ok(pull(call.inputs, &g[0]).into()))
            .jvp(move |call: &Call, t| Ok(push(call.inputs, t).into())),
        3 | 8 => f.forward_backward(
            // Residuals: the arguments, and something computed.
            move |x| Ok((body(x)?, vec![x[0].clone(), 2. * &x[1]])),
            move |call: &Call, g| {
                let x = [call.residual(0).clone(), 0.5 * call.residual(1)];
                Ok(pull(&x, &g[0]).into())
            },
        ),
        _ => f.missing(Missing::Body),
    };
    let f = if (5..=8).contains(&kind) { f.vmap(mapped) } else { f };
    f.call(x)
}

/// Function `which`, in terms of the function of another kind.
fn nested(which: usize, kind: usize, x: &[Array], c: &Array, with: With) -> Result<Vec<Array>> {
    let (a, b) = (c.clone(), c.clone());
    let inner = move |kind: usize| {
        let c = a.clone();
        move |x: &[Array]| custom(which, kind, x, &c, with)
    };
    let (with_vjp, with_jvp, with_vmap) = (inner(which), inner(3 - which), inner(5 + which));
    let f = Custom::new("g", &["x", "y"], inner(8 - which)).captured(Captured::Differentiate);
    let f = match kind {
        10 => return f.call(x),
        11 => return checkpoint(with_vmap, x),
        12 => f.vjp(move |call, g| Ok(vjp(&with_vjp, call.inputs)?.1.call_dense(g)?.into())),
        _ => f.jvp(move |call, t| Ok(jvp(&with_jvp, call.inputs, t)?.1.into())).vmap(move |x, axes, _| {
            // The capture is one example's, and not mapped by this rule.
            let f = |x: &[Array]| custom(which, 0, x, &b, with);
            Ok((vmap(&f, x, axes)?, vec![Some(0)]))
        }),
    };
    f.call(x)
}

fn run(e: &Expr, env: &[Array], rules: With) -> Result<Array> {
    let go = |e: &Expr| run(e, env, rules);
    let with = |i: usize, x: &Array| {
        let mut env = env.to_vec();
        env[i] = x.clone();
        env
    };
    Ok(match e {
        Expr::Var(i) => env[*i].clone(),
        Expr::Add(a, b) => go(a)? + go(b)?,
        Expr::Mul(a, b) => go(a)? * go(b)?,
        Expr::Sin(a) => sin(&go(a)?),
        Expr::Mean(a) => {
            let a = go(a)?;
            // Somebody looks at it on the way, where there is something to be seen: it may forget its history.
            if rules == With::TrueRules {
                eval(&a).ok();
            }
            spread(&a) * a.full_like(1. / a.aval().size() as f64)
        }
        Expr::Call(which, kind, args, c) => {
            let args = args.iter().map(go).collect::<Result<Vec<Array>>>()?;
            match rules {
                With::Plain => function(*which, &args, &env[*c]),
                _ => custom(*which, *kind, &args, &env[*c], rules)?.remove(0),
            }
        }
        Expr::Grad(i, body) => {
            grad(&|x| Ok(vec![run(body, &with(*i, &x[0]), rules)?]), &[env[*i].clone()])?.remove(0)
        }
        Expr::Jvp(i, body, along) => {
            let f = |x: &[Array]| Ok(vec![run(body, &with(*i, &x[0]), rules)?]);
            jvp(&f, &[env[*i].clone()], &[go(along)?])?.1.remove(0)
        }
        Expr::Vmap(axis, marks, body) => {
            let inside = |x: &[Array]| Ok(vec![run(body, x, rules)?]);
            let each = env.iter().zip(marks);
            let args: Vec<Array> =
                each.map(|(x, &mark)| if mark { x.clone() } else { sum(x, &[*axis]) }).collect();
            let axes: Vec<Option<usize>> = marks.iter().map(|&mark| mark.then_some(*axis)).collect();
            move_axis(&vmap(&inside, &args, &axes)?.remove(0), 0, *axis)
        }
        Expr::Record(marks, body) => {
            let inside = |x: &[Array]| {
                let mut x = x.iter();
                let each = env.iter().zip(marks);
                let env: Vec<Array> =
                    each.map(|(v, &mark)| if mark { x.next().unwrap().clone() } else { v.clone() }).collect();
                Ok(vec![run(body, &env, rules)?])
            };
            let args: Vec<Array> =
                env.iter().zip(marks).filter(|(_, m)| **m).map(|(x, _)| x.clone()).collect();
            let avals: Vec<_> = args.iter().map(|x| x.aval().clone()).collect();
            trace(&inside, &avals)?.call(&args)?.remove(0)
        }
    })
}

/// Where the two differ, in words.
fn difference(expr: &Expr, env: &[Array]) -> Option<String> {
    let top = |rules| eval(&run(expr, env, rules)?);
    let want = top(With::Plain).unwrap_or_else(|error| panic!("{expr:?}: plain: {error}"));
    let got = match top(With::TrueRules) {
        Ok(got) => got,
        Err(error) => return Some(error.to_string()),
    };
    let near = |(a, b): (&f64, &f64)| {
        (a - b).abs() <= 1e-8 * (1. + a.abs().max(b.abs())) || a.is_nan() && b.is_nan()
    };
    let same = got.len() == want.len() && got.iter().zip(&*want).all(near);
    (!same).then(|| format!("{got:?} is not {want:?}"))
}

#[test]
fn random_programs() {
    let mut rng = Rng(0x9E37_79B9_7F4A_7C15);
    let (mut nested, mut failures) = (0, Vec::new());
    for _ in 0..PROGRAMS {
        let rank = rng.below(3);
        let shape: Vec<usize> = (0..rank).map(|_| 1 + rng.below(3)).collect();
        let transforms = 1 + rng.below(3);
        let expr = program(&mut rng, 20, rank, transforms);
        let env: Vec<Array> = (0..VARS).map(|_| rng.array(&shape)).collect();
        if let Some(text) = difference(&expr, &env) {
            failures.push(format!("{expr:?} of shape {shape:?}: {text}"));
        }
        nested += usize::from(depth(&expr) >= 2);
    }
    // The shortest is the one to read.
    failures.sort_by_key(String::len);
    assert!(failures.is_empty(), "{} programs differ, such as {}", failures.len(), failures[0]);
    assert!(nested > 500, "{nested} nested");
}

fn row(x: &Array, i: usize) -> Array {
    let values = x.values();
    let size = values.len() / x.shape()[0];
    array(&values[i * size..][..size], &x.shape()[1..], Dtype::F64)
}

/// Whatever the rules say, linear or not, vmap is a loop; and derivatives commute with it. Where
/// a rule cannot be transposed, all of them must say so.
#[test]
fn vmap_is_a_loop_whatever_the_rules_say() {
    let mut rng = Rng(0x2545_F491_4F6C_DD1D);
    let (mut compared, mut refused, mut failures) = (0, 0, Vec::new());
    for _ in 0..PROGRAMS / 3 {
        let rank = rng.below(2);
        let shape: Vec<usize> = (0..=rank).map(|_| 2 + rng.below(2)).collect();
        let transforms = rng.below(3);
        let expr = program(&mut rng, 10, rank, transforms);
        let env: Vec<Array> = (0..VARS).map(|_| rng.array(&shape)).collect();
        // Some variables are shared by all examples.
        let mut marks = [0; VARS].map(|_| rng.below(3) > 0);
        marks[rng.below(VARS)] = true;
        let env: Vec<Array> =
            env.iter().zip(marks).map(|(x, mark)| if mark { x.clone() } else { row(x, 0) }).collect();
        let axes = marks.map(|mark| mark.then_some(0));
        let f = |x: &[Array]| Ok(vec![run(&expr, x, With::FalseRules)?]);
        let slope = |x: &[Array]| grad(&f, x);
        // One row per example of every result; summed up where that is asked for.
        let loops = |f: &Fun, sums: [bool; VARS]| -> Result<Vec<f64>> {
            let mut rows = vec![Vec::new(); VARS];
            for i in 0..shape[0] {
                let one = |(x, mark): (&Array, bool)| if mark { row(x, i) } else { x.clone() };
                let args: Vec<Array> = env.iter().zip(marks).map(one).collect();
                for ((y, rows), sum) in f(&args)?.iter().zip(&mut rows).zip(sums) {
                    match rows.is_empty() || !sum {
                        true => rows.extend(y.values()),
                        false => rows.iter_mut().zip(y.values()).for_each(|(total, y)| *total += y),
                    }
                }
            }
            Ok(rows.concat())
        };
        let all = |y: Result<Vec<Array>>| -> Result<Vec<f64>> {
            Ok(y?.iter().map(eval).collect::<Result<Vec<_>>>()?.concat())
        };
        let (none, shared) = ([false; VARS], marks.map(|mark| !mark));
        let ways = [
            (all(vmap(&f, &env, &axes)), loops(&f, none)),
            (all(vmap(&slope, &env, &axes)), loops(&slope, none)),
            (all(grad(&|x| vmap(&f, x, &axes), &env)), loops(&slope, shared)),
        ];
        for (way, (got, want)) in ways.into_iter().enumerate() {
            let same = match (&got, &want) {
                (Ok(got), Ok(want)) => {
                    compared += 1;
                    let near = |(a, b): (&f64, &f64)| {
                        (a - b).abs() <= 1e-8 * (1. + b.abs()) || a.is_nan() && b.is_nan()
                    };
                    got.len() == want.len() && got.iter().zip(want).all(near)
                }
                (Err(got), Err(_)) => {
                    refused += 1;
                    got.kind() == ErrorKind::Rule
                }
                _ => false,
            };
            if !same {
                failures.push(format!("{expr:?} of {marks:?}, way {way}: {got:?} is not {want:?}"));
            }
        }
    }
    failures.sort_by_key(String::len);
    assert!(failures.is_empty(), "{} programs differ, such as {}", failures.len(), failures[0]);
    assert!(compared > PROGRAMS / 2 && refused > 20, "{compared} compared, {refused} refused");
}

fn depth(e: &Expr) -> usize {
    match e {
        Expr::Var(_) => 0,
        Expr::Add(a, b) | Expr::Mul(a, b) => depth(a).max(depth(b)),
        Expr::Sin(a) | Expr::Mean(a) => depth(a),
        Expr::Call(_, _, args, _) => args.iter().map(depth).max().unwrap_or(0),
        Expr::Grad(_, body) | Expr::Vmap(_, _, body) | Expr::Record(_, body) => 1 + depth(body),
        Expr::Jvp(_, body, along) => depth(along).max(1 + depth(body)),
    }
}
