//! Kernels of users: their text put into an entry point, checked, and run.
//!
//! Nothing that a user writes reaches the device before naga has found it right. It is checked with inputs that cannot
//! be written to, and run with ones that can, which is what all arrays of this crate are; otherwise the two texts are
//! one. On the device all of wgpu's checks are in it: what is out of bounds is not touched.

use std::error::Error as _;
use std::ops::Range;

use pullback_base::{Aval, Dtype, Error, Result, Scalar};
use pullback_compile::shader::{Constant, Shader};
use wgpu::naga::front::wgsl::parse_str;
use wgpu::naga::proc::Layouter;
use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};
use wgpu::naga::{AddressSpace, Module, Span};

use crate::convert::to_words;
use crate::device::Device;
use crate::gpu::Session;
use crate::kernel::{PARAM_WORDS, param};
use crate::memory::{Block, Piece};
use crate::queue::MAX_GROUPS;
use crate::text::Ty;
use crate::whole::copy::{settle, start};

/// Parameter words: the first four are those of all kernels, then the first workgroup of a dispatch and the threads of
/// the grid, each a word too long, then shapes and strides.
const FIRST_GROUP: usize = 4;
const GRID: usize = 8;
const SIZES: usize = 12;

/// Types of all arrays, and those that constants name.
pub(crate) fn dtypes(shader: &Shader) -> impl Iterator<Item = Dtype> {
    let constants = shader.constants.iter().filter_map(|(_, constant)| match constant {
        Constant::Dtype(dtype) => Some(*dtype),
        _ => None,
    });
    arrays(shader).map(|(_, aval)| aval.dtype).chain(constants)
}

fn arrays(shader: &Shader) -> impl Iterator<Item = (&str, &Aval)> {
    shader.inputs.iter().chain(&shader.outputs).map(|(name, aval)| (&name[..], aval))
}

/// Refuses sizes that a device does not take.
pub(crate) fn fits(shader: &Shader, device: &Device) -> Result<()> {
    let wrong = |text: String| Err(Error::value(format!("[wgsl_kernel] {text} for '{}'", shader.name)));
    let (most, threads) = device.workgroup_limits();
    let size = shader.workgroup;
    let all: u64 = size.iter().map(|&n| u64::from(n)).product();
    if all == 0 || all > threads.into() || (0..3).any(|axis| size[axis] > most[axis]) {
        return wrong(format!(
            "expected a workgroup of 1 to {threads} threads, at most {most:?}, got {size:?}"
        ));
    }
    let count = shader.inputs.len() + shader.outputs.len();
    if count > device.max_arrays() {
        return wrong(format!("expected at most {} arrays, got {count}", device.max_arrays()));
    }
    let words = SIZES + arrays(shader).map(|(_, aval)| 2 * aval.shape.ndim()).sum::<usize>();
    if words > PARAM_WORDS {
        return wrong(format!("expected at most {} axes of all arrays, got more", (PARAM_WORDS - SIZES) / 2));
    }
    if !whole_groups(shader) && mentions(shader, "Barrier") {
        return wrong(format!(
            "expected a grid of whole workgroups, since there is a barrier, got {:?} of {size:?} threads",
            shader.grid
        ));
    }
    Ok(())
}

fn whole_groups(shader: &Shader) -> bool {
    shader.grid.iter().zip(shader.workgroup).all(|(&threads, size)| threads.is_multiple_of(size))
}

/// Whether the user's text has this in it.
fn mentions(shader: &Shader, word: &str) -> bool {
    shader.source.contains(word) || shader.header.contains(word)
}

/// The text of a kernel.
pub(crate) struct Text {
    /// As it is run.
    pub run: String,
    /// As it is checked, and where in it the user's texts are.
    checked: String,
    header: Range<usize>,
    source: Range<usize>,
}

impl Text {
    pub fn of(shader: &Shader) -> Text {
        let declared = |inputs: &str| {
            let mut out = String::new();
            for (i, (name, aval)) in arrays(shader).enumerate() {
                let written = i >= shader.inputs.len();
                let access = if written { "read_write" } else { inputs };
                let ty = Ty::of(element(aval.dtype)).unwrap_or(Ty::F32).name();
                let ty = if written && shader.atomic { format!("atomic<{ty}>") } else { ty.into() };
                out += &format!("@group(0) @binding({i}) var<storage, {access}> {name}: array<{ty}>;\n");
            }
            out
        };
        let (opening, entry) = (opening(shader), entry(shader));
        let whole = |inputs: &str| {
            let mut text = declared(inputs) + &opening;
            let header = text.len()..text.len() + shader.header.len();
            text += &shader.header;
            text += &entry;
            let source = text.len()..text.len() + shader.source.len();
            text += &shader.source;
            (text + "\n    }\n}\n", header, source)
        };
        let (run, ..) = whole("read_write");
        let (checked, header, source) = whole("read");
        Text { run, checked, header, source }
    }

