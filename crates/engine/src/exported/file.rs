//! The format of files with functions, version 1.
//!
//! All numbers are little-endian. `count` is a `u32`; `text` is a count of bytes and these, in UTF-8; `sizes` are a count
//! and as many `u64`; a `type` is the name of a dtype, as text, and the sizes of an array.
//!
//! | what | how |
//! |---|---|
//! | magic word | `pullback`, 8 bytes |
//! | version | `u32` |
//! | metadata | text |
//! | names of operations | count, texts |
//! | functions | count, and for each: |
//! | · how many arguments have no name | count |
//! | · keywords of the others | count, texts |
//! | · arguments | count, types |
//! | · constants | count, and for each its type and the bytes of its elements, row by row |
//! | · steps | count, and for each the number of its name, its params (see `params`), and the values it reads: a count, counts |
//! | · results | count, counts: their values |
//!
//! Values are numbered in order: arguments, constants, results of each step. A step reads values before its own, so there
//! are no cycles. Reading asks every operation for the types of its results again, as building does: a file says nothing
//! that a program could not have said, and what it claims to hold costs no memory before it is there.

use std::sync::Arc;

use pullback_base::{Result, Scalar};
use pullback_core::Array;
use pullback_core::op::OpDef;
use rustc_hash::{FxHashMap, FxHashSet};

use super::bytes::{Reader, Writer};
use super::params;
use super::program::{Program, Step, named, wrong};
use crate::host;

const MAGIC: &[u8] = b"pullback";
const VERSION: u32 = 1;

/// What a file holds: one function, for arguments of one or more structures.
pub struct Export {
    /// Words of the user.
    pub metadata: String,
    /// Each has its own structure of arguments.
    pub entries: Vec<Entry>,
}

/// A function for arguments of one structure.
pub struct Entry {
    /// How many of the arguments have no name; they come first.
    pub positional: usize,
    /// Names of the others.
    pub keywords: Vec<String>,
    /// The function.
    pub program: Arc<Program>,
}

/// The bytes of a file.
///
/// # Errors
/// `Value` for a call of the host.
pub fn write(export: &Export) -> Result<Vec<u8>> {
    let mut to = Writer::default();
    to.0.extend_from_slice(MAGIC);
    to.0.extend_from_slice(&VERSION.to_le_bytes());
    to.text(&export.metadata);
    let mut names: FxHashMap<&str, usize> = FxHashMap::default();
    let mut order = Vec::new();
    for step in export.entries.iter().flat_map(|entry| &entry.program.steps) {
        names.entry(step.op.name).or_insert_with(|| {
            order.push(step.op.name);
            order.len() - 1
        });
    }
    to.count(order.len());
    order.iter().for_each(|name| to.text(name));
    to.count(export.entries.len());
    for entry in &export.entries {
        write_entry(&mut to, entry, &names)?;
    }
    Ok(to.0)
}

fn write_entry(to: &mut Writer, entry: &Entry, names: &FxHashMap<&str, usize>) -> Result<()> {
    let program = &entry.program;
    to.count(entry.positional);
    to.count(entry.keywords.len());
    entry.keywords.iter().for_each(|keyword| to.text(keyword));
    to.count(program.inputs.len());
    program.inputs.iter().for_each(|aval| to.aval(aval));
    to.count(program.constants.len());
    for constant in &program.constants {
        to.aval(constant.aval());
        let block = host::host(constant, &mut || Ok(()))?;
        let bytes = block.host().and_then(|bytes| bytes.get(..constant.aval().bytes()));
        to.0.extend_from_slice(bytes.expect("a block of the host has its elements"));
    }
    to.count(program.steps.len());
    for step in &program.steps {
        to.count(names[step.op.name]);
        params::write(to, &step.params)?;
        to.count(step.inputs.len());
        step.inputs.iter().for_each(|&input| to.count(input as usize));
    }
    to.count(program.outs.len());
    program.outs.iter().for_each(|&out| to.count(out as usize));
    Ok(())
}

