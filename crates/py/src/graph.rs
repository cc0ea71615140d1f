//! The graph of a function as plain data of Python: what `debug.graph` draws.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pullback::transform::{self, Recorded};
use pullback::{Array, Node, NodeKind, Params};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::error::{OrRaise, guard, host};
use crate::tree;
use crate::vmap::{both, call_tree};
use crate::wrap;

/// What `fun` makes of its arguments: nodes in order, each with the call in whose body it is.
#[pyfunction]
pub fn _graph<'py>(
    fun: &Bound<'py, PyAny>,
    names: Vec<String>,
    args: &Bound<'py, PyTuple>,
    kwargs: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyDict>> {
    let py = fun.py();
    wrap::callable(fun, "graph")?;
    let (arrays, tree) = tree::flatten(both(py, args, Some(kwargs))?.as_any())?;
    let mut paths = Vec::with_capacity(arrays.len());
    for (i, arg) in args.iter().enumerate() {
        let root = names.get(i).cloned().unwrap_or_else(|| format!("args[{i}]"));
        paths.extend(tree::flatten(&arg)?.1.paths(py, &root));
    }
    for (key, value) in kwargs.iter() {
        paths.extend(tree::flatten(&value)?.1.paths(py, &key.to_string()));
    }
    let inner =
        |leaves: &[Array]| call_tree(fun, &tree, leaves).map(|(outs, _)| outs.into_vec()).map_err(host);
    let recorded = guard(|| transform::record(&inner, &arrays).or_raise())?;
    wrap::warn(py)?;
    Listing::of(&recorded).data(py, &recorded, &paths)
}

/// What a result's type does not say.
pub fn params_of(params: &Params) -> String {
    match params {
        Params::None | Params::Shape(_) | Params::Dtype(_) | Params::Count(..) | Params::Host(_) => {
            String::new()
        }
        Params::Upper(upper) => format!("upper={upper}"),
        Params::Transposed(transposed) => format!("transposed={transposed}"),
        Params::Packed(of) => {
            format!("codes={:?} group={} transposed={}", of.codes, of.group, of.transposed).to_lowercase()
        }
        Params::Vectors(vectors) => format!("vectors={vectors:?}").to_lowercase(),
        Params::Name(name) => name.to_string(),
        Params::Axis(axis) => format!("axis={axis}"),
        Params::Axes(axes) => format!("axes={axes:?}"),
        Params::Slice { start, step, .. } | Params::Place { start, step, .. } => {
            format!("start={start:?} step={step:?}")
        }
        Params::Scan { axis, reverse, inclusive } => {
            format!("axis={axis} reverse={reverse} inclusive={inclusive}")
        }
        Params::Slides(slides) => slides
            .iter()
            .map(|slide| {
                let (stride, low, dilation, spread) = (slide.stride, slide.low, slide.dilation, slide.spread);
                format!("stride={stride} padding={low} dilation={dilation} input_dilation={spread}")
            })
            .collect::<Vec<_>>()
            .join("; "),
        Params::Strided { strides, offset, .. } => format!("strides={strides:?} offset={offset}"),
        Params::Fourier(axis, of) => format!("axis={axis} n={} inverse={}", of.n, of.inverse),
    }
}

fn address(node: &Arc<Node>) -> usize {
    Arc::as_ptr(node) as usize
}

/// Nodes in order, each after what it needs, and where they belong.
struct Listing {
    order: Vec<Arc<Node>>,
    ids: HashMap<usize, usize>,
    /// The leaves that stand for arguments, by number.
    leaves: HashMap<usize, usize>,
    /// For each node the custom call in whose body it is, innermost.
    parents: Vec<Option<usize>>,
}

impl Listing {
    fn of(recorded: &Recorded) -> Listing {
        let leaves = recorded.leaves.iter().enumerate().map(|(i, x)| (address(x.node()), i)).collect();
        let mut listing = Listing { order: Vec::new(), ids: HashMap::new(), leaves, parents: Vec::new() };
        // Arguments come first, used or not.
        let roots: Vec<Array> = recorded.leaves.iter().chain(&recorded.outs).cloned().collect();
        listing.walk(&roots, recorded.number);
        listing.place(&recorded.outs);
        listing
    }

    /// Looks through aliases, but for those that stand for arguments.
    fn seen(&self, x: &Array) -> Array {
        let mut x = x.clone();
        while matches!(x.node().kind, NodeKind::Alias) && !self.leaves.contains_key(&address(x.node())) {
            match x.node().inputs().first() {
                Some(input) => x = input.clone(),
                None => break,
            }
        }
        x
    }

    fn inputs(&self, node: &Node) -> Vec<Array> {
        node.inputs().iter().map(|x| self.seen(x)).collect()
    }

    fn body(&self, node: &Node) -> Option<Vec<Array>> {
        let call = node.custom()?;
        Some(call.body.get()?.outs.iter().map(|x| self.seen(x)).collect())
    }

    fn is_leaf(&self, node: &Arc<Node>, number: u64) -> bool {
        self.leaves.contains_key(&address(node)) || (node.data().is_some() && node.trace < number)
    }

    fn walk(&mut self, roots: &[Array], number: u64) {
        let mut entered = HashSet::new();
        let mut stack: Vec<(Arc<Node>, bool)> =
            roots.iter().rev().map(|x| (self.seen(x).node().clone(), false)).collect();
        while let Some((node, done)) = stack.pop() {
            if done {
                self.ids.insert(address(&node), self.order.len());
                self.order.push(node);
                continue;
            }
            if !entered.insert(address(&node)) {
                continue;
            }
            stack.push((node.clone(), true));
            if !self.is_leaf(&node, number) {
                let below = self.body(&node).unwrap_or_default().into_iter().rev();
                let below: Vec<Array> = below.chain(self.inputs(&node).into_iter().rev()).collect();
                stack.extend(below.iter().map(|x| (x.node().clone(), false)));
            }
        }
    }

