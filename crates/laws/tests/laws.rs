//! Every law over every row, on every device there is. `cargo test -p pullback-laws -- --nocapture` shows the counts.

use pullback::{Device, Dtype};
use pullback_laws::report::devices;
use pullback_laws::{Case, batch, cases, derivative, errors, layout, replay, run, value};

fn others() -> Vec<Device> {
    devices().into_iter().filter(|&device| device != Device::Cpu).collect()
}

#[test]
fn values_are_those_of_the_reference() {
    let types: Vec<Dtype> = Dtype::ALL.into_iter().filter(|&dtype| dtype != Dtype::C64).collect();
    for device in devices() {
        run("value", device, &cases(), &|case| value::check(case, &types));
    }
}

/// One order at a time over all rows, so that a wrong rule is reported against its own row before it spoils the
/// second derivative of another.
#[test]
fn derivatives_to_order_two() {
    for order in 1..=2 {
        run(&format!("derivative {order}"), Device::Cpu, &cases(), &|case| derivative::check(case, order));
    }
}

#[test]
fn derivatives_in_single_precision() {
    for device in devices() {
        run("derivative in float32", device, &cases(), &derivative::check_single);
    }
}

#[test]
fn vmap_is_a_loop() {
    for device in devices() {
        run("batch", device, &cases(), &|case| batch::check(case, &[0, 1, 3]));
    }
}

#[test]
fn layouts_do_not_matter() {
    for device in devices() {
        run("layout", device, &cases(), &layout::check);
    }
}

#[test]
fn recorded_functions_are_the_functions() {
    run("compile", Device::Cpu, &cases(), &replay::check);
}

#[test]
fn exported_functions_are_the_functions() {
    run("export", Device::Cpu, &cases(), &replay::exported);
}

#[test]
fn devices_agree() {
    for device in others() {
        run("cpu = gpu", device, &cases(), &replay::devices);
    }
}

#[test]
fn misfits_are_errors() {
    run("errors", Device::Cpu, &cases(), &errors::check);
}

/// Names are unique, every row is documented, has a sample, and names as many operands as its samples have.
#[test]
fn rows_are_complete() {
    let mut names: Vec<&str> = pullback::ops::all().map(|op| op.name).collect();
    let n = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(n, names.len(), "a name is used twice");
    for op in pullback::ops::all() {
        assert!(!op.doc.trim().is_empty() && !op.test.samples.is_empty(), "{}", op.name);
        let variadic = op.args == ["arrays"];
        for case in cases().iter().filter(|case: &&Case| case.op.name == op.name) {
            assert!(variadic || case.avals.len() == op.args.len(), "{}", case.name());
            assert!(case.infer().is_ok(), "{}", case.name());
        }
    }
    println!("{n} rows, {} cases", cases().len());
}
