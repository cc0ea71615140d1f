//! Products with packed matrices. Of a transposed one and few rows, codes meet the rows as soon as they are unpacked; else a
//! panel of the matrix is unpacked at a time, and stays in cache while it is multiplied.

use std::ops::Range;

use pullback_base::{Buffer, Dtype, Error, Layout, Result, Shape};
use pullback_compile::WholeStep;
use pullback_kernels::array::packed::{self, LANES, Lanes, Matrix, ROWS};
use pullback_kernels::array::place;
use pullback_kernels::tile::cast::cast;
use pullback_kernels::{Isa, Packed};

use crate::matmul::{Multiply, Product, Side, Sizes, matmul, multiplier, widened};
use crate::memory::CpuBuffer;
use crate::threads;
use crate::whole::{Shared, Source};

/// Rows of `x` up to which nothing of a transposed matrix is unpacked to memory.
const FEW: usize = 8;
/// Rows of a transposed matrix in one task, whose codes stay in cache for all of `x`.
const TASK: usize = 16;
/// Elements of a panel: 1 MiB.
const PANEL: usize = 1 << 18;
/// Rows of a transposed matrix in a panel at the most.
const WIDE: usize = 256;
/// Panels that keep threads busy; where there are fewer, `x` is cut too, into blocks of so many rows or more.
const TASKS: usize = 16;
const BLOCK: usize = 64;
/// Picoseconds per code, unpacked and multiplied with up to `ROWS` rows.
const COST: usize = 100;
/// The same, unpacked to memory.
const UNPACKED: usize = 300;

/// A step as matrices in memory.
struct Plan {
    packed: Packed,
    isa: Isa,
    sizes: Sizes,
    /// Rows of `x [b, m, k]`, in order.
    x: *const f32,
    /// The matrix of the first batch, and from batch to batch of its words, scales and biases.
    matrix: Matrix,
    batch: [isize; 3],
    out: *mut f32,
    /// Held as long as the pointers above.
    _blocks: Vec<CpuBuffer>,
}
// SAFETY: operands are only read, and tasks write results of their own.
unsafe impl Sync for Plan {}

/// # Safety
/// Operands are valid at all elements that shapes and layouts reach, the output at those of the step's shape.
///
/// # Errors
/// `Internal` for shapes that do not fit, `Memory` without room for scratch.
pub(crate) unsafe fn run(
    step: &WholeStep,
    packed: Packed,
    isa: Isa,
    sources: &[Source],
    out: *mut u8,
) -> Result<()> {
    let (dtype, count) = (sources[0].dtype, step.shape.size());
    let sizes = sizes(step, packed)?;
    if count == 0 {
        return Ok(());
    }
    if sizes.k == 0 {
        // SAFETY: the output has so many elements; nothing is all zeros in every type.
        unsafe { out.write_bytes(0, count * dtype.size()) };
        return Ok(());
    }
    let narrow = match dtype {
        // SAFETY: the caller's promise.
        Dtype::F64 => return unsafe { double(step, packed, isa, sources, sizes, out) },
        Dtype::F32 => None,
        _ => Some(CpuBuffer::new(count * 4)?),
    };
    let sums = narrow.as_ref().map_or(out, CpuBuffer::ptr).cast();
    // SAFETY: the caller's promise.
    let plan = unsafe { Plan::of(step, packed, isa, sources, sizes, sums)? };
    if packed.transposed && plan.sizes.m <= FEW {
        plan.dots()?
    } else {
        plan.panels()?
    }
    if let Some(sums) = &narrow {
        // SAFETY: the caller's promise; sums are as many elements, all written.
        let out = unsafe { std::slice::from_raw_parts_mut(out, count * dtype.size()) };
        // SAFETY: whole elements of these types.
        unsafe { cast(Dtype::F32, dtype, isa)(out, sums.host().unwrap_or_default(), &[], &[], &[]) };
    }
    Ok(())
}

