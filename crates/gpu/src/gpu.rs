//! The backend: steps in, dispatches out.
//!
//! One lock guards the recorder, the pool and the kernels. No code of others runs under it, and nothing waits for the
//! device under it except recording itself, when too much is on its way.

use std::sync::{Arc, Mutex};

use pullback_base::{Device as Where, Dtype, Error, Layout, Result, Storage};
use pullback_compile::backend::{Poll, Slots};
use pullback_compile::shader::Shader;
use pullback_compile::{Backend, GroupStep, Operand, Program, Step, Task};
use pullback_kernels::Whole;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::convert::{from_words, to_words};
use crate::device::{ADAPTER_ENV, Device, Info, lock};
use crate::fold::{Bound, Cut, Form, Halves, Stage};
use crate::kernel::{Kernels, Key, THREADS};
use crate::memory::{Block, Piece, Pool};
use crate::queue::Recorder;
use crate::space::Space;
use crate::text::Ty;
use crate::{fold, point, shader, whole};

/// A GPU, open for work from any thread.
pub struct Gpu {
    device: Device,
    state: Mutex<State>,
    /// Texts of users that were found to be right.
    checked: Mutex<FxHashSet<String>>,
}

/// What the device's memory is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Bytes of all buffers, in use or kept for the next array.
    pub held: u64,
    /// Of these, bytes that nothing uses.
    pub free: u64,
    /// Bytes of the largest array.
    pub most: u64,
    /// Kernels compiled.
    pub kernels: usize,
}

struct State {
    recorder: Recorder,
    pool: Pool,
    kernels: Kernels,
    roots: Roots,
}

/// Tables of roots of unity, by their lengths, and the sum of these.
#[derive(Default)]
struct Roots {
    known: FxHashMap<usize, Block>,
    total: usize,
}

/// Roots kept at most, but for those of one length.
const MOST_ROOTS: usize = 1 << 22;

/// A device and its locked state: what recording a step takes.
pub(crate) struct Session<'a> {
    pub device: &'a Device,
    state: &'a mut State,
}

impl Gpu {
    /// Opens the adapter that the environment variable `PULLBACK_ADAPTER` names (part of its name, or
    /// `backend:part`), or else the best one; software adapters come last.
    ///
    /// # Errors
    /// `Device` if there is none.
    pub fn open() -> Result<Gpu> {
        Gpu::open_named(&std::env::var(ADAPTER_ENV).unwrap_or_default())
    }

    /// Opens an adapter by name, as `open` does by the environment.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_named(wish: &str) -> Result<Gpu> {
        let device = Device::open(wish)?;
        let kernels = Kernels::new(&device);
        let recorder = Recorder::new(&device, kernels.params())?;
        let state = Mutex::new(State { recorder, pool: Pool::default(), kernels, roots: Roots::default() });
        Ok(Gpu { device, state, checked: Mutex::default() })
    }

    /// Runs the kernels that hardware gets, also on a software adapter, where they are slower: for tests.
    #[must_use]
    pub fn as_hardware(mut self) -> Gpu {
        self.device.pretend();
        self
    }

    /// The adapter, its features and limits.
    pub fn info(&self) -> Info {
        self.device.describe()
    }

    /// What is held for it at the moment.
    pub fn memory(&self) -> Memory {
        let state = lock(&self.state);
        Memory {
            held: state.pool.held(),
            free: state.pool.free(),
            most: self.device.max_bytes(),
            kernels: state.kernels.len(),
        }
    }

    /// Gives memory that no array uses back to the driver; says how many bytes.
    ///
    /// # Errors
    /// `Device` if it failed.
    pub fn clear_cache(&self) -> Result<u64> {
        let mut state = lock(&self.state);
        state.recorder.flush(&self.device)?;
        state.roots = Roots::default();
        Ok(state.pool.trim())
    }

    /// Writes compiled kernels to the user's cache directory, where the back end can, as also happens now and then:
    /// for when the process ends.
    pub fn save_kernels(&self) {
        lock(&self.state).kernels.save();
    }

    /// Loses the device, as a driver's reset would.
    #[cfg(test)]
    pub(crate) fn lose(&self) {
        self.device.raw.destroy();
    }

    /// Why a program of these types has no place here.
    fn lacks_dtype(&self, dtypes: impl IntoIterator<Item = Dtype>) -> Option<String> {
        dtypes.into_iter().find_map(|dtype| match Ty::of(dtype) {
            None => Some(format!("{dtype} does not exist in GPU programs")),
            Some(ty) if ty.is_wide() && !self.device.int64() => {
                Some(format!("{dtype} takes 64-bit integers, which this GPU has not"))
            }
            Some(_) => None,
        })
    }

    fn step(&self, step: &Step, slots: &mut Slots) -> Result<()> {
        let mut state = lock(&self.state);
        let mut session = Session { device: &self.device, state: &mut state };
        match &step.task {
            Task::Group(group) => session.group(group, step, slots),
            Task::Whole(task) => {
                let args =
                    step.inputs.iter().map(|operand| arg(operand, slots)).collect::<Result<Vec<_>>>()?;
                let (slot, aval) = step.outputs.first().ok_or_else(|| bug("a kernel without result"))?;
                let out = session.block(aval.size(), aval.dtype)?;
                whole::run(&mut session, task, &args, out.piece(), aval.dtype)?;
                slots[*slot as usize] = Some(Storage::new(out));
                Ok(())
            }
            Task::Host(_) => Err(bug("a call of the host")),
            Task::Transfer => {
                let (Some(from), Some((slot, aval))) = (step.inputs.first(), step.outputs.first()) else {
                    return Err(bug("a transfer without block"));
                };
                let block = slots[from.slot as usize].clone().ok_or_else(|| bug("an empty slot"))?;
                let moved = match block.host() {
                    Some(bytes) => Storage::new(session.upload(bytes, aval.dtype)?),
                    None => block,
                };
                slots[*slot as usize] = Some(moved);
                Ok(())
            }
        }
    }
}

