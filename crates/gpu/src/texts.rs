//! Every kind of kernel text is written by naga for Vulkan, Metal and DX12.

use naga::back::{hlsl, msl, spv};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use pullback_base::{Aval, Dtype};
use pullback_compile::program::{Class, computing};
use pullback_compile::shader::{Constant, Shader};
use pullback_compile::{Inst, Program, Val};
use pullback_kernels::{Fold, Map};

use crate::fold::{Form, Halves, Stage};
use crate::point;
use crate::shader::Text;
use crate::text::Ty;
use crate::whole::texts;

const DTYPES: [Dtype; 13] = [
    Dtype::Bool,
    Dtype::U8,
    Dtype::U16,
    Dtype::U32,
    Dtype::U64,
    Dtype::I8,
    Dtype::I16,
    Dtype::I32,
    Dtype::I64,
    Dtype::F16,
    Dtype::Bf16,
    Dtype::F32,
    Dtype::C64,
];

fn checked(text: &str) -> (naga::Module, ModuleInfo) {
    let module =
        naga::front::wgsl::parse_str(text).unwrap_or_else(|e| panic!("{}\n{text}", e.emit_to_string(text)));
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::SHADER_INT64);
    let info = validator.validate(&module).unwrap_or_else(|e| panic!("{}\n{text}", e.emit_to_string(text)));
    (module, info)
}

fn written_everywhere(text: &str) {
    let (module, info) = checked(text);
    let options = spv::Options { lang_version: (1, 3), ..Default::default() };
    let words = spv::write_vec(&module, &info, &options, None).unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert_eq!(words[0], 0x0723_0203, "SPIR-V's magic number");
    // `fake_missing_bindings`: buffer indices come from the pipeline layout, which a text check has not.
    let options = msl::Options { lang_version: (2, 4), fake_missing_bindings: true, ..Default::default() };
    let written = msl::write_string(&module, &info, &options, &msl::PipelineOptions::default());
    assert!(written.unwrap_or_else(|e| panic!("{e}\n{text}")).0.contains("kernel void"));
    let options = hlsl::Options {
        shader_model: hlsl::ShaderModel::V6_0,
        fake_missing_bindings: true,
        ..Default::default()
    };
    let (mut out, pipeline) = (String::new(), hlsl::PipelineOptions::default());
    let written = hlsl::Writer::new(&mut out, &options, &pipeline).write(&module, &info, None);
    written.unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert!(out.contains("numthreads"));
}

/// A program of one function, and one of all of a type that exist.
fn functions() -> Vec<Program> {
    let mut all = vec![];
    for dtype in [Dtype::Bool, Dtype::I32, Dtype::U32, Dtype::I64, Dtype::U64, Dtype::F32, Dtype::C64] {
        let mut program = Program::default();
        let truth = program.load(Dtype::Bool, Class::Scalar);
        let x = program.load(dtype, Class::Full);
        let y = program.load(dtype, Class::Strided);
        for &map in Map::ALL {
            let args: &[Val] = match map.arity() {
                1 => &[x],
                2 => &[x, y],
                _ => &[truth, x, y],
            };
            let result = if map.result(&args.iter().map(|&a| program.dtype(a)).collect::<Vec<_>>())
                == Ok(Dtype::Bool)
            {
                Dtype::Bool
            } else {
                dtype
            };
            let mut longer = program.clone();
            let value = longer.map(map, args, result);
            longer.store(result, value);
            if point::text(&longer, 2, &[]).is_ok() {
                program = longer;
            }
        }
        all.push(program);
    }
    all
}

fn conversions() -> Vec<Program> {
    let program = |from: Dtype| {
        let mut program = Program::default();
        program.inputs.push(Class::Full);
        let value = program.push(Inst::Load { input: 0 }, from);
        for to in DTYPES {
            program.store(to, value);
            if to.size() == from.size() {
                let bits = program.push(Inst::Bitcast { arg: value }, to);
                program.store(to, bits);
            }
            let constant = program.push(Inst::Const { bits: u64::MAX >> 1 }, to);
            program.store(to, constant);
        }
        program
    };
    DTYPES.map(program).into()
}

fn reductions() -> Vec<String> {
    let mut all = vec![];
    for dtype in DTYPES {
        let mut program = Program::default();
        let x = program.load(dtype, Class::Full);
        let y = program.load(dtype, Class::Strided);
        let wide = computing(dtype);
        let sum = program.map(Map::Add, &[x, y], wide);
        let mut last = sum;
        let folds = [Fold::Sum, Fold::Prod, Fold::Max, Fold::Min];
        for &fold in &folds[..if dtype == Dtype::C64 { 2 } else { 4 }] {
            last = program.push(Inst::Reduce { fold, arg: sum }, wide);
            program.store(dtype, last);
        }
        let late = program.load(dtype, Class::Strided);
        let after = program.map(Map::Mul, &[last, late], wide);
        program.store(dtype, after);
        program.store(dtype, sum);
        let halves = Halves::of(&program).unwrap();
        for stage in [Stage::Whole, Stage::Parts, Stage::Finish] {
            for grouped in [false, true] {
                all.push(halves.text(Form { stage, grouped, ranks: (2, 2) }).unwrap());
            }
        }
    }
    all
}

/// One text of every kind.
fn all() -> Vec<String> {
    let programs = functions().into_iter().chain(conversions());
    let mut all: Vec<String> = programs.map(|program| point::text(&program, 3, &[]).unwrap()).collect();
    all.push(point::text(&functions()[5], 2, &[Some(1)]).unwrap());
    all.extend(reductions());
    for dtype in DTYPES {
        all.extend(texts(dtype));
    }
    all.sort_unstable();
    all.dedup();
    all
}

