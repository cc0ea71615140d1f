//! What rules cost to build, in nanoseconds per call: `cargo run --release -p pullback-transform --example cost`.
//!
//! Graphs are built and dropped, never computed. A plain function, the same with a vjp rule, and with a vmap
//! rule besides, in a chain.

use std::time::Instant;

use pullback_base::{Aval, Dtype, Result, Scalar};
use pullback_core::{Array, fun};
use pullback_transform::{Custom, Fun, jvp_dense, trace, vjp, vmap};

const CHAIN: usize = 1000;

fn best(f: &dyn Fn()) -> f64 {
    let once = |_| {
        let start = Instant::now();
        f();
        start.elapsed().as_nanos() as f64 / CHAIN as f64
    };
    (0..50).map(once).fold(f64::INFINITY, f64::min)
}

fn grad(f: &Fun, x: &[Array]) -> Result<Vec<Array>> {
    let (y, back) = vjp(f, x)?;
    back.call_dense(&[y[0].full_like(1.)])
}

fn main() {
    let sin = || {
        let f = Custom::new("sin", &["x"], |x| Ok(vec![fun::sin(&x[0])?]));
        f.vjp(|call, g| Ok((&g[0] * &fun::cos(&call.inputs[0])?).into()))
    };
    let custom = sin();
    let mapped = sin().vmap(|x, axes, _| Ok((vec![fun::sin(&x[0])?], axes.to_vec())));
    let chain = |f: &dyn Fn(&[Array]) -> Result<Vec<Array>>, x: &[Array]| {
        let mut x = x.to_vec();
        for _ in 0..CHAIN {
            x = f(&x)?;
        }
        Ok(x)
    };
    let plain = |x: &[Array]| chain(&|x| Ok(vec![fun::sin(&x[0])?]), x);
    let ruled = |x: &[Array]| chain(&|x| custom.call(x), x);
    let twice = |x: &[Array]| chain(&|x| mapped.call(x), x);
    let one = [Array::scalar(Scalar::Float(1.), Dtype::F32)];
    let many = [Array::full(Scalar::Float(1.), &Aval::new([2], Dtype::F32))];
    println!("{:24}{:>9}{:>9}{:>11}", "ns per call", "plain", "vjp", "vjp+vmap");
    let row = |name: &str, run: &dyn Fn(&Fun)| {
        let of = |f: &Fun| best(&|| run(f));
        println!("{name:24}{:9.0}{:9.0}{:11.0}", of(&plain), of(&ruled), of(&twice));
    };
    let over = |f: &Fun, x: &[Array]| -> Result<Vec<Array>> {
        Ok(vmap(f, x, &[Some(0)], None)?.into_iter().map(|(y, _)| y).collect())
    };
    row("call", &|f| drop(f(&one).unwrap()));
    row("grad", &|f| drop(grad(f, &one).unwrap()));
    row("jvp", &|f| drop(jvp_dense(f, &one, &one).unwrap()));
    row("vmap", &|f| drop(over(f, &many).unwrap()));
    row("grad of vmap", &|f| drop(grad(&|x| over(f, x), &many).unwrap()));
    row("vmap of grad", &|f| drop(over(&|x| grad(f, x), &many).unwrap()));
    let avals = [one[0].aval().clone()];
    row("recorded: call", &|f| {
        let traced = trace(f, &avals).unwrap();
        for _ in 0..10 {
            traced.call(&one).unwrap();
        }
    });
}
