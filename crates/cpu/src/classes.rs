//! What each value of a program is per point, and when it can be had.
//!
//! * Every value has a *class*: one for all, one per row, or one per point.
//! * Every value has a *level*: how many reductions along the row lie below it. Level k is computed by the k-th walk
//!   over the row. So softmax and layer norm are ordinary programs: reduce, then read the row again while it
//!   is in cache. Values that could be had earlier wait for the walk of their first user.

use crate::ir::{Axis, Inst, Layout, Tiled};

/// How many elements a value has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Class {
    Uniform,
    PerRow,
    Full,
}

/// The analysis of a program.
pub(crate) struct Classes {
    pub class: Vec<Class>,
    /// The walk in which a value is computed, reduced or stored.
    pub walk: Vec<usize>,
    /// How many walks there are.
    pub walks: usize,
    /// True where every row is walked as a whole.
    pub whole_rows: bool,
}

/// Classes and walks of all values.
pub(crate) fn classify(program: &Tiled) -> Classes {
    let n = program.insts.len();
    let (mut class, mut level) = (vec![Class::Uniform; n], vec![0; n]);
    for (i, inst) in program.insts.iter().enumerate() {
        let args = inst.args().iter().map(|&arg| arg as usize);
        let widest = args.clone().map(|arg| class[arg]).max().unwrap_or(Class::Uniform);
        let below = args.map(|arg| level[arg]).max().unwrap_or(0);
        (class[i], level[i]) = match *inst {
            Inst::Load { layout: Layout::Scalar, .. } => (Class::Uniform, 0),
            Inst::Load { layout: Layout::Col, .. } => (Class::PerRow, 0),
            Inst::Load { .. } => (Class::Full, 0),
            Inst::Reduce { axis: Axis::Inner, .. } => (Class::PerRow, below + 1),
            _ => (widest, below),
        };
    }
    let mut walk = vec![usize::MAX; n];
    for (i, inst) in program.insts.iter().enumerate().rev() {
        walk[i] = match inst {
            Inst::Reduce { .. } | Inst::Store { .. } => {
                inst.args().iter().map(|&arg| level[arg as usize]).max().unwrap_or(0)
            }
            _ if class[i] != Class::Full => level[i],
            // The first of its users, all seen by now.
            _ => walk[i],
        };
        for &arg in inst.args() {
            walk[arg as usize] = walk[arg as usize].min(walk[i]);
        }
    }
    let walks = level.iter().max().map_or(1, |last| last + 1);
    let inner = |inst: &Inst| matches!(inst, Inst::Reduce { axis: Axis::Inner, .. });
    Classes { class, walk, walks, whole_rows: walks > 1 || program.insts.iter().any(inner) }
}
