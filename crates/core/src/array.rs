//! A lazy array: one output of a node.

use std::fmt;
use std::sync::Arc;

use pullback_base::{Aval, Dtype, Error, Result, Scalar, Shape, Storage};
use smallvec::{SmallVec, smallvec};

use crate::node::{Inputs, Node, NodeKind};
use crate::op::OpDef;
use crate::params::Params;

/// A handle to one output of a node. Cloning it is cheap, and never copies elements.
#[derive(Clone)]
pub struct Array {
    node: Arc<Node>,
    out: u32,
}

/// Identity of an array: node and output. Valid while somebody holds the array.
pub type Key = (usize, u32);

impl Array {
    /// Applies an operation with one result. The only door through which operations enter the graph: the shape
    /// rule runs here and nowhere else.
    ///
    /// # Errors
    /// What the row's `infer` says of operands that do not fit.
    pub fn apply(op: &'static OpDef, params: Params, inputs: &[&Array]) -> Result<Array> {
        let node = Array::node_of(op, params, inputs)?;
        debug_assert_eq!(node.avals.len(), 1, "[{}] has several results", op.name);
        Ok(Array { node, out: 0 })
    }

    /// Applies an operation with any number of results.
    ///
    /// # Errors
    /// As `apply`.
    pub fn apply_all(op: &'static OpDef, params: Params, inputs: &[&Array]) -> Result<SmallVec<[Array; 1]>> {
        Ok(Array::node_of(op, params, inputs)?.into_outputs())
    }

    /// The operation of `node` over inputs of the same types as its own: what `infer` would answer is known.
    ///
    /// # Panics
    /// Where `node` is no operation.
    pub fn again(node: &Node, inputs: Inputs) -> SmallVec<[Array; 1]> {
        let NodeKind::Op(op, params) = &node.kind else { unreachable!("expected an operation") };
        debug_assert!(inputs.len() == node.with_inputs(<[Array]>::len));
        node.again(op, params.clone(), inputs).into_outputs()
    }

    fn node_of(op: &'static OpDef, params: Params, inputs: &[&Array]) -> Result<Arc<Node>> {
        // One and two operands are nearly all, and a collected iterator costs more than what is done here.
        let (results, inputs) = match *inputs {
            [x] => (op.infer(&params, &[x.aval()])?, smallvec![x.clone()]),
            [x, y] => (op.infer(&params, &[x.aval(), y.aval()])?, Inputs::from_buf([x.clone(), y.clone()])),
            _ => {
                let avals: SmallVec<[&Aval; 3]> = inputs.iter().map(|x| x.aval()).collect();
                (op.infer(&params, &avals)?, inputs.iter().map(|&x| x.clone()).collect())
            }
        };
        Ok(Node::new(NodeKind::Op(op, params), inputs, results, 0))
    }

    /// A scalar constant.
    pub fn scalar(value: Scalar, dtype: Dtype) -> Array {
        let avals = smallvec![Aval::new([], dtype)];
        Array { node: Node::new(NodeKind::Const(value.bits(dtype)), Inputs::new(), avals, 0), out: 0 }
    }

    /// Every element equal to `value`.
    ///
    /// # Panics
    /// Never for a shape that an array has: broadcasting a scalar cannot fail.
    pub fn full(value: Scalar, aval: &Aval) -> Array {
        let scalar = Array::scalar(value, aval.dtype);
        if aval.shape.is_empty() {
            return scalar;
        }
        let params = Params::Shape(aval.shape.clone());
        Array::apply(&crate::ops::shape::BROADCAST, params, &[&scalar])
            .expect("a scalar broadcasts to any shape")
    }

    /// Every element equal to `value`, typed like `self`.
    pub fn full_like(&self, value: f64) -> Array {
        Array::full(Scalar::Float(value), self.aval())
    }

    /// Zeros, typed like `self`.
    pub fn zeros_like(&self) -> Array {
        self.full_like(0.)
    }

    /// Elements that are there already.
    pub fn from_storage(storage: Storage, aval: Aval) -> Array {
        let node = Node::new(NodeKind::Data, Inputs::new(), smallvec![aval], 0);
        node.set_data(smallvec![storage]);
        Array { node, out: 0 }
    }

    /// A fresh leaf of trace `number` that is equal to `self`, and where it is.
    pub fn alias(&self, number: u64) -> Array {
        let aval = self.aval().clone();
        let node = Node::beside(&self.node, NodeKind::Alias, smallvec![self.clone()], aval, number);
        Array { node, out: 0 }
    }

    /// A fresh leaf of trace `number` that has no elements.
    pub fn tracer(aval: Aval, of: &'static str, number: u64) -> Array {
        Array { node: Node::new(NodeKind::Tracer(of), Inputs::new(), smallvec![aval], number), out: 0 }
    }

    /// The output of a node with one.
    pub(crate) fn only(node: Arc<Node>) -> Array {
        Array { node, out: 0 }
    }

    /// Output `out` of a node.
    pub fn output(node: &Arc<Node>, out: usize) -> Array {
        Array { node: node.clone(), out: out as u32 }
    }

    /// The node.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// The node, if this was the last that held it.
    pub(crate) fn into_node(self) -> Option<Node> {
        Arc::into_inner(self.node)
    }

    /// The node, if nobody else holds it, not even weakly.
    pub(crate) fn unshared(&mut self) -> Option<&mut Node> {
        // To look at a count is nothing beside taking hold of it.
        if Arc::strong_count(&self.node) == 1 { Arc::get_mut(&mut self.node) } else { None }
    }

    /// Which output of the node it is.
    pub fn out(&self) -> usize {
        self.out as usize
    }

    /// Shape and dtype.
    pub fn aval(&self) -> &Aval {
        &self.node.avals[self.out as usize]
    }

    /// The shape.
    pub fn shape(&self) -> &Shape {
        &self.aval().shape
    }

    /// The element type.
    pub fn dtype(&self) -> Dtype {
        self.aval().dtype
    }

    /// Number of axes.
    pub fn ndim(&self) -> usize {
        self.shape().ndim()
    }

    /// Number of elements.
    pub fn size(&self) -> usize {
        self.shape().size()
    }

    /// Whether it has tangents.
    pub fn is_inexact(&self) -> bool {
        self.dtype().is_inexact()
    }

    /// The trace number: no trace numbered higher can be found below this array.
    pub fn number(&self) -> u64 {
        self.node.trace
    }

    /// The elements, once computed.
    pub fn data(&self) -> Option<&Storage> {
        self.node.data().map(|data| &data[self.out as usize])
    }

    /// The value, if it is a constant of the graph.
    pub fn as_const(&self) -> Option<Scalar> {
        match self.node.kind {
            NodeKind::Const(bits) => Some(Scalar::from_bits(bits, self.dtype())),
            _ => None,
        }
    }

    /// Identity.
    pub fn key(&self) -> Key {
        (Arc::as_ptr(&self.node) as usize, self.out)
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (trace {})", self.aval(), self.number())
    }
}

/// The error of operands that do not fit, for `infer` rules.
pub fn mismatch(op: &str, expected: &str, got: &[&Aval]) -> Error {
    let got: Vec<String> = got.iter().map(|aval| aval.to_string()).collect();
    Error::value(format!("[{op}] expected {expected}, got {}", got.join(" and ")))
}
