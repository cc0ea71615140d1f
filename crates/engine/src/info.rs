//! What one pastes into a bug report.

use std::fmt::Write;

use crate::{devices, eval};

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
