//! Tile code: what a plan is and what `run` walks.

use pullback_kernels::tile::{Kernel, fold::Reducer, layout::Spread};

use crate::ir::Layout;

/// Bytes of a tile register: 768 floats. Eight of them leave room in a first-level cache of 32 KB, and the call of a
/// kernel, some 4 ns, stays small beside its work. Not a page: tiles that begin where pages begin lose to the
/// processor's prefetch, which starts anew with each page.
pub(crate) const TILE_BYTES: usize = 3072;
/// Distance of two registers. The padding keeps them, and the arrays read beside them, from falling on the same
/// cache sets and from aliasing modulo 4 KB.
pub(crate) const TILE_STRIDE: usize = TILE_BYTES + 192;

/// A place: an index into the table of pointers.
pub(crate) type Place = u16;

/// An operand of a step. Its length is `scale` times the number of elements, plus `fixed`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Operand {
    /// Where it is.
    pub place: Place,
    /// Bytes per element of a vector, 0 for a scalar.
    pub scale: u8,
    /// Bytes of a scalar, 0 for a vector.
    pub fixed: u8,
}

impl Operand {
    /// A vector of elements of `size` bytes.
    pub(crate) fn vector(place: Place, size: usize) -> Operand {
        Operand { place, scale: size as u8, fixed: 0 }
    }

    /// One element of `size` bytes.
    pub(crate) fn scalar(place: Place, size: usize) -> Operand {
        Operand { place, scale: 0, fixed: size as u8 }
    }
}

/// How a spread reads its source.
#[derive(Clone, Copy, Debug)]
pub(crate) enum From {
    /// One element for the whole tile.
    One,
    /// One element per row of the tile, side by side.
    PerRow,
    /// One element per column.
    PerCol,
    /// By the strides of an input.
    Input(u8),
}

/// One step of a tile.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    /// A kernel on elements.
    Map { kernel: Kernel, dst: Operand, args: [Operand; 4] },
    /// A load that is not in place.
    Spread { spread: Spread, dst: Operand, src: Place, from: From },
    /// Bytes from one place to another.
    Copy { dst: Operand, src: Operand },
    /// A reduction of each row into `dst`, which holds one element per row.
    FoldInner { reducer: Reducer, cell: u16, src: Operand, dst: Place },
    /// A reduction of each column into the block's partial row.
    FoldOuter { reducer: Reducer, src: Operand, dst: Place },
    /// A reduction of everything into the block's cell.
    FoldAll { reducer: Reducer, cell: u16, src: Operand },
}

/// One walk over the columns of a row, or of a group of short rows.
#[derive(Clone, Default)]
pub(crate) struct Phase {
    /// Steps on one element per row, before the walk.
    pub before: Vec<Step>,
    /// Steps on each tile.
    pub body: Vec<Step>,
}

/// What a place stands for. A tile's pointer is base + row · rows + column · columns, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Home {
    /// A tile register, or one element per row of the group.
    Register { index: u16 },
    /// A row-long buffer, for a value used in a later phase than its own. Bytes per element.
    Buffer { index: u16, size: u8 },
    /// A constant.
    Const { bits: u64 },
    /// An input, by its layout. Bytes per element.
    Input { input: u8, layout: Layout, size: u8 },
    /// An output: `Full` or `Col`.
    Output { output: u8, layout: Layout, size: u8 },
    /// The partial row of an `Outer` reduction.
    Partial { index: u16, size: u8 },
}

/// A reduction over blocks, to be joined after the run.
#[derive(Clone, Copy)]
pub(crate) struct Tail {
    /// Its functions.
    pub reducer: Reducer,
    /// Bytes of an element.
    pub size: usize,
    /// Where the result goes.
    pub output: u8,
}

/// A planned program.
#[derive(Clone, Default)]
pub(crate) struct Code {
    /// What each place stands for.
    pub homes: Vec<Home>,
    /// The places whose pointers change from tile to tile.
    pub moving: Vec<Place>,
    /// Steps on single elements, once per run.
    pub once: Vec<Step>,
    /// Scalars spread over a tile, once per run.
    pub fills: Vec<Step>,
    /// The walks.
    pub phases: Vec<Phase>,
    /// How many registers and row-long buffers it needs.
    pub registers: usize,
    /// Bytes per element of each buffer.
    pub buffers: Vec<usize>,
    /// How many cells `Inner` reductions need.
    pub inner_cells: usize,
    /// The `All` reductions.
    pub totals: Vec<Tail>,
    /// The `Outer` reductions.
    pub columns: Vec<Tail>,
    /// Elements of a tile.
    pub tile: usize,
    /// Picoseconds per element.
    pub cost: usize,
    /// True where every row is walked as a whole: reductions along it, or several phases.
    pub whole_rows: bool,
}
