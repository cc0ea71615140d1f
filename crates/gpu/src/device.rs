//! The open device: which adapter, with which features, and how its failures become values.
//!
//! wgpu reports failure in four places, and none of them is the return value of the call that failed: error
//! scopes, which belong to a thread; the device-lost callback; `poll`; and mapping. `catch` and `wait` bring
//! them together.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use pullback_base::{Error, Result};
use wgpu::{Backends, DeviceType, Features};

/// Chooses the adapter: part of its name, or `backend:part of its name`, as in `vulkan:llvmpipe`, `metal:`.
pub const ADAPTER_ENV: &str = "PULLBACK_ADAPTER";

/// A feature to ask for where the adapter has it, and what is done without it.
struct Want {
    feature: Features,
    name: &'static str,
    without: &'static str,
}

const WANTED: &[Want] = &[
    Want { feature: Features::SHADER_INT64, name: "64-bit integers", without: "run on the CPU" },
    Want { feature: Features::PIPELINE_CACHE, name: "pipeline cache", without: "compile at every start" },
];

/// What one pastes into a bug report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// The adapter's name.
    pub name: String,
    /// The system interface: vulkan, metal, dx12.
    pub backend: String,
    /// Discrete, integrated, virtual, software.
    pub kind: String,
    /// The driver and its version.
    pub driver: String,
    /// What of the optional features it has; for one that it lacks, what is done instead.
    pub features: Vec<(&'static str, std::result::Result<(), &'static str>)>,
    /// Limits that an array engine meets.
    pub limits: Vec<(&'static str, u64)>,
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({}, {}, {})", self.name, self.backend, self.kind, self.driver)?;
        for (name, has) in &self.features {
            match has {
                Ok(()) => writeln!(f, "  {name}: yes")?,
                Err(without) => writeln!(f, "  {name}: no, {without}")?,
            }
        }
        self.limits.iter().try_for_each(|(name, value)| writeln!(f, "  {name}: {value}"))
    }
}

/// An open device and what it granted.
pub(crate) struct Device {
    info: wgpu::AdapterInfo,
    features: Features,
    limits: wgpu::Limits,
    software: bool,
    pub raw: wgpu::Device,
    pub queue: wgpu::Queue,
    failure: Arc<Mutex<Option<Failure>>>,
}

#[derive(Clone)]
enum Failure {
    /// For good: nothing made from the device works again.
    Lost(String),
    /// An error outside any scope; reported once.
    Stray(Error),
}

impl Device {
    /// Opens the adapter that `PULLBACK_ADAPTER` names, or else the best one; software adapters come last.
    pub fn open(wish: &str) -> Result<Device> {
        let all = adapters();
        let best = all.iter().find(|adapter| answers(&adapter.get_info(), wish)).ok_or_else(|| {
            let seen: Vec<String> = all.iter().map(|adapter| adapter.get_info().name).collect();
            let expected = if wish.is_empty() { String::new() } else { format!(" that answers to {wish:?}") };
            Error::device(format!(
                "[gpu] expected an adapter for Vulkan, Metal or DX12{expected}, got {seen:?}; install a driver, \
                 correct {ADAPTER_ENV}, or use the CPU"
            ))
        })?;
        let wanted = WANTED.iter().fold(Features::empty(), |all, want| all | want.feature);
        // A driver may offer a feature and then refuse the device that asks for it.
        Device::request(best, wanted & best.features()).or_else(|_| Device::request(best, Features::empty()))
    }

    fn request(adapter: &wgpu::Adapter, features: Features) -> Result<Device> {
        let desc = wgpu::DeviceDescriptor {
            label: None,
            required_features: features,
            required_limits: adapter.limits(),
            experimental_features: wgpu::ExperimentalFeatures::disabled(),
            memory_hints: wgpu::MemoryHints::MemoryUsage, // the pool is ours
            trace: wgpu::Trace::Off,
        };
        let opened = pollster::block_on(adapter.request_device(&desc));
        let (raw, queue) =
            opened.map_err(|e| Error::device(format!("[gpu] the adapter gave no device: {e}")))?;
        let failure = Arc::new(Mutex::new(None));
        let slot = failure.clone();
        raw.set_device_lost_callback(move |reason, text| {
            *lock(&slot) = Some(Failure::Lost(format!("{reason:?}: {text}")));
        });
        // Without a handler an error outside any scope panics, on whatever thread it happens.
        let slot = failure.clone();
        raw.on_uncaptured_error(Arc::new(move |error| {
            lock(&slot).get_or_insert(Failure::Stray(translate(error)));
        }));
        let (features, limits) = (raw.features(), raw.limits());
        let info = adapter.get_info();
        let software = info.device_type == DeviceType::Cpu;
        Ok(Device { info, features, limits, software, raw, queue, failure })
    }

    /// Whether there are 64-bit integers.
    pub fn int64(&self) -> bool {
        self.features.contains(Features::SHADER_INT64)
    }

    /// Whether pipelines can be kept between runs of the process.
    pub fn caches_pipelines(&self) -> bool {
        self.features.contains(Features::PIPELINE_CACHE)
    }

    /// The adapter as wgpu describes it.
    pub fn adapter(&self) -> &wgpu::AdapterInfo {
        &self.info
    }

    /// Software adapters want kernels without barriers.
    pub fn is_software(&self) -> bool {
        self.software
    }

    /// Takes a software adapter for hardware.
    pub fn pretend(&mut self) {
        self.software = false;
    }

    /// Bytes of the largest array that a kernel can see.
    pub fn max_bytes(&self) -> u64 {
        self.limits.max_storage_buffer_binding_size.min(self.limits.max_buffer_size)
    }

