//! Running a law over many cases, and saying how often it asked.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pullback::Device;

use crate::case::Case;

/// How often a law asked, or what was wrong.
pub type Outcome = Result<usize, String>;

/// `?` on errors of the engine inside a law.
pub fn said(error: pullback::Error) -> String {
    error.to_string()
}

/// Asks a law of every case on a device; all failures are told together.
///
/// # Panics
/// If there are any: this is the end of a test.
pub fn run(law: &str, device: Device, cases: &[Case], ask: &dyn Fn(&Case) -> Outcome) {
    let (mut asked, mut rows, mut wrong) = (0, BTreeSet::new(), Vec::new());
    for case in cases {
        let _here = pullback::place::on(Some(device));
        let outcome = catch_unwind(AssertUnwindSafe(|| ask(case))).unwrap_or_else(|payload| {
            let text = payload.downcast_ref::<String>().cloned();
            let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_string()));
            Err(format!("panicked: {}", text.unwrap_or_default()))
        });
        match outcome {
            Ok(0) => {}
            Ok(n) => {
                asked += n;
                rows.insert(case.op.name);
            }
            Err(text) => wrong.push(format!("{}: {text}", case.name())),
        }
    }
    println!("{law} on {device}: {} rows, {asked} checks", rows.len());
    let notices = pullback::take_notices();
    let reason = |notice: &str| notice.rsplit("] ").next().unwrap_or_default().to_string();
    let reasons: BTreeSet<String> = notices.iter().map(|notice| reason(notice)).collect();
    for why in reasons {
        let moved = notices.iter().filter(|notice| reason(notice) == why).count();
        println!("    {moved} kinds of work went to the CPU: {why}");
    }
    assert!(
        wrong.is_empty(),
        "{law} on {device}: {} of {} cases:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
    assert!(asked > 0, "{law} on {device} asked nothing");
}

/// The devices there are.
pub fn devices() -> Vec<Device> {
    [Device::Cpu, Device::Gpu].into_iter().filter(|&device| pullback::available(device)).collect()
}
