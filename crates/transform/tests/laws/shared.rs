//! A call under vmap that is given nothing mapped is still one call per example: grad of vmap is the loop of grad.

use pullback_transform::trace;

use crate::prelude::*;

/// The identity, whose cotangent is clipped: the order of clip and sum shows.
fn clipped() -> Custom {
    Custom::new("clipped", &["w"], |x| Ok(x.to_vec())).vjp(|_, g| Ok(vec![clip(&g[0], -1., 1.)].into()))
}

fn clipped_by_rule() -> Custom {
    clipped().vmap(|x, axes, _| Ok((x.to_vec(), axes.to_vec())))
}

/// Sum over examples `x` of `x * w`, `w` being whole.
fn total<'a>(f: &'a Custom, x: &'a Array) -> impl Fn(&[Array]) -> Result<Vec<Array>> + 'a {
    move |w| vmap(&|x| Ok(vec![&x[0] * &f.call(&w[..1])?[0]]), &[x.clone()], &[Some(0)])
}

#[test]
fn a_captured_parameter_is_clipped_per_example() {
    let x = vector(&[0.5, 3., -4., 0.25]);
    for f in [clipped(), clipped_by_rule()] {
        let g = grad(&total(&f, &x), &[scalar(2.)]).unwrap();
        close(&g[0].values(), &[0.5 + 1. - 1. + 0.25]);
    }
}

#[test]
fn an_unmapped_argument_is_clipped_per_example() {
    let x = vector(&[0.5, 3., -4., 0.25]);
    let f = clipped();
    let each = |xw: &[Array]| Ok(vec![&xw[0] * &f.call(&xw[1..])?[0]]);
    let all = |w: &[Array]| vmap(&each, &[x.clone(), w[0].clone()], &[Some(0), None]);
    close(&grad(&all, &[scalar(2.)]).unwrap()[0].values(), &[0.75]);
}

#[test]
fn nested_maps_clip_for_every_pair() {
    let (x, y) = (vector(&[0.5, 3.]), vector(&[1., 2., -1.]));
    let f = clipped();
    let pairs = |w: &[Array]| {
        let over_y = |x: &Array| {
            let x = x.clone();
            let f = &f;
            vmap(&move |y| Ok(vec![&x * &y[0] * &f.call(&w[..1])?[0]]), &[y.clone()], &[Some(0)])
        };
        vmap(&|x| over_y(&x[0]), &[x.clone()], &[Some(0)])
    };
    // 0.5, 1, -0.5, 3 -> 1, 6 -> 1, -3 -> -1
    close(&grad(&pairs, &[scalar(2.)]).unwrap()[0].values(), &[0.5 + 1. - 0.5 + 1. + 1. - 1.]);
    // What is mapped by the inner map alone is shared by the outer one.
    let shared = |w: &[Array]| {
        let over_w = |x: &Array| {
            let x = x.clone();
            let f = &f;
            vmap(&move |w| Ok(vec![&x * &f.call(w)?[0]]), &[w[0].clone()], &[Some(0)])
        };
        vmap(&|x| over_w(&x[0]), &[x.clone()], &[Some(0)])
    };
    let g = grad(&shared, &[vector(&[1., 2.])]).unwrap();
    close(&g[0].values(), &[1.5, 1.5]);
}

#[test]
fn a_derivative_within_the_map_sees_one_example() {
    let x = vector(&[0.5, 3., -4.]);
    let f = clipped();
    let slope = |w: &[Array]| {
        let one = |x: &[Array]| {
            let x = x[0].clone();
            let f = &f;
            grad(&move |w| Ok(vec![&x * &f.call(w)?[0] * &w[0]]), &w[..1])
        };
        vmap(&one, &[x.clone()], &[Some(0)])
    };
    // d/dw of x w clip(w) is x w clipped, plus x w; the second derivative is x for the last term, and for the
    // first x where nothing is clipped, each cotangent being clipped again.
    let w = scalar(0.5);
    close(&slope(&[w.clone()]).unwrap()[0].values(), &[0.25 + 0.25, 1. + 1.5, -1. - 2.]);
    let by_loop: f64 = [0.5, 3., -4.]
        .into_iter()
        .map(|x| {
            let one = |w: &[Array]| grad(&|w| Ok(vec![x * &f.call(w)?[0] * &w[0]]), &w[..1]);
            grad(&one, &[w.clone()]).unwrap()[0].values()[0]
        })
        .sum();
    close(&grad(&slope, &[w]).unwrap()[0].values(), &[by_loop]);
}

#[test]
fn records_clip_per_example_wherever_they_were_made() {
    let x = vector(&[0.5, 3., -4., 0.25]);
    let f = clipped();
    let scalar_aval = scalar(0.).aval().clone();
    let product =
        trace(&|xw| Ok(vec![&xw[0] * &f.call(&xw[1..])?[0]]), &[scalar_aval.clone(), scalar_aval.clone()]);
    let product = product.unwrap();
    let inside = |w: &[Array]| {
        let one = |x: &[Array]| product.call(&[x[0].clone(), w[0].clone()]);
        vmap(&one, &[x.clone()], &[Some(0)])
    };
    close(&grad(&inside, &[scalar(2.)]).unwrap()[0].values(), &[0.75]);
    let outside = trace(&total(&f, &x), &[scalar_aval]).unwrap();
    close(&grad(&|w| outside.call(w), &[scalar(2.)]).unwrap()[0].values(), &[0.75]);
}

/// What a record captured, and made into something, is no argument of the record.
#[test]
fn a_captured_parameter_in_a_record_is_clipped_per_example() {
    let x = vector(&[0.5, 3., -4., 0.25]);
    let f = clipped();
    let slope = |w: &Array| Ok::<_, Error>(d(&|w| Ok(vec![&w[0] * &w[0]]), &[w.clone()])? * 0.5);
    let one = |x: &Array, w: &Array| {
        let record = trace(&|_| f.call(&[slope(w)?]), &[])?;
        Ok(vec![x * &record.call(&[])?[0]])
    };
    let all = |w: &[Array]| vmap(&|x| one(&x[0], &w[0]), &[x.clone()], &[Some(0)]);
    close(&grad(&all, &[scalar(2.)]).unwrap()[0].values(), &[0.75]);
}

#[test]
fn without_a_derivative_nothing_is_repeated() {
    let x = vector(&[0.5, 3.]);
    let f = clipped();
    let y = total(&f, &x)(&[scalar(2.)]).unwrap();
    assert!(!ops(&y).contains(&"after"), "{:?}", ops(&y));
}