    /// Threads that a workgroup may have in each dimension, and in all.
    pub fn workgroup_limits(&self) -> ([u32; 3], u32) {
        let limits = &self.limits;
        let each = [
            limits.max_compute_workgroup_size_x,
            limits.max_compute_workgroup_size_y,
            limits.max_compute_workgroup_size_z,
        ];
        (each, limits.max_compute_invocations_per_workgroup)
    }

    /// Bytes of memory that a workgroup shares.
    pub fn workgroup_bytes(&self) -> u32 {
        self.limits.max_compute_workgroup_storage_size
    }

    /// A size for a staging buffer that later ones fit into too.
    pub fn roomy(&self, bytes: u64) -> u64 {
        bytes.next_power_of_two().max(4096).min(self.limits.max_buffer_size / 4 * 4)
    }

    /// Number of arrays that a kernel can see.
    pub fn max_arrays(&self) -> usize {
        self.limits.max_storage_buffers_per_shader_stage as usize
    }

    /// Granularity of offsets into the parameter arena.
    pub fn uniform_alignment(&self) -> usize {
        self.limits.min_uniform_buffer_offset_alignment as usize
    }

    /// Runs `work` and returns the first error that a wgpu call in it raised, instead of a panic.
    ///
    /// Errors of commands appear when the encoder is finished: `work` must include that call.
    pub fn catch<T>(&self, work: impl FnOnce() -> T) -> Result<T> {
        use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
        let [a, b, c] = [Validation, OutOfMemory, Internal].map(|filter| self.raw.push_error_scope(filter));
        let value = work();
        // Scopes are popped innermost first; on native systems the futures are ready at once.
        let errors = [c, b, a].map(|scope| pollster::block_on(scope.pop()));
        match errors.into_iter().flatten().next() {
            Some(error) => Err(translate(error)),
            None => self.alive().map(|()| value),
        }
    }

    /// An error once the device is lost: most calls on a lost device do nothing and raise nothing.
    pub fn alive(&self) -> Result<()> {
        let mut slot = lock(&self.failure);
        match slot.clone() {
            None => Ok(()),
            Some(Failure::Lost(text)) => Err(Error::device(format!(
                "[gpu] the device was lost ({text}); arrays on it are gone, work on the CPU or restart"
            ))),
            Some(Failure::Stray(error)) => {
                *slot = None;
                Err(error)
            }
        }
    }

    /// Blocks until the submission is done, or everything for `None`.
    pub fn wait(&self, submission: Option<wgpu::SubmissionIndex>) -> Result<()> {
        let how = wgpu::PollType::Wait { submission_index: submission, timeout: None };
        let polled = self.raw.poll(how);
        self.alive()?;
        polled.map(|_| ()).map_err(|e| Error::device(format!("[gpu] waiting for the device failed: {e}")))
    }

    /// A buffer, or the reason there is none.
    pub fn create(&self, size: u64, usage: wgpu::BufferUsages) -> Result<wgpu::Buffer> {
        let desc = wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false };
        self.catch(|| self.raw.create_buffer(&desc))
    }

    /// For people.
    pub fn describe(&self) -> Info {
        let (info, limits) = (&self.info, &self.limits);
        let has = |want: &Want| {
            (want.name, if self.features.contains(want.feature) { Ok(()) } else { Err(want.without) })
        };
        Info {
            name: info.name.clone(),
            backend: info.backend.to_string(),
            kind: format!("{:?}", info.device_type),
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_string(),
            features: WANTED.iter().map(has).collect(),
            limits: vec![
                ("bytes per array", self.max_bytes()),
                ("bytes per buffer", limits.max_buffer_size),
                ("arrays per kernel", limits.max_storage_buffers_per_shader_stage.into()),
                ("bytes of workgroup memory", limits.max_compute_workgroup_storage_size.into()),
                ("threads per workgroup", limits.max_compute_invocations_per_workgroup.into()),
                ("threads per subgroup, least", info.subgroup_min_size.into()),
                ("threads per subgroup, most", info.subgroup_max_size.into()),
            ],
        }
    }
}

/// A lock that a panic elsewhere does not take away: what it guards is valid between any two statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn translate(error: wgpu::Error) -> Error {
    match error {
        wgpu::Error::Validation { description, .. } => {
            Error::device(format!("[gpu] the device refused a command: {description}"))
        }
        // Its own Display says only "Out of Memory"; the source names the call and the limit.
        wgpu::Error::OutOfMemory { source } => Error::memory(format!(
            "[gpu] the device has no memory left ({source}); free arrays or use the CPU"
        )),
        wgpu::Error::Internal { description, .. } => {
            Error::device(format!("[gpu] the driver failed: {description}"))
        }
    }
}

/// All adapters of the native back ends, best first.
fn adapters() -> Vec<wgpu::Adapter> {
    let mut desc = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
    desc.backends &= Backends::PRIMARY;
    desc.flags = wgpu::InstanceFlags::DISCARD_HAL_LABELS.with_env();
    let instance = wgpu::Instance::new(desc);
    let mut found = pollster::block_on(instance.enumerate_adapters(Backends::PRIMARY));
    found.sort_by_key(|adapter| match adapter.get_info().device_type {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    });
    found
}

/// Whether an adapter is meant by `wish`.
fn answers(info: &wgpu::AdapterInfo, wish: &str) -> bool {
    let (wish, name) = (wish.to_lowercase(), info.name.to_lowercase());
    match wish.split_once(':') {
        Some((backend, part)) => info.backend.to_str() == backend && name.contains(part),
        None => name.contains(&wish) || info.backend.to_str() == wish,
    }
}