    /// Refuses a text with a mistake, and says where it is in what the user wrote. A workgroup has `memory` bytes.
    pub fn check(&self, shader: &Shader, memory: u32) -> Result<()> {
        let module = parse_str(&self.checked).map_err(|error| {
            let spans: Vec<Span> = error.labels().map(|(span, _)| span).collect();
            let says = |label: &&str| !label.is_empty() && !error.message().contains(*label);
            let label = error.labels().map(|(_, label)| label).find(says);
            let label = label.map_or(String::new(), |label| format!(" ({})", label.trim_end_matches('.')));
            self.mistake(shader, &spans, &format!("{}{label}", error.message()))
        })?;
        let mut validator = Validator::new(ValidationFlags::all(), Capabilities::SHADER_INT64);
        validator.validate(&module).map_err(|error| {
            let spans: Vec<Span> = error.spans().map(|(span, _)| *span).collect();
            // The outer errors say in which function, which the user has not written.
            let (mut text, mut inner) = (error.as_inner().to_string(), error.as_inner().source());
            while let Some(error) = inner {
                (text, inner) = (error.to_string(), error.source());
            }
            self.mistake(shader, &spans, &text)
        })?;
        self.check_globals(shader, &module, memory)
    }

    /// Refuses what a user must not declare: another name for an array would be a way to write to what is only read.
    fn check_globals(&self, shader: &Shader, module: &Module, memory: u32) -> Result<()> {
        // Our own declarations come before all of the user's text.
        let of_user = |span: &Span| span.to_range().is_some_and(|span| span.start >= self.header.start);
        let mut layouts = Layouter::default();
        let _ = layouts.update(module.to_ctx());
        let mut bytes = 0;
        for (handle, global) in module.global_variables.iter() {
            let span = module.global_variables.get_span(handle);
            if global.binding.is_some() && of_user(&span) {
                let text =
                    "a kernel declares no bindings of its own: give the array as an input or an output";
                return Err(self.mistake(shader, &[span], text));
            }
            if global.space == AddressSpace::WorkGroup {
                bytes += u64::from(layouts[global.ty].size);
            }
        }
        if bytes > memory.into() {
            let text = format!("expected at most {memory} bytes of workgroup memory in '{}'", shader.name);
            return Err(Error::value(format!("[wgsl_kernel] {text}, got {bytes}")));
        }
        match module.overrides.iter().next() {
            Some((handle, _)) => {
                let span = module.overrides.get_span(handle);
                Err(self.mistake(shader, &[span], "nobody gives an override its value: use template"))
            }
            None => Ok(()),
        }
    }

    fn mistake(&self, shader: &Shader, spans: &[Span], why: &str) -> Error {
        let of = |(range, text, what): (Range<usize>, &str, &str)| {
            let mut starts = spans.iter().filter_map(|span| span.to_range()).map(|span| span.start);
            let at = starts.find(|at| range.contains(at))? - range.start;
            // What is missing at the end is found missing behind it.
            let text = text.trim_end();
            let number = text.bytes().take(at).filter(|&byte| byte == b'\n').count();
            let line = text.lines().nth(number).unwrap_or("").trim();
            Some(format!("line {} of the {what}, `{line}`", number + 1))
        };
        let (header, source) = (self.header.clone(), self.source.start..self.checked.len() + 1);
        let parts = [(source, &shader.source[..], "source"), (header, &shader.header[..], "header")];
        let place = parts.into_iter().find_map(of).unwrap_or_else(|| "its declarations".into());
        let hint = if why.contains("valid destination for a store") { ": inputs are only read" } else { "" };
        let why = format!("{}{hint}", why.trim_end_matches('.'));
        Error::value(format!("[wgsl_kernel] expected valid WGSL in '{}', got in {place}: {why}", shader.name))
    }
}

/// The type whose values a kernel sees for elements of a type: truth values are 0 and 1.
fn element(dtype: Dtype) -> Dtype {
    if dtype == Dtype::Bool { Dtype::U32 } else { dtype }
}

/// Parameters, constants, and what is known of arrays that the user asks for.
fn opening(shader: &Shader) -> String {
    let mut out = format!(
        "struct pb_Params {{ w: array<vec4<u32>, {}> }}\n@group(1) @binding(0) var<uniform> pb_p: pb_Params;\n",
        PARAM_WORDS / 4
    );
    for (name, constant) in &shader.constants {
        out += &match constant {
            Constant::Truth(value) => format!("const {name} = {value};\n"),
            Constant::Int(value) => format!("const {name} = {value};\n"),
            Constant::Dtype(dtype) => {
                format!("alias {name} = {};\n", Ty::of(element(*dtype)).unwrap_or(Ty::F32).name())
            }
        };
    }
    for (name, aval) in arrays(shader) {
        let rank = aval.shape.ndim();
        if mentions(shader, &format!("{name}_ndim")) {
            out += &format!("const {name}_ndim = {rank}u;\n");
        }
        for what in ["shape", "strides"] {
            if mentions(shader, &format!("{name}_{what}")) {
                out += &format!("var<private> {name}_{what}: array<u32, {}>;\n", rank.max(1));
            }
        }
    }
    out
}

