//! How many nodes live: counted in a process where nothing else makes any.

use pullback::{array, eval, live_nodes};

#[test]
fn what_is_evaluated_forgets_its_history() {
    let x = array(&[1., 2.], &[2]).unwrap();
    let mut y = x.clone();
    eval(&[&y + 1.], &mut || Ok(())).unwrap();
    let before = live_nodes();
    for _ in 0..100 {
        y = &y * 0.5 + &x;
        eval(std::slice::from_ref(&y), &mut || Ok(())).unwrap();
    }
    assert!(live_nodes() <= before + 4, "{} nodes, {before} before", live_nodes());
    assert!(y.node().inputs().is_empty());
}
