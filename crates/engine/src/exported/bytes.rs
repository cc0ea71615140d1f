//! Numbers, texts and types as bytes, low ones first; and back, from bytes of which nothing is known.

use pullback_base::{Aval, Dtype, Result, Shape};

use super::program::{AXES, wrong};

/// Bytes that are written.
#[derive(Default)]
pub(super) struct Writer(pub Vec<u8>);

impl Writer {
    pub fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub fn long(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// A number of things that follow, or the number of a thing.
    pub fn count(&mut self, count: usize) {
        let count = u32::try_from(count).expect("fewer than 2 ** 32 things fit into a graph");
        self.0.extend_from_slice(&count.to_le_bytes());
    }

    pub fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    pub fn sizes(&mut self, sizes: &[usize]) {
        self.count(sizes.len());
        sizes.iter().for_each(|&size| self.long(size as u64));
    }

    pub fn dtype(&mut self, dtype: Dtype) {
        self.text(dtype.name());
    }

    pub fn aval(&mut self, aval: &Aval) {
        self.dtype(aval.dtype);
        self.sizes(&aval.shape);
    }
}

/// Bytes that are read. No memory is taken for what is only claimed.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(rest: &'a [u8]) -> Reader<'a> {
        Reader { rest }
    }

    /// The next bytes.
    pub fn take(&mut self, length: usize, what: &str) -> Result<&'a [u8]> {
        match self.rest.split_at_checked(length) {
            Some((found, rest)) => {
                self.rest = rest;
                Ok(found)
            }
            None => {
                let left = self.rest.len();
                Err(wrong(format!("{length} bytes of {what}, got {left}: truncated file")))
            }
        }
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn byte(&mut self, what: &str) -> Result<u8> {
        Ok(self.take(1, what)?[0])
    }

    pub fn long(&mut self, what: &str) -> Result<u64> {
        let bytes = self.take(8, what)?;
        Ok(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    pub fn number(&mut self, what: &str) -> Result<u32> {
        let bytes = self.take(4, what)?;
        Ok(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte)))
    }

    /// How many things follow, each of `least` bytes or more: a claim that the file has no bytes for is refused.
    pub fn count(&mut self, what: &str, least: usize) -> Result<usize> {
        let count = self.number(what)? as usize;
        let left = self.rest.len();
        if count.saturating_mul(least) > left {
            return Err(wrong(format!("{count} {what}, got {left} bytes for them: truncated file")));
        }
        Ok(count)
    }

    pub fn text(&mut self, what: &str) -> Result<&'a str> {
        let length = self.count(what, 1)?;
        let bytes = self.take(length, what)?;
        std::str::from_utf8(bytes).map_err(|_| wrong(format!("{what} in UTF-8, got other bytes")))
    }

    pub fn size(&mut self, what: &str) -> Result<usize> {
        let size = self.long(what)?;
        usize::try_from(size).map_err(|_| wrong(format!("{what} that can be counted, got {size}")))
    }

    pub fn sizes(&mut self, what: &str) -> Result<Vec<usize>> {
        let count = self.count(what, 8)?;
        if count > AXES {
            return Err(wrong(format!("at most {AXES} {what}, got {count}")));
        }
        (0..count).map(|_| self.size(what)).collect()
    }

    pub fn shape(&mut self) -> Result<Shape> {
        let shape = Shape::from(self.sizes("axes")?);
        let text = format!("a shape whose elements can be counted, got {shape}");
        shape.checked("import_function").map_err(|_| wrong(text))
    }

    pub fn dtype(&mut self) -> Result<Dtype> {
        let name = self.text("a dtype")?;
        Dtype::from_name(name).ok_or_else(|| wrong(format!("a dtype that there is, got {name:?}")))
    }

    pub fn aval(&mut self) -> Result<Aval> {
        Ok(Aval { dtype: self.dtype()?, shape: self.shape()? })
    }
}
