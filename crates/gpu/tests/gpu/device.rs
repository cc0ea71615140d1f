//! Data in and out, several threads, and what is refused.

use std::sync::Arc;

use pullback_base::{Aval, Device, Dtype, Error, ErrorKind, Layout, Shape};
use pullback_compile::program::Class;
use pullback_compile::{Backend, GroupStep, Operand, Program, Step, Task};
use pullback_gpu::Gpu;
use pullback_kernels::{Map, Whole};

use crate::{Input, Noise, gpu, run_group, run_whole};

#[test]
fn what_goes_in_comes_out() {
    let Some(gpu) = gpu() else { return };
    let mut noise = Noise(20);
    for dtype in Dtype::ALL {
        for n in [0, 1, 3, 1000, 300_000] {
            let bytes: Vec<u8> = match dtype {
                Dtype::Bool => (0..n).map(|_| noise.next() as u8 & 1).collect(),
                // Numbers: NaN need not keep its bits in a half type.
                _ => (0..n * dtype.size()).map(|_| noise.next() as u8 & 0x3b).collect(),
            };
            let block = gpu.upload(&bytes, dtype).unwrap();
            assert_eq!((block.device(), block.bytes()), (Device::Gpu, bytes.len()));
            assert!(block.host().is_none());
            assert!(gpu.download(&block, dtype).unwrap() == bytes, "{dtype} {n}");
        }
    }
}

fn chain(steps: usize) -> (Vec<Step>, usize) {
    let mut program = Program::default();
    let x = program.load(Dtype::F32, Class::Full);
    let one = program.push(pullback_compile::Inst::Const { bits: 1f32.to_bits().into() }, Dtype::F32);
    let sum = program.map(Map::Add, &[x, one], Dtype::F32);
    program.store(Dtype::F32, sum);
    let program = Arc::new(program);
    let aval = Aval::new([1000], Dtype::F32);
    let step = |i: usize| Step {
        device: Device::Gpu,
        task: Task::Group(GroupStep { program: program.clone(), space: [1000].into(), reduced: vec![false] }),
        inputs: vec![Operand { slot: i as u32, layout: Layout::contiguous(&aval.shape), aval: aval.clone() }],
        outputs: vec![(i as u32 + 1, aval.clone())],
        dying: vec![i as u32],
    };
    ((0..steps).map(step).collect(), steps + 1)
}

#[test]
fn thousands_of_steps_from_eight_threads_at_once() {
    let Some(gpu) = gpu() else { return };
    let (steps, slots) = chain(700);
    let work = |start: f32| {
        let bytes: Vec<u8> = (0..1000).flat_map(|i| (start + i as f32).to_le_bytes()).collect();
        for _ in 0..3 {
            let mut slots = vec![None; slots];
            slots[0] = Some(gpu.upload(&bytes, Dtype::F32).unwrap());
            gpu.run(&steps, &mut slots, &mut || Ok(())).unwrap();
            let out = gpu.download(slots.last().unwrap().as_ref().unwrap(), Dtype::F32).unwrap();
            let out: Vec<f32> = out.as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x)).collect();
            assert!(out.iter().enumerate().all(|(i, &x)| x == start + i as f32 + 700.));
        }
    };
    std::thread::scope(|scope| (0..8).for_each(|t| drop(scope.spawn(move || work(t as f32 * 10.)))));
    gpu.synchronize().unwrap();
}

#[test]
fn a_host_that_wants_to_stop_stops_between_steps() {
    let Some(gpu) = gpu() else { return };
    let (steps, slots) = chain(10);
    let mut slots = vec![None; slots];
    slots[0] = Some(gpu.upload(&[0; 4000], Dtype::F32).unwrap());
    let mut left = 4;
    let mut poll = || {
        left -= 1;
        // Asks the device from within: nothing may be locked here.
        gpu.synchronize()?;
        if left == 0 { Err(Error::host("stop", ())) } else { Ok(()) }
    };
    let error = gpu.run(&steps, &mut slots, &mut poll).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Host);
    assert!(slots[3].is_some() && slots[4].is_none());
}

#[test]
fn freed_memory_is_used_again() {
    let Some(gpu) = Gpu::open().ok() else { return println!("SKIPPED: no adapter") };
    let bytes = vec![1; 3 << 20];
    let step = || drop(gpu.upload(&bytes, Dtype::F32).unwrap());
    (0..10).for_each(|_| step());
    let before = gpu.memory();
    (0..500).for_each(|_| step());
    assert_eq!(gpu.memory().held, before.held);
    assert!(gpu.clear_cache().unwrap() >= 3 << 20);
    assert!(gpu.memory().held < before.held);
    let (steps, slots) = chain(3);
    let mut slots = vec![None; slots];
    slots[0] = Some(gpu.upload(&[0; 4000], Dtype::F32).unwrap());
    gpu.run(&steps, &mut slots, &mut || Ok(())).unwrap();
    assert_eq!(gpu.download(slots[3].as_ref().unwrap(), Dtype::F32).unwrap()[..4], 3f32.to_le_bytes());
}

#[test]
fn too_large_an_array_is_a_memory_error_and_the_device_works_on() {
    let Some(gpu) = gpu() else { return };
    let n = (gpu.memory().most / 4 + 1) as usize;
    let step = Step {
        device: Device::Gpu,
        task: Task::Whole(pullback_compile::WholeStep {
            whole: Whole::Iota,
            shapes: vec![],
            shape: [n].into(),
        }),
        inputs: vec![],
        outputs: vec![(0, Aval::new([n], Dtype::F32))],
        dying: vec![],
    };
    let error = gpu.run(&[step], &mut [None], &mut || Ok(())).unwrap_err();
    println!("{error}");
    assert_eq!(error.kind(), ErrorKind::Memory);
    assert!(error.text().contains("expected") && error.text().contains("got"));
    // A reduction over a space too large to count, of one element repeated.
    let mut program = Program::default();
    let value = program.load(Dtype::F32, Class::Scalar);
    let sum = program
        .push(pullback_compile::Inst::Reduce { fold: pullback_kernels::Fold::Sum, arg: value }, Dtype::F32);
    program.store(Dtype::F32, sum);
    let space = [1 << 20, 1 << 20];
    let layout = Layout { shape: Shape::new(&space), strides: vec![0, 0].into(), offset: 0 };
    let input = Input::new(Dtype::F32, vec![0], layout);
    let error = run_group(gpu, &program, &space, &[true, true], &[input]).unwrap_err();
    println!("{error}");
    assert_eq!(error.kind(), ErrorKind::Memory);
    assert_eq!(run_whole(gpu, Whole::Iota, &[], &[3], Dtype::I32), [0, 1, 2]);
}

#[test]
fn no_adapter_is_a_device_error() {
    let error = Gpu::open_named("no such adapter").err().expect("no adapter has this name");
    println!("{error}");
    assert_eq!(error.kind(), ErrorKind::Device);
    assert!(error.text().contains("no such adapter") && error.text().contains("PULLBACK_ADAPTER"));
}

#[test]
fn a_device_tells_about_itself() {
    let Some(gpu) = gpu() else { return };
    let info = gpu.info();
    assert!(!info.name.is_empty() && info.limits.iter().all(|(_, value)| *value > 0));
    assert!(info.to_string().contains(&info.name));
}