/// The entry point up to where the user's part of it begins.
fn entry(shader: &Shader) -> String {
    let [x, y, z] = shader.workgroup;
    let word = |i: usize| format!("pb_{}", param(i));
    let three = |i: usize| format!("vec3<u32>({}, {}, {})", word(i), word(i + 1), word(i + 2));
    let mut out = format!(
        "
@compute @workgroup_size({x}, {y}, {z})
fn main(@builtin(workgroup_id) pb_group: vec3<u32>, @builtin(local_invocation_id) local_invocation_id: vec3<u32>,
        @builtin(local_invocation_index) local_invocation_index: u32) {{
    let workgroup_size = vec3<u32>({x}u, {y}u, {z}u);
    let grid_size = {};
    let num_workgroups = (grid_size + workgroup_size - 1u) / workgroup_size;
    let workgroup_id = pb_group + {};
    let global_invocation_id = workgroup_id * workgroup_size + local_invocation_id;
",
        three(GRID),
        three(FIRST_GROUP)
    );
    if !whole_groups(shader) {
        out += "    if (any(global_invocation_id >= grid_size)) { return; }\n";
    }
    let mut at = SIZES;
    for (name, aval) in arrays(shader) {
        let rank = aval.shape.ndim();
        for what in ["shape", "strides"] {
            if mentions(shader, &format!("{name}_{what}")) {
                for axis in 0..rank {
                    out += &format!("    {name}_{what}[{axis}] = {};\n", word(at + axis));
                }
            }
            at += rank;
        }
    }
    out + "    {\n"
}

/// Runs a kernel that was checked.
pub(crate) fn run(session: &mut Session, shader: &Shader, inputs: &[&Block]) -> Result<Vec<Block>> {
    let mut outputs = Vec::with_capacity(shader.outputs.len());
    for (_, aval) in &shader.outputs {
        let block = session.block(aval.size(), aval.dtype)?;
        if block.len > 0 {
            let bits = Scalar::Float(shader.init).bits(aval.dtype).to_le_bytes();
            let mut word = [0; 8];
            let held = to_words(&bits[..aval.dtype.size()], aval.dtype);
            word[..held.len()].copy_from_slice(&held);
            let halves = [0, 4].map(|at| u32::from_le_bytes([0, 1, 2, 3].map(|i| word[at + i])));
            start(session, block.piece(), block.len, aval.dtype, halves)?;
        }
        outputs.push(block);
    }
    let text = Text::of(shader).run;
    let arrays: Vec<Piece> = inputs.iter().copied().chain(&outputs).map(Block::exactly).collect();
    for (first, groups) in dispatches(shader) {
        session.launch_user(&text, &arrays, &params(shader, first), groups)?;
    }
    for ((_, aval), block) in shader.outputs.iter().zip(&outputs) {
        if aval.dtype.size() < 4 && block.len > 0 {
            settle(session, block.piece(), block.len, aval.dtype)?;
        }
    }
    Ok(outputs)
}

/// The first workgroup and the number of workgroups of each dispatch: one, unless there are more workgroups in a
/// dimension than a dispatch has.
fn dispatches(shader: &Shader) -> Vec<([u32; 3], [u32; 3])> {
    let parts = [0, 1, 2].map(|axis| {
        let groups = shader.grid[axis].div_ceil(shader.workgroup[axis]);
        let most = MAX_GROUPS as u32;
        (0..groups).step_by(most as usize).map(|first| (first, most.min(groups - first))).collect::<Vec<_>>()
    });
    let mut all = Vec::new();
    for &(z, depth) in &parts[2] {
        for &(y, height) in &parts[1] {
            all.extend(parts[0].iter().map(|&(x, width)| ([x, y, z], [width, height, depth])));
        }
    }
    all
}

fn params(shader: &Shader, first: [u32; 3]) -> Vec<u32> {
    let mut words = vec![0; SIZES];
    words[FIRST_GROUP..FIRST_GROUP + 3].copy_from_slice(&first);
    words[GRID..GRID + 3].copy_from_slice(&shader.grid);
    for (_, aval) in arrays(shader) {
        words.extend(aval.shape.iter().map(|&size| size as u32));
        words.extend(aval.shape.strides().iter().map(|&stride| stride as u32));
    }
    words
}