/// Sizes of the product, once operands are found to fit.
fn sizes(step: &WholeStep, packed: Packed) -> Result<Sizes> {
    let wrong = || Error::internal(format!("[Packed] {packed:?} of shapes {:?}", step.shapes));
    if !packed.exists() || step.shapes.iter().any(|shape| shape.ndim() != 3) {
        return Err(wrong());
    }
    let (x, words, groups) = (&step.shapes[0], &step.shapes[1], &step.shapes[2]);
    let columns = groups[2] * packed.group;
    let (k, n) = if packed.transposed { (columns, words[1]) } else { (words[1], columns) };
    let fits = words[2] * 32 == columns * packed.codes.bits()
        && [x[0], x[2]] == [words[0], k]
        && words[..2] == groups[..2]
        && step.shapes[3..].iter().all(|biases| biases == groups)
        && step.shape[..] == [x[0], x[1], n];
    if fits { Ok(Sizes { b: x[0], m: x[1], k, n }) } else { Err(wrong()) }
}

/// An operand in a type, with neighbours in its last axis: where it is, with strides from batch to batch and from row to row,
/// and the block if it was copied.
///
/// # Safety
/// The source is valid at all elements of its layout.
unsafe fn lined(source: &Source, to: Dtype, isa: Isa) -> Result<(*const u8, [isize; 2], Option<CpuBuffer>)> {
    let Layout { shape, strides, .. } = source.layout;
    if source.dtype == to && (strides[2] == 1 || shape[2] == 1) {
        return Ok((source.ptr, [strides[0], strides[1]], None));
    }
    // What all batches share is copied once.
    let shared = strides[0] == 0;
    let sizes = Shape::new(&[if shared { 1 } else { shape[0] }, shape[1], shape[2]]);
    // SAFETY: the caller's promise; the block has room for all elements.
    let block = unsafe {
        if source.dtype == to {
            let block = CpuBuffer::new(sizes.size() * to.size())?;
            place::copy(block.ptr(), &sizes.strides(), source.ptr, strides, &sizes, to.size());
            block
        } else {
            widened(source.dtype, isa, source.ptr, strides, &sizes)?
        }
    };
    let batch = if shared { 0 } else { (shape[1] * shape[2]) as isize };
    Ok((block.ptr(), [batch, shape[2] as isize], Some(block)))
}

/// Products in `float64`: the matrix is unpacked whole.
///
/// # Safety
/// As `run`.
unsafe fn double(
    step: &WholeStep,
    packed: Packed,
    isa: Isa,
    sources: &[Source],
    sizes: Sizes,
    out: *mut u8,
) -> Result<()> {
    let (rows, columns) = (step.shapes[1][1], step.shapes[2][2] * packed.group);
    let (b, groups) = (sizes.b, step.shapes[2][2]);
    // SAFETY: the caller's promise.
    let operand = |at: usize, dtype| unsafe { lined(&sources[at], dtype, isa) };
    let (words, scales) = (operand(1, Dtype::U32)?, operand(2, Dtype::F64)?);
    let biases = sources.get(3).map(|_| operand(3, Dtype::F64)).transpose()?;
    let dense = CpuBuffer::new(b * rows * columns * 8)?;
    // SAFETY: the block has room for as many elements.
    let elements = unsafe { std::slice::from_raw_parts_mut(dense.ptr().cast::<f64>(), b * rows * columns) };
    let mut line = vec![[0f32; LANES]; packed::vectors(packed.codes, columns)];
    let ones = vec![1.; groups];
    for (at, row) in elements.chunks_exact_mut(columns).enumerate() {
        let from = |of: &[isize; 2]| (at / rows) as isize * of[0] + (at % rows) as isize * of[1];
        // SAFETY: the caller's promise.
        let (codes, scales, biases) = unsafe {
            let codes = words.0.cast::<u32>().offset(from(&words.1));
            let groups = |(ptr, strides, _): &(*const u8, [isize; 2], _)| {
                std::slice::from_raw_parts(ptr.cast::<f64>().offset(from(strides)), groups)
            };
            let codes = std::slice::from_raw_parts(codes, step.shapes[1][2]);
            (codes, groups(&scales), biases.as_ref().map(groups))
        };
        let of = packed::Row { words: codes, scales: &ones, biases: &[] };
        packed::unpack(isa, packed.codes, packed.group, of, 0, &mut line);
        for (vector, lanes) in line.iter().enumerate() {
            for (lane, &number) in lanes.iter().enumerate() {
                let column = packed::position(packed.codes, vector, lane);
                if let Some(to) = row.get_mut(column) {
                    let group = column / packed.group;
                    *to = f64::from(number) * scales[group] + biases.map_or(0., |biases| biases[group]);
                }
            }
        }
    }
    let strides = &sources[0].layout.strides;
    let x = Side { ptr: sources[0].ptr, batch: strides[0], row: strides[1], col: strides[2] };
    let (row, col) = if packed.transposed { (1, columns as isize) } else { (columns as isize, 1) };
    let w = Side { ptr: dense.ptr(), batch: (rows * columns) as isize, row, col };
    // SAFETY: the caller's promise.
    unsafe { matmul(Dtype::F64, isa, sizes, out, x, w) }
}

