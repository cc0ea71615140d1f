//! Results do not depend on the number of threads, and the environment chooses what it says it does.

mod interpreter;

use std::process::Command;

use interpreter::{Lie, Rng, Setup, block};
use pullback_base::{Aval, Device, Dtype, Layout, Shape};
use pullback_compile::program::Class;
use pullback_compile::{Backend, Inst, Operand, Program, Step, Task, WholeStep};
use pullback_cpu::{Cpu, threads};
use pullback_kernels::{Cumulate, Fold, Fourier, Isa, Map, Scale, Spectrum, Whole};

/// Runs a test of this file in another process, with an environment.
fn again(test: &str, name: &str, value: &str) -> bool {
    let exe = std::env::current_exe().unwrap();
    let output =
        Command::new(exe).env(name, value).args(["--exact", test, "--include-ignored"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("running 1 test"), "{text}");
    output.status.success()
}

#[test]
fn threads_do_not_matter() {
    assert!(again("with_seven_threads", "PULLBACK_THREADS", "7"));
}

#[test]
fn the_instruction_set_can_be_forced() {
    for isa in Isa::ALL.into_iter().filter(|isa| isa.available()) {
        assert!(again("as_forced", "PULLBACK_ISA", isa.name()));
    }
    assert!(!again("as_forced", "PULLBACK_ISA", "no such"));
}

#[test]
#[ignore = "run by the_instruction_set_can_be_forced"]
fn as_forced() {
    assert_eq!(Cpu::new().unwrap().isa_name(), std::env::var("PULLBACK_ISA").unwrap());
}

#[test]
#[ignore = "run by threads_do_not_matter"]
fn with_seven_threads() {
    let cpu = Cpu::new().unwrap();
    assert_eq!(cpu.threads(), 7);
    let mut rng = Rng(1);
    let spaces: [(&[usize], &[bool]); 9] = [
        (&[1500, 1000], &[true, true]),
        (&[1500, 1000], &[true, false]),
        (&[1500, 1000], &[false, true]),
        (&[1500, 1000], &[false, false]),
        (&[100_000, 17], &[true, false]),
        (&[100_000, 17], &[false, true]),
        (&[3, 500_000], &[false, true]),
        (&[40, 50_000], &[true, false]),
        (&[300, 20, 300], &[false, true, false]),
    ];
    for (space, reduced) in spaces {
        for lie in [Lie::Full, Lie::Transposed] {
            let mut p = Program::default();
            let x = p.load(Dtype::F32, Class::Full);
            let mut y = p.map(Map::Exp, &[x], Dtype::F32);
            if reduced.contains(&true) {
                y = p.push(Inst::Reduce { fold: Fold::Sum, arg: y }, Dtype::F32);
            }
            p.store(Dtype::F32, y);
            let setup = Setup::new(p, Shape::new(space), reduced.to_vec(), &[lie], &mut rng);
            let kept: Shape = space.iter().zip(reduced).filter(|(_, r)| !**r).map(|(&n, _)| n).collect();
            let shape = vec![(kept, Dtype::F32, vec![])];
            same(|| setup.run(&cpu, &shape, false).remove(0), &format!("{space:?} {reduced:?} {lie:?}"));
        }
    }
    let n = 600_000;
    for (whole, canonical, out) in [
        (Whole::Sort, [1, n, 1], Dtype::F32),
        (Whole::ArgSort, [1, n, 1], Dtype::U32),
        (Whole::Sort, [1000, 600, 1], Dtype::F32),
        (Whole::ArgReduce { max: true }, [1000, 600, 1], Dtype::U32),
        (Whole::Cumulate { how: Cumulate::Sum, reverse: false, inclusive: true }, [100, 60, 100], Dtype::F32),
        (Whole::Fourier(FULL), [1000, 600, 1], Dtype::C64),
        (Whole::Fourier(FULL), [10, 600, 100], Dtype::C64),
    ] {
        let bytes = block(Dtype::F32, n, &mut rng);
        let shape = if let Whole::ArgReduce { .. } = whole { vec![1000, 1] } else { canonical.to_vec() };
        same(|| run(&cpu, &whole, &canonical, &bytes, &shape, out), &format!("{whole:?} {canonical:?}"));
    }
}

/// Of real numbers, with as many coefficients.
const FULL: Fourier = Fourier { n: 600, inverse: false, scale: Scale::One, spectrum: Spectrum::Full };

/// One result for any number of threads.
fn same(work: impl Fn() -> Vec<u8>, what: &str) {
    let results = [1, 2, 3, 7].map(|limit| {
        threads::limit(limit);
        work()
    });
    threads::limit(0);
    assert!(results.iter().all(|result| *result == results[0]), "{what}");
}

fn run(
    cpu: &Cpu,
    whole: &Whole,
    canonical: &[usize],
    bytes: &[u8],
    shape: &[usize],
    dtype: Dtype,
) -> Vec<u8> {
    let mut slots = [Some(cpu.upload(bytes, Dtype::F32).unwrap()), None];
    let canonical = Shape::new(canonical);
    let step = Step {
        device: Device::Cpu,
        task: Task::Whole(WholeStep {
            whole: whole.clone(),
            shapes: vec![canonical.clone()],
            shape: Shape::new(shape),
        }),
        inputs: vec![Operand {
            slot: 0,
            layout: Layout::contiguous(&canonical),
            aval: Aval::new(canonical, Dtype::F32),
        }],
        outputs: vec![(1, Aval::new(shape, dtype))],
        dying: vec![],
    };
    cpu.run(&[step], &mut slots, &mut || Ok(())).unwrap();
    cpu.download(slots[1].as_ref().unwrap(), dtype).unwrap()
}