/// What a kernel over whole arrays reads.
pub(crate) struct Arg {
    pub piece: Piece,
    pub layout: Layout,
    pub dtype: Dtype,
}

fn arg(operand: &Operand, slots: &Slots) -> Result<Arg> {
    let piece = block(operand, slots)?.piece().clone();
    Ok(Arg { piece, layout: operand.layout.clone(), dtype: operand.aval.dtype })
}

fn block<'a>(operand: &Operand, slots: &'a Slots) -> Result<&'a Block> {
    let storage = slots[operand.slot as usize].as_ref().ok_or_else(|| bug("an empty slot"))?;
    storage.get::<Block>().ok_or_else(|| bug("a block of another device"))
}

pub(crate) fn bug(what: &str) -> Error {
    Error::internal(format!("[gpu] a plan has {what}"))
}

impl Session<'_> {
    /// A block for `len` elements. When the driver has no memory left, what the pool keeps goes back first.
    pub fn block(&mut self, len: usize, dtype: Dtype) -> Result<Block> {
        let State { pool, recorder, .. } = &mut *self.state;
        pool.block(self.device, len, dtype, recorder.batch()).or_else(|error| {
            recorder.flush(self.device)?;
            match pool.trim() {
                0 => Err(error),
                _ => pool.block(self.device, len, dtype, recorder.batch()),
            }
        })
    }

    fn upload(&mut self, bytes: &[u8], dtype: Dtype) -> Result<Block> {
        let block = self.block(bytes.len() / dtype.size(), dtype)?;
        if block.len > 0 {
            let words = to_words(bytes, dtype);
            self.state.recorder.upload(self.device, block.piece(), block.used, &words)?;
        }
        Ok(block)
    }

    /// The roots of unity of a Fourier transform of length `n`.
    pub fn roots(&mut self, n: usize) -> Result<Piece> {
        if let Some(block) = self.state.roots.known.get(&n) {
            return Ok(block.piece().clone());
        }
        if self.state.roots.total + n > MOST_ROOTS {
            self.state.roots = Roots::default();
        }
        let block = self.upload(&whole::fft::roots(n), Dtype::C64)?;
        let piece = block.piece().clone();
        self.state.roots.known.insert(n, block);
        self.state.roots.total += n;
        Ok(piece)
    }

    /// Records a dispatch of a kernel, which `text` prints the first time.
    pub fn launch(
        &mut self,
        key: Key,
        arrays: &[Piece],
        params: &[u32],
        groups: u64,
        text: impl FnOnce() -> std::result::Result<String, String>,
    ) -> Result<()> {
        let State { kernels, recorder, .. } = &mut *self.state;
        let kernel = kernels.get(self.device, key, arrays.len(), text)?;
        recorder.dispatch(self.device, &kernel, arrays, params, groups)
    }

    /// Records a dispatch of a user's kernel, whose text this is.
    pub fn launch_user(
        &mut self,
        text: &str,
        arrays: &[Piece],
        params: &[u32],
        groups: [u32; 3],
    ) -> Result<()> {
        let State { kernels, recorder, .. } = &mut *self.state;
        let kernel = kernels.get(self.device, Key::User(text.into()), arrays.len(), || Ok(text.into()))?;
        recorder.record(self.device, &kernel, arrays, params, groups)
    }

    fn group(&mut self, group: &GroupStep, step: &Step, slots: &mut Slots) -> Result<()> {
        let layouts: Vec<&Layout> = step.inputs.iter().map(|operand| &operand.layout).collect();
        let space = Space::of(group, &layouts)?;
        let inputs = step.inputs.iter().map(|operand| Ok(block(operand, slots)?.piece().clone()));
        let inputs = inputs.collect::<Result<Vec<Piece>>>()?;
        let mut outputs = vec![];
        if group.program.reduces() {
            for (slot, aval) in &step.outputs {
                outputs.push((*slot, Storage::new(self.block(aval.size(), aval.dtype)?)));
            }
            self.fold(&group.program, &space, &inputs, &pieces(&outputs))?;
        } else {
            let alias = in_place(group, step, slots);
            for ((slot, aval), alias) in step.outputs.iter().zip(&alias) {
                let storage = match alias {
                    Some(input) => slots[step.inputs[*input as usize].slot as usize].clone(),
                    None => Some(Storage::new(self.block(aval.size(), aval.dtype)?)),
                };
                outputs.push((*slot, storage.ok_or_else(|| bug("an empty slot"))?));
            }
            let mut arrays = inputs;
            let fresh = pieces(&outputs).into_iter().zip(&alias).filter(|(_, alias)| alias.is_none());
            arrays.extend(fresh.map(|(piece, _)| piece));
            if space.points > 0 {
                let (program, rank) = (&group.program, space.kept.len());
                let params = point::params(program, &space);
                let groups = space.points.div_ceil(THREADS as u64);
                let key = Key::Point(program.clone(), rank, alias.clone());
                self.launch(key, &arrays, &params, groups, || point::text(program, rank, &alias))?;
            }
        }
        outputs.into_iter().for_each(|(slot, storage)| slots[slot as usize] = Some(storage));
        Ok(())
    }

    fn fold(
        &mut self,
        program: &Arc<Program>,
        space: &Space,
        inputs: &[Piece],
        outputs: &[Piece],
    ) -> Result<()> {
        let lack = |lack: String| Error::internal(format!("[gpu] a program cannot be printed: {lack}"));
        if space.points == 0 {
            return Ok(());
        }
        if space.depth >= 1 << 31 || space.points >= 1 << 31 {
            return Err(Error::memory(format!(
                "[gpu] expected a reduction of fewer than 2^31 elements, got {} of {}; reduce in steps or use the CPU",
                space.points, space.depth
            )));
        }
        let halves = Halves::of(program).map_err(lack)?;
        let cut = Cut::of(space);
        let ranks = (space.kept.len() as u8, space.reduced.len() as u8);
        let mut parts = vec![];
        let stages: &[(Stage, bool)] = match cut.parts {
            1 => &[(Stage::Whole, cut.grouped)],
            _ => &[(Stage::Parts, cut.grouped), (Stage::Finish, space.points < 4096)],
        };
        if cut.parts > 1 {
            for &(value, ..) in &halves.folds {
                parts.push(self.block((space.points * cut.parts) as usize, program.dtype(value))?);
            }
        }
        for &(stage, grouped) in stages {
            let bound = halves.bound(stage).map_err(lack)?;
            let piece = |(bound, _): &(Bound, &str)| match bound {
                Bound::Input(k) => inputs[*k as usize].clone(),
                Bound::Output(o) => outputs[*o as usize].clone(),
                Bound::Part(n) => parts[*n].piece().clone(),
            };
            let arrays: Vec<Piece> = bound.iter().map(piece).collect();
            let form = Form { stage, grouped, ranks };
            let units = space.points * if stage == Stage::Finish { 1 } else { cut.parts };
            let groups = if grouped { units } else { units.div_ceil(THREADS as u64) };
            let params = fold::params(space, &cut, stage);
            self.launch(Key::Fold(program.clone(), form), &arrays, &params, groups, || halves.text(form))?;
        }
        Ok(())
    }
}