impl Plan {
    /// # Safety
    /// As `run`; `out` has room in `float32`.
    unsafe fn of(
        step: &WholeStep,
        packed: Packed,
        isa: Isa,
        sources: &[Source],
        sizes: Sizes,
        out: *mut f32,
    ) -> Result<Plan> {
        let mut blocks = Vec::new();
        let mut operand = |at: usize, dtype| {
            // SAFETY: the caller's promise.
            let (ptr, strides, block) = unsafe { lined(&sources[at], dtype, isa)? };
            blocks.extend(block);
            Ok((ptr, strides))
        };
        let (x, mut strides) = operand(0, Dtype::F32)?;
        let (words, scales) = (operand(1, Dtype::U32)?, operand(2, Dtype::F32)?);
        let biases = if packed.biased() { operand(3, Dtype::F32)? } else { (std::ptr::null(), [0, 0]) };
        let (mut sizes, batch) = (sizes, [words.1[0], scales.1[0], biases.1[0]]);
        // One matrix for all batches whose rows follow each other: more rows.
        if sizes.b > 1 && batch == [0; 3] && (sizes.m == 1 || strides[0] == strides[1] * sizes.m as isize) {
            if sizes.m == 1 {
                strides[1] = strides[0];
            }
            (sizes.b, sizes.m) = (1, sizes.b * sizes.m);
        }
        let mut x = x.cast::<f32>();
        let inner = sizes.k as isize;
        if strides[1] != inner && sizes.m > 1 || strides[0] != inner * sizes.m as isize && sizes.b > 1 {
            let shape = [sizes.b, sizes.m, sizes.k];
            let block = CpuBuffer::new(shape.iter().product::<usize>() * 4)?;
            let own = Shape::new(&shape).strides();
            // SAFETY: the caller's promise; the block has room.
            unsafe { place::copy(block.ptr(), &own, x.cast(), &[strides[0], strides[1], 1], &shape, 4) };
            x = block.ptr().cast();
            blocks.push(block);
        }
        let matrix = Matrix {
            codes: packed.codes,
            group: packed.group,
            n: step.shapes[2][2] * packed.group,
            words: (words.0.cast(), words.1[1]),
            scales: (scales.0.cast(), scales.1[1]),
            biases: (biases.0.cast(), biases.1[1]),
        };
        Ok(Plan { packed, isa, sizes, x, matrix, batch, out, _blocks: blocks })
    }

    /// The matrix of a batch.
    fn matrix(&self, batch: usize) -> Matrix {
        let of = &self.matrix;
        let far = |at: usize| batch as isize * self.batch[at];
        Matrix {
            words: (of.words.0.wrapping_offset(far(0)), of.words.1),
            scales: (of.scales.0.wrapping_offset(far(1)), of.scales.1),
            biases: (of.biases.0.wrapping_offset(far(2)), of.biases.1),
            ..*of
        }
    }

    /// A row of `x`.
    fn row(&self, batch: usize, m: usize) -> &[f32] {
        let Sizes { m: rows, k, .. } = self.sizes;
        // SAFETY: rows in order, as many as there are.
        unsafe { std::slice::from_raw_parts(self.x.add((batch * rows + m) * k), k) }
    }

    /// Rows of `x`, `count` elements each, in the order in which codes are unpacked: `[b, m, vectors]`.
    fn arranged(&self) -> Result<(CpuBuffer, usize)> {
        let Sizes { b, m, k, .. } = self.sizes;
        let vectors = packed::vectors(self.packed.codes, k);
        let block = CpuBuffer::new(b * m * vectors * size_of::<Lanes>())?;
        let shared = Shared(block.ptr().cast::<Lanes>());
        threads::ranges(threads::parts(b * m * k * 1_000, b * m), b * m, |rows| {
            for at in rows {
                // SAFETY: a row of this task alone.
                let out = unsafe { std::slice::from_raw_parts_mut(shared.at(at * vectors), vectors) };
                packed::arrange(self.packed.codes, out, self.row(at / m, at % m));
            }
        });
        Ok((block, vectors))
    }

