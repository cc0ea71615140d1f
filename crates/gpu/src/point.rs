//! Programs without reductions: one thread per point.

use std::fmt::Write;

use pullback_compile::program::Class;
use pullback_compile::{Inst, Program, Val};

use crate::inst::{Lack, expression, ty};
use crate::kernel::{THREADS, header, param};
use crate::space::Space;
use crate::text::prelude;

/// First parameter word after the fixed ones.
const AXES: usize = 4;

/// A kernel's text, for spaces of `rank` axes. `alias[o]` is the input whose memory output `o` is written to.
pub(crate) fn text(program: &Program, rank: usize, alias: &[Option<u8>]) -> Result<String, Lack> {
    let mut body = String::new();
    let mut at = AXES + rank;
    let mut indices = vec![];
    for class in &program.inputs {
        let mut index = param(at);
        at += 1;
        match class {
            Class::Full => index += " + i",
            Class::Scalar => {}
            Class::Strided => {
                (0..rank).for_each(|axis| index += &format!(" + c{axis} * {}", param(at + axis)));
                at += rank;
            }
        }
        indices.push(index);
    }
    if program.inputs.contains(&Class::Strided) {
        body += &unravel("i", "c", rank, AXES);
    }
    let name = |value: Val| format!("v{value}");
    let mut words = vec!["u32"; program.inputs.len() + program.outputs as usize];
    for (value, inst) in program.insts.iter().enumerate() {
        let value = value as Val;
        let line = match *inst {
            Inst::Load { input } => {
                let ty = ty(program, value)?;
                words[input as usize] = ty.word();
                let word = format!("in{input}[{}]", indices[input as usize]);
                format!("let v{value} = {};", ty.read(&word))
            }
            Inst::Store { output, arg } => {
                let ty = ty(program, arg)?;
                words[program.inputs.len() + output as usize] = ty.word();
                let to = match alias.get(output as usize).copied().flatten() {
                    Some(input) => format!("in{input}"),
                    None => format!("out{output}"),
                };
                format!("{to}[i] = {};", ty.write(&name(arg)))
            }
            Inst::Reduce { .. } => return Err("a reduction has its own kernels".to_string()),
            _ => format!("let v{value} = {};", expression(program, value, name)?),
        };
        let _ = writeln!(body, "    {line}");
    }
    let inputs = (0..program.inputs.len()).map(|k| (format!("in{k}"), words[k]));
    let fresh = (0..program.outputs as usize).filter(|&o| alias.get(o).copied().flatten().is_none());
    let outputs = fresh.map(|o| (format!("out{o}"), words[program.inputs.len() + o]));
    let arrays: Vec<_> = inputs.chain(outputs).collect();
    let head = format!(
        "@compute @workgroup_size({THREADS})
fn main(@builtin(workgroup_id) w: vec3<u32>, @builtin(num_workgroups) g: vec3<u32>,
        @builtin(local_invocation_index) l: u32) {{
    let i = (w.y * g.x + w.x) * {THREADS}u + l;
    if (i >= p.w[0].x) {{ return; }}
"
    );
    Ok(header(&arrays) + &prelude(&body) + &head + &body + "}\n")
}

/// Lines that make coordinates `{name}0..` of a point from its number, with sizes from parameter word `at`.
pub(crate) fn unravel(number: &str, name: &str, rank: usize, at: usize) -> String {
    let mut out = String::new();
    let mut rest = number.to_string();
    for axis in (0..rank).rev() {
        if axis == 0 {
            let _ = writeln!(out, "    let {name}0 = {rest};");
        } else {
            let size = param(at + axis);
            let _ = writeln!(out, "    let {name}{axis} = {rest} % {size};");
            let _ = writeln!(out, "    let {name}_{axis} = {rest} / {size};");
            rest = format!("{name}_{axis}");
        }
    }
    out
}

/// The parameters of a run.
pub(crate) fn params(program: &Program, space: &Space) -> Vec<u32> {
    let mut words = vec![space.points as u32, 0, 0, 0];
    words.extend(&space.kept);
    for (class, walk) in program.inputs.iter().zip(&space.inputs) {
        words.push(walk.offset);
        if *class == Class::Strided {
            words.extend(&walk.kept);
        }
    }
    words
}
