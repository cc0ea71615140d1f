//! What one pastes into a bug report.

use std::fmt::Write;

use pullback_base::{Device, Result};

use crate::{devices, eval};

/// What is known of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Property {
    Text(String),
    Number(u64),
}

/// Names and values of what is known of a device. What the system does not say is left out.
///
/// # Errors
/// `Device` if it is not there.
pub fn properties(device: Device) -> Result<Vec<(&'static str, Property)>> {
    let text = |text: &str| Property::Text(text.to_owned());
    match device {
        Device::Cpu => {
            let cpu = devices::cpu()?;
            let mut found = vec![
                ("device_name", Property::Text(processor())),
                ("architecture", text(std::env::consts::ARCH)),
                ("instruction_set", text(cpu.isa_name())),
                ("threads", Property::Number(cpu.threads() as u64)),
            ];
            found.extend(total_memory().map(|bytes| ("total_memory", Property::Number(bytes))));
            Ok(found)
        }
        #[cfg(feature = "gpu")]
        Device::Gpu => {
            let info = devices::gpu()?.info();
            let mut found = vec![
                ("device_name", text(&info.name)),
                ("architecture", text(&info.backend)),
                ("kind", text(&info.kind)),
                ("driver", text(&info.driver)),
            ];
            let limit = info.limits.iter().find(|(name, _)| *name == "bytes per buffer");
            found.extend(limit.map(|(_, bytes)| ("max_buffer_length", Property::Number(*bytes))));
            Ok(found)
        }
        #[cfg(not(feature = "gpu"))]
        Device::Gpu => devices::backend(device).map(|_| Vec::new()),
    }
}

/// The machine's memory, where the system says it in a file.
fn total_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Version, devices with their capabilities and limits, memory, and how many plans and kernels are kept.
///
/// # Errors
/// `Value` if the environment asks for threads or an instruction set that there are not.
pub fn info() -> pullback_base::Result<String> {
    let cpu = devices::cpu()?;
    let memory = pullback_cpu::memory();
    let mut text = format!("pullback {}\n", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(text, "system: {} {}", std::env::consts::OS, std::env::consts::ARCH);
    let _ = writeln!(text, "cpu: {}, {} threads, {}", processor(), cpu.threads(), cpu.isa_name());
    let _ =
        writeln!(text, "  memory: {} bytes live, {} peak, {} kept", memory.live, memory.peak, memory.kept);
    let _ = writeln!(text, "  programs kept: {}", cpu.programs());
    #[cfg(feature = "gpu")]
    match devices::gpu() {
        Ok(gpu) => {
            let _ = write!(text, "gpu: {}", gpu.info());
            let _ = writeln!(
                text,
                "  memory: {} bytes held, kernels kept: {}",
                gpu.memory().held,
                gpu.memory().kernels
            );
        }
        Err(error) => {
            let _ = writeln!(text, "gpu: {error}");
        }
    }
    #[cfg(not(feature = "gpu"))]
    text.push_str("gpu: not in this build\n");
    let _ = writeln!(text, "plans kept: {}", eval::plans());
    Ok(text)
}

/// The processor's name, where the system says it in a file.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| std::env::consts::ARCH.to_string(), |(_, name)| name.trim().to_string())
}