/// What the bytes of a file hold.
///
/// # Errors
/// `Value` for whatever is no such file, or holds what this version of the package does not know.
pub fn read(bytes: &[u8]) -> Result<Export> {
    let from = &mut Reader::new(bytes);
    let magic = from.take(MAGIC.len(), "a magic word")?;
    if magic != MAGIC {
        return Err(wrong(format!("a file of export_function, got one that starts {magic:?}")));
    }
    let version = from.number("a version")?;
    if version != VERSION {
        return Err(wrong(format!("a file of version {VERSION}, got version {version}")));
    }
    let metadata = from.text("metadata")?.to_owned();
    let count = from.count("names", 4)?;
    let ops = (0..count).map(|_| operation(from)).collect::<Result<Vec<_>>>()?;
    let count = from.count("functions", 24)?;
    let entries = (0..count).map(|_| read_entry(from, &ops)).collect::<Result<Vec<_>>>()?;
    if !from.is_empty() {
        return Err(wrong("nothing behind the last function, got more bytes"));
    }
    Ok(Export { metadata, entries })
}

fn operation(from: &mut Reader<'_>) -> Result<&'static OpDef> {
    let name = from.text("an operation's name")?;
    let fix = "was it exported by a later version?";
    named(name).ok_or_else(|| wrong(format!("operations that there are, got {name:?}: {fix}")))
}

fn read_entry(from: &mut Reader<'_>, ops: &[&'static OpDef]) -> Result<Entry> {
    let positional = from.number("arguments without a name")? as usize;
    let count = from.count("keywords", 4)?;
    let keywords = (0..count).map(|_| from.text("a keyword")).collect::<Result<Vec<_>>>()?;
    let mut known = FxHashSet::default();
    if let Some(twice) = keywords.iter().find(|keyword| !known.insert(**keyword)) {
        return Err(wrong(format!("distinct keywords, got two of {twice:?}")));
    }
    let keywords: Vec<String> = keywords.into_iter().map(str::to_owned).collect();
    let count = from.count("arguments", 8)?;
    if positional.checked_add(keywords.len()) != Some(count) {
        let text = format!("as many arguments as it says, {positional} and {}, got {count}", keywords.len());
        return Err(wrong(text));
    }
    let inputs = (0..count).map(|_| from.aval()).collect::<Result<Vec<_>>>()?;
    let count = from.count("constants", 8)?;
    let constants = (0..count).map(|_| constant(from)).collect::<Result<Vec<_>>>()?;
    let count = from.count("steps", 9)?;
    let steps = (0..count).map(|_| step(from, ops)).collect::<Result<Vec<_>>>()?;
    let outs = numbers(from, "results")?;
    Ok(Entry { positional, keywords, program: Arc::new(Program::new(inputs, constants, steps, outs)?) })
}

fn step(from: &mut Reader<'_>, ops: &[&'static OpDef]) -> Result<Step> {
    let at = from.number("an operation")? as usize;
    let text = || wrong(format!("one of {} operations, got number {at}", ops.len()));
    let op = *ops.get(at).ok_or_else(text)?;
    // How many results it has, the row says.
    Ok(Step { op, params: params::read(from)?, inputs: numbers(from, "operands")?, results: 0 })
}

fn numbers(from: &mut Reader<'_>, what: &str) -> Result<Vec<u32>> {
    let count = from.count(what, 4)?;
    (0..count).map(|_| from.number(what)).collect()
}

fn constant(from: &mut Reader<'_>) -> Result<Array> {
    let aval = from.aval()?;
    let bytes = from.take(aval.bytes(), &format!("elements {aval}"))?;
    if aval.shape.is_empty() {
        // A number that the planner may know.
        let bits = bytes.iter().rev().fold(0u64, |bits, &byte| bits << 8 | u64::from(byte));
        return Ok(Array::scalar(Scalar::from_bits(bits, aval.dtype), aval.dtype));
    }
    host::from_bytes(bytes, aval)
}
