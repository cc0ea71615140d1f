//! The same path on the GPU, and between the devices. Without an adapter there is nothing to test, and it says so.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pullback::{
    Array, Aval, Device, Dtype, array, available, eval, from_f64, fun, place, take_notices, to_f64,
};

/// The GPU to oneself: kernels are counted. `None` if there is no GPU, and says so.
fn gpu() -> Option<MutexGuard<'static, ()>> {
    static ALONE: Mutex<()> = Mutex::new(());
    if !available(Device::Gpu) {
        println!("skipped: no GPU adapter");
        return None;
    }
    Some(ALONE.lock().unwrap_or_else(PoisonError::into_inner))
}

fn close(got: &Array, want: &[f64]) {
    for (got, want) in to_f64(got).unwrap().iter().zip(want) {
        assert!((got - want).abs() <= 1e-5 * want.abs().max(1.), "{got} is not {want}");
    }
}

#[test]
fn elements_reductions_and_products() {
    let Some(_alone) = gpu() else { return };
    let x = array(&[1., 2., 3., 4., 5., 6.], &[2, 3]).unwrap();
    let _here = place::on(Some(Device::Gpu));
    let y = fun::exp(&(&x * 0.3)).unwrap();
    close(&y, &[0.3f64, 0.6, 0.9, 1.2, 1.5, 1.8].map(f64::exp));
    assert_eq!(y.data().unwrap().device(), Device::Gpu);
    close(&fun::sum(&(&x * &x), &[1]).unwrap(), &[14., 77.]);
    let z = fun::matmul(&x, &fun::transpose(&x, &[1, 0]).unwrap()).unwrap();
    close(&z, &[14., 32., 32., 77.]);
}

#[test]
fn arrays_travel_between_devices() {
    let Some(_alone) = gpu() else { return };
    let x = array(&[1., 2., 3.], &[3]).unwrap();
    let y = {
        let _here = place::on(Some(Device::Gpu));
        &x * 2.
    };
    let z = {
        let _here = place::on(Some(Device::Cpu));
        &y + &x
    };
    let w = {
        let _here = place::on(Some(Device::Gpu));
        &z * &y
    };
    close(&w, &[6., 24., 54.]);
}

#[test]
fn doubles_run_on_the_cpu_and_say_so_once() {
    let Some(_alone) = gpu() else { return };
    let x = from_f64(&[1., 2.], Aval::new([2], Dtype::F64)).unwrap();
    let _here = place::on(Some(Device::Gpu));
    take_notices();
    close(&(&x * &x), &[1., 4.]);
    let said = take_notices();
    assert!(said.iter().any(|text| text.contains("float64")), "{said:?}");
    close(&(&x * &x), &[1., 4.]);
    assert!(take_notices().is_empty());
}

#[test]
fn numbers_that_change_are_no_new_kernels() {
    let Some(_alone) = gpu() else { return };
    let x = array(&[1., 2.], &[2]).unwrap();
    let _here = place::on(Some(Device::Gpu));
    let step = |number: f64| {
        let y = &x * number;
        eval(std::slice::from_ref(&y), &mut || Ok(())).unwrap();
        close(&y, &[number, 2. * number]);
        pullback::devices::gpu().unwrap().memory().kernels
    };
    let kernels = step(0.11);
    for turn in 0..20 {
        assert_eq!(step(0.12 + f64::from(turn)), kernels);
    }
}