#[test]
fn kernels_are_written_for_all_back_ends() {
    let all = all();
    println!("{} kernels", all.len());
    assert!(all.len() > 500, "{}", all.len());
    all.iter().for_each(|text| written_everywhere(text));
}

/// A kernel of a user with everything in it that there is.
fn shader(source: &str, header: &str) -> Shader {
    let array = |name: &str, shape: &[usize], dtype| (name.into(), Aval::new(shape.to_vec(), dtype));
    Shader {
        name: "all".into(),
        header: header.into(),
        source: source.into(),
        inputs: vec![
            array("x", &[2, 3], Dtype::F16),
            array("flags", &[6], Dtype::Bool),
            array("wide", &[], Dtype::I64),
        ],
        outputs: vec![array("y", &[6], Dtype::U8), array("z", &[1], Dtype::I32)],
        constants: vec![
            ("T".into(), Constant::Dtype(Dtype::Bf16)),
            ("N".into(), Constant::Int(3)),
            ("ON".into(), Constant::Truth(true)),
        ],
        grid: [6, 1, 1],
        workgroup: [4, 1, 1],
        atomic: true,
        init: 0.,
    }
}

#[test]
fn kernels_of_users_are_written_for_all_back_ends() {
    let source = "let i = global_invocation_id.x + num_workgroups.x + local_invocation_index;
        part[local_invocation_id.x] = twice(T(x[i]) * T(N));
        if (ON && flags[i] == 1u && wide[0] > 0li) { return; }
        atomicAdd(&y[i % (x_shape[0] * x_shape[1])], x_strides[0] + x_ndim);
        atomicMax(&z[0], i32(part[0]));";
    let header = "var<workgroup> part: array<f32, 4>;\nfn twice(a: f32) -> f32 { return 2.0 * a; }\n";
    let shader = shader(source, header);
    let text = Text::of(&shader);
    text.check(&shader, 1 << 14).unwrap();
    written_everywhere(&text.run);
}

#[test]
fn a_mistake_of_a_user_is_found_where_it_is() {
    let said = |source: &str, header: &str| {
        let shader = shader(source, header);
        Text::of(&shader).check(&shader, 1 << 14).unwrap_err().to_string()
    };
    for (source, header, place) in [
        ("\n let a = b;", "", "line 2 of the source, `let a = b;`: no definition in scope"),
        ("x[0] = 1.0;", "", "line 1 of the source, `x[0] = 1.0;`"),
        ("let a = 1", "", "line 1 of the source, `let a = 1`: expected `;`"),
        ("", "fn f() {}\nfn g() -> u32 { return 1.0; }", "line 2 of the header, `fn g()"),
        ("}", "", "line 1 of the source, `}`"),
        (
            "",
            "@group(0) @binding(0) var<storage, read_write> w: array<f32>;",
            "line 1 of the header, `@group(0) @binding(0) var<storage, read_write> w: array<f32>;`: a kernel declares",
        ),
        ("", "override a: f32;", "line 1 of the header, `override a: f32;`: nobody gives"),
        (
            "",
            "var<workgroup> a: array<f32, 5000>;",
            "at most 16384 bytes of workgroup memory in 'all', got 20000",
        ),
    ] {
        let text = said(source, header);
        assert!(text.contains(place), "{text}");
    }
    assert!(said("x[0] = 1.0;", "").contains("inputs are only read"));
}

#[test]
fn every_function_of_the_table_has_a_kernel_for_floats_and_for_complex_numbers() {
    let integers = [Map::Not, Map::And, Map::Or, Map::Xor, Map::Shl, Map::Shr];
    let complex = [Map::Swap, Map::Join];
    let real = [Map::Sign, Map::Floor, Map::Ceil, Map::Trunc, Map::Erf, Map::Erfinv, Map::Rem, Map::FloorDiv];
    let programs = functions();
    // The last two programs are of these types.
    let [.., floats, numbers] = &programs[..] else { unreachable!("a program of each type") };
    let of_reals = [&real[..], &[Map::Atan2]].concat();
    for (program, dtype, lacks) in [(floats, Dtype::F32, &complex[..]), (numbers, Dtype::C64, &of_reals)] {
        for &map in Map::ALL {
            let there =
                program.insts.iter().any(|inst| matches!(inst, Inst::Map { map: m, .. } if *m == map));
            assert_eq!(there, !integers.contains(&map) && !lacks.contains(&map), "{map:?} of {dtype}");
        }
    }
}

/// If the SPIR-V tools are installed: naga's output is valid for Vulkan 1.1.
#[test]
fn spirv_passes_the_official_validator() {
    for (i, text) in all().iter().enumerate() {
        let (module, info) = checked(text);
        let options = spv::Options { lang_version: (1, 3), ..Default::default() };
        let words = spv::write_vec(&module, &info, &options, None).unwrap();
        let path = std::env::temp_dir().join(format!("pullback_gpu_{}_{i}.spv", std::process::id()));
        std::fs::write(&path, bytemuck::cast_slice(&words)).unwrap();
        let run =
            std::process::Command::new("spirv-val").args(["--target-env", "vulkan1.1"]).arg(&path).output();
        std::fs::remove_file(&path).unwrap();
        let Ok(run) = run else { return println!("SKIPPED: spirv-val is not installed") };
        assert!(run.status.success(), "{}\n{text}", String::from_utf8_lossy(&run.stderr));
    }
}

#[test]
fn floats_are_never_compared_by_a_sign_that_nan_breaks() {
    let all: Vec<String> = functions().iter().map(|program| point::text(program, 1, &[]).unwrap()).collect();
    let float = &all[5];
    assert!(!float.lines().any(|line| line.contains("v1 != v2")), "{float}");
    assert_eq!(Ty::of(Dtype::F64), None);
}