    /// Says in which body each node is. Inner calls come before the calls in whose bodies they are, so the innermost
    /// is the first that claims a node.
    fn place(&mut self, outs: &[Array]) {
        self.parents = vec![None; self.order.len()];
        for id in 0..self.order.len() {
            let Some(call) = self.order[id].custom() else { continue };
            let Some(body) = call.body.get() else { continue };
            let ends: HashSet<usize> = body.leaves.iter().map(|leaf| address(leaf.node())).collect();
            let mut stack: Vec<Array> = body.outs.to_vec();
            let mut visited = HashSet::new();
            while let Some(x) = stack.pop() {
                let node = x.node();
                let stop = ends.contains(&address(node)) || node.trace < body.number;
                if stop || !visited.insert(address(node)) {
                    continue;
                }
                if let Some(&at) = self.ids.get(&address(node)) {
                    self.parents[at].get_or_insert(id);
                }
                stack.extend(node.inputs());
            }
        }
        self.adopt(outs);
    }

    /// What depends on no argument has no number that tells where it was made: it goes to its only user.
    fn adopt(&mut self, outs: &[Array]) {
        let mut users: Vec<HashSet<Option<usize>>> = vec![HashSet::new(); self.order.len()];
        for out in outs {
            if let Some(&id) = self.ids.get(&address(self.seen(out).node())) {
                users[id].insert(None);
            }
        }
        for id in (0..self.order.len()).rev() {
            let node = &self.order[id];
            if self.parents[id].is_none()
                && node.trace == 0
                && users[id].len() == 1
                && let Some(&only) = users[id].iter().next()
            {
                self.parents[id] = only;
            }
            let inputs = self.inputs(node).into_iter().map(|x| (x, self.parents[id]));
            let body = self.body(node).unwrap_or_default().into_iter().map(|x| (x, Some(id)));
            for (x, user) in inputs.chain(body).collect::<Vec<_>>() {
                if let Some(&at) = self.ids.get(&address(x.node())) {
                    users[at].insert(user);
                }
            }
        }
    }

    fn references<'py>(&self, py: Python<'py>, arrays: &[Array]) -> PyResult<Bound<'py, PyList>> {
        let each = arrays.iter().map(|x| {
            let x = self.seen(x);
            (self.ids.get(&address(x.node())).copied(), x.out())
        });
        PyList::new(py, each.collect::<Vec<_>>())
    }

    fn data<'py>(
        &self,
        py: Python<'py>,
        recorded: &Recorded,
        paths: &[String],
    ) -> PyResult<Bound<'py, PyDict>> {
        let nodes = PyList::empty(py);
        for (id, node) in self.order.iter().enumerate() {
            let row = PyDict::new(py);
            row.set_item("id", id)?;
            row.set_item("parent", self.parents[id])?;
            row.set_item("types", node.avals.iter().map(ToString::to_string).collect::<Vec<_>>())?;
            let (kind, name, params) = self.said(node, recorded.number, paths);
            row.set_item("kind", kind)?;
            row.set_item("name", name)?;
            row.set_item("params", params)?;
            let leaf = self.is_leaf(node, recorded.number);
            let inputs = if leaf { Vec::new() } else { self.inputs(node) };
            row.set_item("inputs", self.references(py, &inputs)?)?;
            row.set_item("custom", if leaf { None } else { self.custom(py, node)? })?;
            nodes.append(row)?;
        }
        let data = PyDict::new(py);
        data.set_item("nodes", nodes)?;
        data.set_item("outputs", self.references(py, &recorded.outs)?)?;
        Ok(data)
    }

    /// Kind, name and params.
    fn said(&self, node: &Arc<Node>, number: u64, paths: &[String]) -> (&'static str, String, String) {
        if let Some(&i) = self.leaves.get(&address(node)) {
            let name = paths.get(i).cloned().unwrap_or_else(|| format!("args[{i}]"));
            return ("input", name, String::new());
        }
        let none = String::new;
        match &node.kind {
            NodeKind::Const(_) => {
                let value = Array::output(node, 0).as_const();
                let text = value.map_or_else(none, |value| match value {
                    pullback::Scalar::Float(x) => format!("{x:?}"),
                    pullback::Scalar::Int(x) => x.to_string(),
                    other => format!("{other:?}"),
                });
                ("const", text, none())
            }
            _ if self.is_leaf(node, number) => ("data", "array".into(), none()),
            NodeKind::Op(op, params) => ("op", op.name.into(), params_of(params)),
            NodeKind::Custom => {
                let name = node.custom().map_or_else(none, |call| call.owner.func.name.to_string());
                ("custom", name, none())
            }
            NodeKind::Tracer(of) => ("data", format!("a leaf of {of}"), none()),
            NodeKind::Data | NodeKind::Alias => ("data", "array".into(), none()),
        }
    }

    fn custom<'py>(&self, py: Python<'py>, node: &Node) -> PyResult<Option<Bound<'py, PyDict>>> {
        let Some(call) = node.custom() else { return Ok(None) };
        let row = PyDict::new(py);
        row.set_item("site", call.site.to_string())?;
        row.set_item("arity", call.arity)?;
        let offers = call.owner.rules.offers();
        let rules = [("vjp", offers.vjp), ("jvp", offers.jvp), ("vmap", offers.vmap)];
        let rules: Vec<&str> = rules.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect();
        row.set_item("offers", rules)?;
        let body = self.body(node).map(|outs| self.references(py, &outs)).transpose()?;
        row.set_item("body", body)?;
        Ok(Some(row))
    }
}
