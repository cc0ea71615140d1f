//! Fitting an N-dimensional space to rows × columns.
//!
//! Axes of size 1 are dropped and neighbours merged where every input continues from one to the other. What is left
//! is cut: the last axis is the columns, the others are rows (made of several axes if need be), and some
//! reductions run once for each position along leading axes.

use smallvec::SmallVec;

use crate::ir::{Axis, Layout};
use crate::run::{Input, Strides};

/// The axes of a space as its inputs see them. Inputs that are not used have strides 0.
#[derive(Clone, Debug, Default)]
pub(crate) struct Axes {
    pub sizes: SmallVec<[usize; 4]>,
    pub reduced: SmallVec<[bool; 4]>,
    /// For each input, the stride of each axis, in elements.
    pub strides: SmallVec<[Strides; 4]>,
}

/// What a run does with its axes: the first `lead` are looped over outside, the last is the columns.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    pub axes: Axes,
    pub lead: usize,
    /// What is reduced over, if anything.
    pub axis: Option<Axis>,
}

/// Rows from which on reducing each by itself keeps all threads busy.
const MANY_ROWS: usize = 64;
/// Columns from which on one row is work for several threads.
const LONG_ROW: usize = 1 << 16;
/// Points of a reduction over rows below which its setting up is what takes time.
const FEW_POINTS: usize = 512;

impl Axes {
    /// The axes of `sizes`, each reduced or not, of inputs with `strides`; `None` for one that is not used.
    pub(crate) fn new<'a>(
        sizes: &[usize],
        reduced: &[bool],
        strides: impl Iterator<Item = Option<&'a [isize]>>,
    ) -> Axes {
        let real: SmallVec<[usize; 4]> = (0..sizes.len()).filter(|&axis| sizes[axis] != 1).collect();
        let of = |strides: Option<&[isize]>| -> Strides {
            real.iter().map(|&axis| strides.map_or(0, |strides| strides[axis])).collect()
        };
        Axes {
            sizes: real.iter().map(|&axis| sizes[axis]).collect(),
            reduced: real.iter().map(|&axis| reduced.get(axis).copied().unwrap_or(false)).collect(),
            strides: strides.map(of).collect(),
        }
    }

    pub(crate) fn reduces(&self) -> bool {
        self.reduced.contains(&true)
    }

    /// Merges neighbours where every input continues from one to the other.
    pub(crate) fn collapse(&mut self) {
        let mut last = 0;
        for axis in 1..self.sizes.len() {
            let size = self.sizes[axis];
            let continues = self.reduced[last] == self.reduced[axis]
                && self.strides.iter().all(|strides| strides[last] == strides[axis] * size as isize);
            if continues {
                self.sizes[last] *= size;
            } else {
                last += 1;
                self.sizes[last] = size;
                self.reduced[last] = self.reduced[axis];
            }
            for strides in &mut self.strides {
                strides[last] = strides[axis];
            }
        }
        let left = if self.sizes.is_empty() { 0 } else { last + 1 };
        self.sizes.truncate(left);
        self.reduced.truncate(left);
        self.strides.iter_mut().for_each(|strides| strides.truncate(left));
    }

    /// Axis i of the result is axis `order[i]`.
    fn permute(&self, order: &[usize]) -> Axes {
        Axes {
            sizes: order.iter().map(|&axis| self.sizes[axis]).collect(),
            reduced: order.iter().map(|&axis| self.reduced[axis]).collect(),
            strides: self.strides.iter().map(|of| order.iter().map(|&axis| of[axis]).collect()).collect(),
        }
    }

    fn which(&self, reduced: bool) -> SmallVec<[usize; 4]> {
        (0..self.sizes.len()).filter(|&axis| self.reduced[axis] == reduced).collect()
    }

    /// The cut of a space where nothing is reduced.
    pub(crate) fn cut_points(mut self) -> Cut {
        self.collapse();
        Cut { axes: self, lead: 0, axis: None }
    }

    /// The cut of a reduction that leaves the order of points as it is, so that outputs of every point can be
    /// written along the way; `None` if there is none.
    pub(crate) fn cut_in_order(mut self) -> Option<Cut> {
        self.collapse();
        let changes = self.reduced.windows(2).filter(|pair| pair[0] != pair[1]).count();
        let (kept, folded) = (self.which(false).len(), self.which(true).len());
        let axis = match self.reduced.last()? {
            _ if kept == 0 => Axis::All,
            true if changes == 1 && folded == 1 => Axis::Inner,
            false if changes == 1 && kept == 1 => Axis::Outer,
            _ => return None,
        };
        Some(Cut { axes: self, lead: 0, axis: Some(axis) })
    }

    /// The cut of a reduction without outputs of every point. With `Axis::Inner` and several reduced axes left, only
    /// the last one is reduced over: the result has to be reduced again over the others.
    pub(crate) fn cut_fold(mut self) -> Cut {
        self.collapse();
        let (kept, mut folded) = (self.which(false), self.which(true));
        let rows: usize = kept.iter().map(|&axis| self.sizes[axis]).product();
        let inside: usize = folded.iter().map(|&axis| self.sizes[axis]).product();
        if !kept.is_empty() && !self.folds_last(&kept, &folded) {
            let width = self.sizes[kept[kept.len() - 1]];
            if kept.len() == 1 || inside * width >= FEW_POINTS {
                // Rows are what is reduced, columns the last axis that is kept.
                let lead = kept.len() - 1;
                let order: SmallVec<[usize; 4]> =
                    kept[..lead].iter().chain(&folded).chain(&kept[lead..]).copied().collect();
                return Cut { axes: self.permute(&order), lead, axis: Some(Axis::Outer) };
            }
        }
        if let Some(strides) =
            self.strides.iter().find(|strides| folded.iter().any(|&axis| strides[axis] != 0))
        {
            folded.sort_by_key(|&axis| std::cmp::Reverse(strides[axis].unsigned_abs()));
        }
        let order: SmallVec<[usize; 4]> = kept.iter().chain(&folded).copied().collect();
        let mut axes = self.permute(&order);
        axes.collapse();
        let kept = axes.reduced.iter().filter(|&&reduced| !reduced).count();
        if kept == 0 || (rows < MANY_ROWS && inside >= LONG_ROW) {
            return Cut { axes, lead: kept, axis: Some(Axis::All) };
        }
        Cut { axes, lead: 0, axis: Some(Axis::Inner) }
    }

    /// Whether most inputs lie closer together along what is reduced than along the last axis that is kept.
    fn folds_last(&self, kept: &[usize], folded: &[usize]) -> bool {
        let last = kept[kept.len() - 1];
        let vote = |strides: &Strides| {
            let nearest =
                folded.iter().map(|&axis| strides[axis].unsigned_abs()).filter(|&stride| stride != 0);
            match (nearest.min(), strides[last].unsigned_abs()) {
                (None, 0) => 0,
                (None, _) => -1,
                (Some(_), 0) => 1,
                (Some(fold), keep) => {
                    if fold < keep {
                        1
                    } else {
                        -1
                    }
                }
            }
        };
        let votes: i32 = self.strides.iter().map(vote).sum();
        votes > 0 || (votes == 0 && self.reduced[self.reduced.len() - 1])
    }
}