    /// Few rows, times a transposed matrix.
    fn dots(&self) -> Result<()> {
        let Sizes { b, m, k, n } = self.sizes;
        let (block, vectors) = self.arranged()?;
        let x = block.ptr().cast::<Lanes>().cast_const();
        let (x, out) = (Shared(x.cast_mut()), Shared(self.out));
        let tasks = n.div_ceil(TASK);
        let work = (b * n * k).saturating_mul(COST * m.div_ceil(ROWS));
        threads::ranges(threads::parts(work, b * tasks), b * tasks, |range| {
            for task in range {
                let (batch, first) = (task / tasks, task % tasks * TASK);
                let (matrix, rows) = (self.matrix(batch), first..n.min(first + TASK));
                for m0 in (0..m).step_by(ROWS) {
                    let (mut left, mut right) = (Vec::new(), Vec::new());
                    for at in batch * m + m0..batch * m + m.min(m0 + ROWS) {
                        // SAFETY: rows of `x`, all written; results of this task alone.
                        unsafe {
                            left.push(std::slice::from_raw_parts(x.at(at * vectors).cast_const(), vectors));
                            let to = out.at(at * n + first);
                            right.push(std::slice::from_raw_parts_mut(to, rows.len()));
                        }
                    }
                    // SAFETY: the matrix has all of its rows, by the promise to `run`.
                    unsafe { packed::dots(self.isa, &matrix, rows.clone(), &left, &mut right) };
                }
            }
        });
        Ok(())
    }

