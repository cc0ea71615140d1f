//! A plan as a person can read it.

use std::fmt::Write;

use crate::plan::{Step, Task};
use crate::program::{Class, Inst, Program};
use crate::schedule::Plan;

/// The steps of a plan, one paragraph each.
pub fn explain(plan: &Plan) -> String {
    let mut text = String::new();
    let groups = plan.steps.iter().filter(|step| step.task.is_kernel()).count();
    let _ = writeln!(text, "{groups} kernels, {} steps, {} leaves", plan.steps.len(), plan.leaves.len());
    for (number, step) in plan.steps.iter().enumerate() {
        let outs: Vec<String> = step.outputs.iter().map(|(slot, aval)| format!("%{slot} {aval}")).collect();
        let _ = writeln!(text, "{number}: {} {} = {}", step.device, outs.join(", "), head(step));
        for (at, operand) in step.inputs.iter().enumerate() {
            let layout = &operand.layout;
            let _ = write!(text, "    in{at} = %{} {}", operand.slot, operand.aval);
            if !layout.is_contiguous() || layout.offset != 0 || layout.shape.size() != operand.aval.size() {
                let _ =
                    write!(text, " at {}+{:?}*{:?}", layout.offset, &layout.shape[..], &layout.strides[..]);
            }
            text.push('\n');
        }
        if let Task::Group(group) = &step.task {
            program(&mut text, &group.program);
        }
    }
    for why in &plan.moved {
        let _ = writeln!(text, "on the cpu: {why}");
    }
    text
}

fn head(step: &Step) -> String {
    match &step.task {
        Task::Group(group) => {
            let over: Vec<usize> = (0..group.reduced.len()).filter(|&axis| group.reduced[axis]).collect();
            let points = format!("group over {:?}", &group.space[..]);
            if group.program.reduces() { format!("{points}, reducing {over:?}") } else { points }
        }
        Task::Whole(whole) => format!("{:?}", whole.whole),
        Task::Host(host) => format!("call {} of the host", host.call),
        Task::Transfer => "transfer".into(),
    }
}

fn program(text: &mut String, program: &Program) {
    for (value, (inst, dtype)) in program.insts.iter().zip(&program.types).enumerate() {
        let args: Vec<String> = inst.args().iter().map(|arg| format!("v{arg}")).collect();
        let args = args.join(", ");
        let _ = match inst {
            Inst::Const { bits } => {
                writeln!(
                    text,
                    "    v{value}: {dtype} = {:?}",
                    pullback_base::Scalar::from_bits(*bits, *dtype)
                )
            }
            Inst::Load { input } => {
                let class = match program.inputs[*input as usize] {
                    Class::Full => "",
                    Class::Scalar => " (one for all)",
                    Class::Strided => " (strided)",
                };
                writeln!(text, "    v{value}: {dtype} = in{input}{class}")
            }
            Inst::Map { map, .. } => writeln!(text, "    v{value}: {dtype} = {map:?}({args})"),
            Inst::Cast { .. } => writeln!(text, "    v{value}: {dtype} = cast({args})"),
            Inst::Bitcast { .. } => writeln!(text, "    v{value}: {dtype} = bitcast({args})"),
            Inst::Reduce { fold, .. } => writeln!(text, "    v{value}: {dtype} = {fold:?}({args})"),
            Inst::Store { output, .. } => writeln!(text, "    out{output} = {args}"),
        };
    }
}