impl Cut {
    /// Sizes of the axes that rows are made of.
    pub(crate) fn outer(&self) -> &[usize] {
        let last = self.axes.sizes.len().saturating_sub(1);
        &self.axes.sizes[self.lead.min(last)..last]
    }

    pub(crate) fn cols(&self) -> usize {
        // All axes lead where nothing but single points is left.
        if self.lead == self.axes.sizes.len() { 1 } else { self.axes.sizes[self.axes.sizes.len() - 1] }
    }

    /// How an input lies.
    pub(crate) fn layout(&self, input: usize) -> Layout {
        let strides = &self.axes.strides[input][self.lead..];
        let Some((&col, rows)) = strides.split_last() else {
            // One point: every layout is the same, and this one is read in place.
            return Layout::Full;
        };
        let follows = |first: isize| {
            let mut expected = first;
            self.outer().iter().zip(rows).rev().all(|(&size, &stride)| {
                let fits = stride == expected;
                expected *= size as isize;
                fits
            })
        };
        let still = rows.iter().all(|&stride| stride == 0);
        match col {
            0 if still => Layout::Scalar,
            0 if follows(1) => Layout::Col,
            1 if follows(self.cols() as isize) => Layout::Full,
            1 if still => Layout::Row,
            1 => Layout::Pitched,
            _ => Layout::Strided,
        }
    }

    /// An input as the machine wants it.
    pub(crate) fn input(&self, input: usize, ptr: *const u8) -> Input {
        let strides = &self.axes.strides[input][self.lead..];
        match strides.split_last() {
            Some((&col, rows)) => Input { ptr, rows: Strides::from_slice(rows), col },
            None => Input { ptr, rows: Strides::new(), col: 0 },
        }
    }

    /// How often the leading axes make it run.
    pub(crate) fn turns(&self) -> usize {
        self.axes.sizes[..self.lead].iter().product()
    }

    /// Where an input starts in a turn, in elements.
    pub(crate) fn start(&self, input: usize, mut turn: usize) -> isize {
        let mut start = 0;
        for axis in (0..self.lead).rev() {
            let size = self.axes.sizes[axis];
            start += (turn % size) as isize * self.axes.strides[input][axis];
            turn /= size;
        }
        start
    }
}
