//! What goes wrong inside the device comes out as values. Without an adapter these tests say so.

use pullback_base::{Dtype, ErrorKind};
use pullback_compile::Backend;
use wgpu::BufferUsages as Use;

use crate::Gpu;
use crate::device::Device;

fn device() -> Option<Device> {
    Device::open("").inspect_err(|error| println!("SKIPPED, no GPU: {error}")).ok()
}

#[test]
fn refused_calls_are_errors() {
    let Some(device) = device() else { return };
    let error = device.create(u64::MAX / 8 * 4, Use::STORAGE).unwrap_err();
    println!("{error}");
    assert!(matches!(error.kind(), ErrorKind::Device | ErrorKind::Memory));
    let source = wgpu::ShaderSource::Wgsl("fn main() { let x: f32 = 1u; }".into());
    let desc = wgpu::ShaderModuleDescriptor { label: None, source };
    let error = device.catch(|| device.raw.create_shader_module(desc)).unwrap_err();
    println!("{error}");
    assert_eq!(error.kind(), ErrorKind::Device);
    assert!(device.create(1024, Use::STORAGE).is_ok());
}

#[test]
fn an_error_outside_any_scope_is_told_once() {
    let Some(device) = device() else { return };
    let desc =
        wgpu::BufferDescriptor { label: None, size: 4, usage: Use::empty(), mapped_at_creation: false };
    drop(device.raw.create_buffer(&desc));
    assert_eq!(device.alive().unwrap_err().kind(), ErrorKind::Device);
    assert!(device.alive().is_ok());
}

#[test]
fn a_lost_device_is_an_error_in_every_call_and_never_a_panic() {
    let Ok(gpu) = Gpu::open() else { return println!("SKIPPED: no adapter") };
    let block = gpu.upload(&[0; 400], Dtype::F32).unwrap();
    gpu.lose();
    // The loss is told by the next call that polls.
    let _ = gpu.synchronize();
    let kinds = [
        gpu.synchronize().map_err(|e| e.kind()).err(),
        gpu.upload(&[0; 400], Dtype::F32).map_err(|e| e.kind()).err(),
        gpu.download(&block, Dtype::F32).map_err(|e| e.kind()).err(),
        gpu.run(&[], &mut [], &mut || Ok(())).map_err(|e| e.kind()).err(),
        gpu.clear_cache().map_err(|e| e.kind()).err(),
    ];
    println!("{}", gpu.synchronize().unwrap_err());
    assert_eq!(kinds[..4], [Some(ErrorKind::Device); 4]);
    // A new device is unharmed.
    let other = Gpu::open().unwrap();
    let block = other.upload(&[7; 4], Dtype::F32).unwrap();
    assert_eq!(other.download(&block, Dtype::F32).unwrap(), [7; 4]);
}