    /// Brings lanes to the columns that they are.
    fn deliver<'a>(&self, lanes: &[f32], columns: Range<usize>, to: impl Fn(usize) -> &'a mut f32) {
        let codes = packed::block(self.packed.codes);
        for (at, column) in columns.enumerate() {
            *to(column) = lanes[at % codes * LANES + at / codes];
        }
    }

    /// Many rows, or a matrix as it is, panel by panel.
    fn panels(&self) -> Result<()> {
        let Sizes { b, m, k, n } = self.sizes;
        let codes = self.packed.codes;
        let (x, vectors) = if self.packed.transposed { self.arranged()? } else { (CpuBuffer::new(0)?, 0) };
        // Of a transposed matrix a panel is some rows, else some columns, a part of the depth at a time.
        let wide = match self.packed.transposed {
            true => (PANEL / (vectors * LANES)).clamp(TASK, WIDE).min(n.next_multiple_of(TASK)),
            false => LANES * packed::block(codes),
        };
        let deep = if self.packed.transposed { vectors * LANES } else { k.min(PANEL / wide) };
        let panels = n.div_ceil(wide);
        let rows = if b * panels < TASKS { m.div_ceil(TASKS / (b * panels)).max(BLOCK) } else { m };
        let blocks = m.div_ceil(rows);
        let Some(multiply) = multiplier(Dtype::F32, self.isa, Sizes { b: 1, m: rows, k: deep, n: wide })
        else {
            return Err(Error::internal("[Packed] nothing multiplies float32"));
        };
        let tasks = b * panels * blocks;
        let parts = threads::parts((b * k * n).saturating_mul(m * multiply.cost() + UNPACKED), tasks);
        let scratch = (0..parts)
            .map(|_| Ok((CpuBuffer::new(wide * deep * 4)?, CpuBuffer::new(rows * wide * 4)?)))
            .collect::<Result<Vec<_>>>()?;
        threads::each(parts, |number| {
            let (panel, sums) = &scratch[number];
            for task in tasks * number / parts..tasks * (number + 1) / parts {
                let (batch, panel_at, block) =
                    (task / blocks / panels, task / blocks % panels, task % blocks);
                let place = Place {
                    batch,
                    columns: panel_at * wide..n.min((panel_at + 1) * wide),
                    rows: block * rows..m.min((block + 1) * rows),
                };
                let memory =
                    Scratch { x: x.ptr(), vectors, wide, deep, panel: panel.ptr(), sums: sums.ptr() };
                if self.packed.transposed {
                    self.panel_of_rows(&*multiply, &place, &memory);
                } else {
                    self.panel_of_columns(&*multiply, &place, &memory);
                }
            }
        });
        Ok(())
    }

    /// Rows of a transposed matrix, in which both factors are arranged.
    fn panel_of_rows(&self, multiply: &dyn Multiply, place: &Place, memory: &Scratch) {
        let (n, count, vectors) = (self.sizes.n, place.columns.len(), memory.vectors);
        let matrix = self.matrix(place.batch);
        for (at, row) in place.columns.clone().enumerate() {
            // SAFETY: the matrix has this row, by the promise to `run`; scratch is of this thread and has room.
            unsafe {
                let to = memory.panel.cast::<Lanes>().add(at * vectors);
                let to = std::slice::from_raw_parts_mut(to, vectors);
                packed::unpack(self.isa, matrix.codes, matrix.group, matrix.row(row), 0, to);
            }
        }
        let depth = (vectors * LANES) as isize;
        let first = (place.batch * self.sizes.m + place.rows.start) * vectors;
        let x = memory.x.cast::<Lanes>().wrapping_add(first).cast::<u8>();
        let out = self.out.wrapping_add((place.batch * self.sizes.m + place.rows.start) * n);
        // SAFETY: as above; results are of this task alone.
        unsafe {
            multiply.multiply(Product {
                sizes: Sizes { b: 1, m: place.rows.len(), k: vectors * LANES, n: count },
                out: memory.sums,
                a: Side { ptr: x, batch: 0, row: depth, col: 1 },
                b: Side { ptr: memory.panel, batch: 0, row: 1, col: depth },
                add: false,
                threads: 1,
            });
            let out = out.add(place.columns.start).cast();
            let shape = [place.rows.len(), count];
            place::copy(out, &[n as isize, 1], memory.sums, &[count as isize, 1], &shape, 4);
        }
    }

    /// Columns, in which the panel and the result are arranged.
    fn panel_of_columns(&self, multiply: &dyn Multiply, place: &Place, memory: &Scratch) {
        let Sizes { m, k, n, .. } = self.sizes;
        let (wide, matrix) = (memory.wide, self.matrix(place.batch));
        let first = place.columns.start / wide;
        let x = self.x.wrapping_add((place.batch * m + place.rows.start) * k);
        for from in (0..k).step_by(memory.deep) {
            let depth = memory.deep.min(k - from);
            // SAFETY: the matrix has these rows, by the promise to `run`; scratch is of this thread and has room.
            unsafe {
                for at in 0..depth {
                    let to = memory.panel.cast::<Lanes>().add(at * wide / LANES);
                    let to = std::slice::from_raw_parts_mut(to, wide / LANES);
                    packed::unpack(self.isa, matrix.codes, matrix.group, matrix.row(from + at), first, to);
                }
                multiply.multiply(Product {
                    sizes: Sizes { b: 1, m: place.rows.len(), k: depth, n: wide },
                    out: memory.sums,
                    a: Side { ptr: x.wrapping_add(from).cast(), batch: 0, row: k as isize, col: 1 },
                    b: Side { ptr: memory.panel, batch: 0, row: wide as isize, col: 1 },
                    add: from > 0,
                    threads: 1,
                });
            }
        }
        for (at, row) in place.rows.clone().enumerate() {
            // SAFETY: sums of a row, written just now; results of this task alone.
            let sums = unsafe { std::slice::from_raw_parts(memory.sums.cast::<f32>().add(at * wide), wide) };
            let out = Shared(self.out.wrapping_add((place.batch * m + row) * n));
            // SAFETY: as above.
            self.deliver(sums, place.columns.clone(), |column| unsafe { &mut *out.at(column) });
        }
    }
}

/// What one task makes of the result.
struct Place {
    batch: usize,
    columns: Range<usize>,
    rows: Range<usize>,
}

/// Memory of one thread, but for `x`, which is arranged, or not used.
struct Scratch {
    x: *const u8,
    vectors: usize,
    wide: usize,
    deep: usize,
    panel: *mut u8,
    sums: *mut u8,
}