fn pieces(outputs: &[(u32, Storage)]) -> Vec<Piece> {
    let piece =
        |(_, storage): &(u32, Storage)| storage.get::<Block>().expect("blocks of ours").piece().clone();
    outputs.iter().map(piece).collect()
}

/// For each output, the input whose memory it may take: one that dies, that nobody else holds, and that is read in the
/// order of the points only, so that each thread reads an element before it writes it.
fn in_place(group: &GroupStep, step: &Step, slots: &Slots) -> Vec<Option<u8>> {
    let program = &group.program;
    let mut taken: Vec<u32> = vec![];
    let fits = |k: usize, dtype: Dtype, taken: &[u32]| {
        let operand = &step.inputs[k];
        let alone = || {
            let same =
                step.inputs.iter().zip(&program.inputs).filter(|(other, _)| other.slot == operand.slot);
            same.into_iter().all(|(other, class)| {
                *class == pullback_compile::program::Class::Full && other.layout.offset == 0
            })
        };
        let storage = slots[operand.slot as usize].as_ref();
        operand.aval.dtype == dtype
            && operand.aval.size() == group.space.size()
            && step.dying.contains(&operand.slot)
            && !taken.contains(&operand.slot)
            && storage.is_some_and(Storage::is_unique)
            && alone()
    };
    let mut choose = |dtype: Dtype| {
        let found = (0..step.inputs.len().min(256)).find(|&k| fits(k, dtype, &taken))?;
        taken.push(step.inputs[found].slot);
        Some(found as u8)
    };
    step.outputs.iter().map(|(_, aval)| choose(aval.dtype)).collect()
}

