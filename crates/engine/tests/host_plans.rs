//! Plans of calls of the host: counted in a process where nothing else makes any.

use std::sync::Arc;

use pullback::callback::{Callback, HostCall, PURE_CALLBACK, VmapMethod, call};
use pullback::{Array, array, plans, to_f64};

#[test]
fn plans_serve_other_closures_and_keep_none() {
    let x = array(&[1., 2., 3.], &[3]).unwrap();
    let held = Arc::new(());
    let one = |by: f64| -> Array {
        let held = held.clone();
        let f: Arc<dyn Callback> = Arc::new(move |x: &[Array]| {
            let _held = &held;
            Ok(vec![&x[0] + by])
        });
        let avals = vec![x.aval().clone()];
        call(HostCall::new(&PURE_CALLBACK, f, avals, VmapMethod::Refuse), &[&x]).unwrap().remove(0)
    };
    let three = |by: f64| to_f64(&(&one(by) * 3.)).unwrap();
    assert_eq!(three(1.), [6., 9., 12.]);
    // Some numbers are known to plans, and others not: those of the closure.
    assert_eq!((three(2.)[0], three(3.)[0]), (9., 12.));
    let before = plans();
    for by in 3..9 {
        assert_eq!(three(f64::from(by))[1], 3. * (2. + f64::from(by)));
    }
    assert_eq!(plans(), before);
    // Two closures and one closure twice are two structures.
    let f = one(1.);
    let twice = to_f64(&(&f + &f)).unwrap();
    let two = to_f64(&(&one(1.) + &one(2.))).unwrap();
    assert_eq!((twice[0], two[0]), (4., 5.));
    drop(f);
    assert_eq!(Arc::strong_count(&held), 1);
}
