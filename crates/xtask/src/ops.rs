//! The table of operations for readers, from the rows themselves.

use std::fmt::Write;
use std::path::Path;

use pullback_core::op::{Batch, Diff, Kernel, OpDef};
use pullback_core::ops;

/// Where it stands.
pub const PAGE: &str = "docs/ops.md";

/// The page.
pub fn page() -> String {
    let mut text = String::from(
        "# Operations\n\nWritten by `cargo xtask ops` from the rows in `crates/core/src/ops`.\n\n",
    );
    text.push_str("| operation | operands | types | derivative | batched | kernel | what it computes |\n");
    text.push_str("|---|---|---|---|---|---|---|\n");
    for op in ops::all() {
        let doc = op.doc.lines().next().unwrap_or_default().trim().replace('|', "\\|");
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {} | {} | {doc} |",
            op.name,
            op.args.join(", "),
            op.dtypes.words(),
            diff(op),
            batch(op),
            kernel(op),
        );
    }
    let _ = writeln!(text, "\n{} operations.", ops::all().count());
    text
}

/// Whether the page is what the rows say.
pub fn check(root: &Path) -> Vec<String> {
    let there = std::fs::read_to_string(root.join(PAGE)).unwrap_or_default();
    if there == page() { vec![] } else { vec![format!("{PAGE}: stale, run `cargo xtask ops`")] }
}

fn diff(op: &OpDef) -> String {
    match &op.diff {
        Diff::Pointwise(_) => "pointwise".into(),
        Diff::Linear(_) | Diff::LinearAll(_) => "linear".into(),
        Diff::Bilinear(..) => "bilinear".into(),
        Diff::Zero => "zero".into(),
        Diff::Custom { .. } => "by rule".into(),
        Diff::Opaque(why) => format!("none: {why}"),
    }
}

fn batch(op: &OpDef) -> String {
    match &op.batch {
        Batch::Lead(_) => "leading axis".into(),
        Batch::Custom(_) => "by rule".into(),
        Batch::Missing(why) => format!("no: {why}"),
    }
}

fn kernel(op: &OpDef) -> String {
    match &op.kernel {
        Kernel::Map(map) => format!("elements: {map:?}"),
        Kernel::Cast | Kernel::Bitcast => "elements".into(),
        Kernel::Fold(fold) => format!("reduction: {fold:?}"),
        Kernel::View(_) => "layout".into(),
        Kernel::Whole(_) => "whole arrays".into(),
        Kernel::Host => "a call of the host".into(),
    }
}
