//! From WGSL text to a pipeline, once per kernel.
//!
//! A kernel's text starts with a header made here: its arrays, all `read_write` (wgpu refuses one buffer as `read`
//! and `read_write` in the same dispatch, even in disjoint ranges), and its parameters, words of a uniform
//! block. Kernels are compiled without wgpu's checks: every index is below a guard of ours, no divisor is zero,
//! every loop ends. That holds for text that this crate prints; a user's is compiled with all of them.

use std::path::PathBuf;
use std::sync::Arc;

use pullback_base::{Dtype, Error, Result};
use pullback_compile::Program;
use rustc_hash::FxHashMap;
use wgpu::{BindingType, BufferBindingType, ShaderStages};

use crate::device::Device;
use crate::fold::Form;

/// Threads of a workgroup, in every kernel: trees of reductions have the same shape on every device.
pub(crate) const THREADS: usize = 256;
/// Parameter words that one dispatch can have.
pub(crate) const PARAM_WORDS: usize = 1024;
/// Word 3 of every parameter block is zero, which only we know: numbers that a shader compiler is allowed to believe
/// cannot occur are made from it.
pub(crate) const ZERO_WORD: usize = 3;

/// New kernels after which the cache on disk is written.
const SAVE: usize = 16;

/// A compiled kernel.
pub(crate) struct Kernel {
    pub pipeline: wgpu::ComputePipeline,
    /// Layout of its arrays' bind group. Equal layouts are interchangeable, so bind groups serve all kernels with
    /// as many arrays.
    pub layout: wgpu::BindGroupLayout,
}

/// WGSL that declares arrays by name and element type, and the parameters.
pub(crate) fn header(arrays: &[(String, &str)]) -> String {
    let mut out = String::new();
    for (i, (name, ty)) in arrays.iter().enumerate() {
        out += &format!("@group(0) @binding({i}) var<storage, read_write> {name}: array<{ty}>;\n");
    }
    out += &format!(
        "struct Params {{ w: array<vec4<u32>, {}> }}\n@group(1) @binding(0) var<uniform> p: Params;\n",
        PARAM_WORDS / 4
    );
    out
}

/// WGSL for parameter word `i`.
pub(crate) fn param(i: usize) -> String {
    format!("p.w[{}].{}", i / 4, ["x", "y", "z", "w"][i % 4])
}

/// What a kernel is, without its text: finding one must not take printing it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Key {
    /// A program without reductions, over so many axes, with outputs in the memory of inputs.
    Point(Arc<Program>, usize, Vec<Option<u8>>),
    /// One of the kernels of a program with reductions.
    Fold(Arc<Program>, Form),
    /// A kernel over whole arrays: its name, the type of its elements, and a number that tells variants apart.
    Whole(&'static str, Dtype, u32),
    /// A kernel of a user: its text.
    User(Arc<str>),
}

/// Compiled kernels.
pub(crate) struct Kernels {
    known: FxHashMap<Key, Arc<Kernel>>,
    params: wgpu::BindGroupLayout,
    disk: Option<(wgpu::PipelineCache, PathBuf)>,
}

impl Kernels {
    pub fn new(device: &Device) -> Kernels {
        let params = entry(0, BufferBindingType::Uniform, true);
        let params = layout(device, &[params]);
        Kernels { known: FxHashMap::default(), params, disk: disk_cache(device) }
    }

    /// Layout of the bind group with the parameters.
    pub fn params(&self) -> &wgpu::BindGroupLayout {
        &self.params
    }

    /// A kernel, whose entry point is `main` and which has `arrays` arrays; `text` prints it the first time.
    pub fn get(
        &mut self,
        device: &Device,
        key: Key,
        arrays: usize,
        text: impl FnOnce() -> std::result::Result<String, String>,
    ) -> Result<Arc<Kernel>> {
        if let Some(kernel) = self.known.get(&key) {
            return Ok(kernel.clone());
        }
        let text =
            text().map_err(|lack| Error::internal(format!("[gpu] a kernel cannot be printed: {lack}")))?;
        let kernel = Arc::new(self.compile(device, &text, arrays, matches!(key, Key::User(_)))?);
        self.known.insert(key, kernel.clone());
        if self.known.len().is_multiple_of(SAVE) {
            self.save();
        }
        Ok(kernel)
    }

    /// Keeps compiled pipelines for the next process. Failing to is no error: they are compiled again.
    pub fn save(&self) {
        let Some((cache, path)) = &self.disk else { return };
        let Some(data) = cache.get_data() else { return };
        // Beside, then renamed: a reader never sees half of it.
        let beside = path.with_extension(std::process::id().to_string());
        if std::fs::write(&beside, data).is_ok() {
            let _ = std::fs::rename(beside, path);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    fn compile(&self, device: &Device, text: &str, arrays: usize, of_user: bool) -> Result<Kernel> {
        let source = wgpu::ShaderSource::Wgsl(text.into());
        let desc = wgpu::ShaderModuleDescriptor { label: None, source };
        let module = if of_user {
            device.catch(|| device.raw.create_shader_module(desc))?
        } else {
            let checks = wgpu::ShaderRuntimeChecks::unchecked();
            // SAFETY: the head of this file says why our text needs no checks; a user's does not come here.
            device.catch(|| unsafe { device.raw.create_shader_module_trusted(desc, checks) })?
        };
        let storage = BufferBindingType::Storage { read_only: false };
        let entries: Vec<_> = (0..arrays as u32).map(|i| entry(i, storage, false)).collect();
        let group = layout(device, &entries);
        let pipeline_layout = device.raw.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&group), Some(&self.params)],
            immediate_size: 0,
        });
        let desc = wgpu::ComputePipelineDescriptor {
            label: None,
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &[],
                // Ours write workgroup memory before they read it.
                zero_initialize_workgroup_memory: of_user,
            },
            cache: self.disk.as_ref().map(|(cache, _)| cache),
        };
        let pipeline = device.catch(|| device.raw.create_compute_pipeline(&desc))?;
        Ok(Kernel { pipeline, layout: group })
    }
}

/// The pipeline cache of this adapter in the user's cache directory, where the back end has one.
fn disk_cache(device: &Device) -> Option<(wgpu::PipelineCache, PathBuf)> {
    let key = wgpu::util::pipeline_cache_key(device.adapter()).filter(|_| device.caches_pipelines())?;
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let dir = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)?.join("pullback");
    std::fs::create_dir_all(&dir).ok()?;
    let path = dir.join(key);
    let data = std::fs::read(&path).ok();
    let desc = wgpu::PipelineCacheDescriptor { label: None, data: data.as_deref(), fallback: true };
    // SAFETY: the file was written by `Kernels::save`. Its name is the adapter's vendor and device; wgpu's header in
    // it names the driver too, and data of another driver is dropped.
    let cache = device.catch(|| unsafe { device.raw.create_pipeline_cache(&desc) }).ok()?;
    Some((cache, path))
}

fn layout(device: &Device, entries: &[wgpu::BindGroupLayoutEntry]) -> wgpu::BindGroupLayout {
    device.raw.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries })
}

fn entry(binding: u32, ty: BufferBindingType, has_dynamic_offset: bool) -> wgpu::BindGroupLayoutEntry {
    let ty = BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: None };
    wgpu::BindGroupLayoutEntry { binding, visibility: ShaderStages::COMPUTE, ty, count: None }
}