impl Backend for Gpu {
    fn device(&self) -> Where {
        Where::Gpu
    }

    fn lacks_group(&self, program: &Program) -> Option<String> {
        if let Some(lack) = self.lacks_dtype(program.types.iter().copied()) {
            return Some(lack);
        }
        let arrays = |n: usize| match n > self.device.max_arrays() {
            true => Some(format!(
                "{n} arrays in one kernel, of which this GPU allows {}",
                self.device.max_arrays()
            )),
            false => None,
        };
        if !program.reduces() {
            let rank = 1;
            let lack = point::text(program, rank, &[]).err();
            return lack.or_else(|| arrays(program.inputs.len() + program.outputs as usize));
        }
        let form = Form { stage: Stage::Whole, grouped: true, ranks: (1, 1) };
        let halves = match Halves::of(program) {
            Ok(halves) => halves,
            Err(lack) => return Some(lack),
        };
        let most = |stage| halves.bound(stage).map_or(0, |bound| bound.len());
        let most = [Stage::Whole, Stage::Parts, Stage::Finish].map(most).into_iter().max().unwrap_or(0);
        halves.text(form).err().or_else(|| arrays(most))
    }

    fn lacks_whole(&self, whole: &Whole, dtypes: &[Dtype]) -> Option<String> {
        self.lacks_dtype(dtypes.iter().copied()).or_else(|| whole::lacks(whole, dtypes))
    }

    fn run(&self, steps: &[Step], slots: &mut Slots, poll: &mut Poll) -> Result<()> {
        for step in steps {
            poll()?;
            self.step(step, slots)?;
            for &slot in &step.dying {
                slots[slot as usize] = None;
            }
        }
        lock(&self.state).recorder.nudge(&self.device)?;
        self.device.alive()
    }

    fn upload(&self, bytes: &[u8], dtype: Dtype) -> Result<Storage> {
        let mut state = lock(&self.state);
        let mut session = Session { device: &self.device, state: &mut state };
        Ok(Storage::new(session.upload(bytes, dtype)?))
    }

    fn download(&self, storage: &Storage, dtype: Dtype) -> Result<Vec<u8>> {
        let block = storage.get::<Block>().ok_or_else(|| bug("a block of another device"))?;
        if block.len == 0 {
            return Ok(vec![]);
        }
        let reading = lock(&self.state).recorder.read(&self.device, block.piece(), block.device_bytes())?;
        let (bytes, staging) = reading.finish(&self.device, |words| from_words(words, dtype))?;
        lock(&self.state).recorder.recycle(staging);
        Ok(bytes)
    }

    fn check_shader(&self, shader: &Shader) -> Result<String> {
        shader::fits(shader, &self.device)?;
        if let Some(lack) = self.lacks_dtype(shader::dtypes(shader)) {
            return Err(Error::type_(format!(
                "[wgsl_kernel] expected types that the GPU has, got '{}': {lack}",
                shader.name
            )));
        }
        let text = shader::Text::of(shader);
        if !lock(&self.checked).contains(&text.run) {
            text.check(shader, self.device.workgroup_bytes())?;
            lock(&self.checked).insert(text.run.clone());
        }
        Ok(text.run)
    }

    fn run_shader(&self, shader: &Shader, inputs: &[Storage]) -> Result<Vec<Storage>> {
        let wrong = || bug("a block of another device");
        let inputs = inputs.iter().map(|input| input.get::<Block>().ok_or_else(wrong));
        let inputs = inputs.collect::<Result<Vec<&Block>>>()?;
        let mut state = lock(&self.state);
        let mut session = Session { device: &self.device, state: &mut state };
        let outputs = shader::run(&mut session, shader, &inputs)?;
        Ok(outputs.into_iter().map(Storage::new).collect())
    }

    fn synchronize(&self) -> Result<()> {
        let last = lock(&self.state).recorder.finish(&self.device)?;
        self.device.wait(last)
    }
}
