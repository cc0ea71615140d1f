//! Einstein's summation: sums of products, by labels of axes.
//!
//! A text becomes lists of labels; an order of contractions is chosen by sizes alone; each contraction is a product of
//! matrices, or of elements where nothing is summed.

use std::fmt;

use pullback_base::promote::promote;
use pullback_base::{Dtype, Error, Result, Shape};

use super::{cast, diagonal, matmul, multiply, reshape, sum, transpose};
use crate::array::Array;

/// A label of axes: a letter, or a place in the ellipsis, counted from the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Dots(usize),
    Letter(char),
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Label::Dots(place) => write!(f, "<{place}>"),
            Label::Letter(letter) => write!(f, "{letter}"),
        }
    }
}

type Term = Vec<Label>;

/// What a text means for operands of given shapes.
struct Problem {
    terms: Vec<Term>,
    output: Term,
    sizes: Vec<(Label, usize)>,
}

impl Problem {
    fn size(&self, label: Label) -> usize {
        self.sizes.iter().find(|(known, _)| *known == label).map_or(1, |(_, size)| *size)
    }

    /// How many elements an array with these axes has; a float, for there may be very many.
    fn count(&self, term: &[Label]) -> f64 {
        term.iter().map(|&label| self.size(label) as f64).product()
    }
}

fn wrong(text: impl fmt::Display) -> Error {
    Error::value(format!("[einsum] expected {text}"))
}

/// The labels of one term; its ellipsis stands for `dots` axes.
fn labels(term: &str, dots: usize) -> Result<Term> {
    let around: Vec<&str> = term.split("...").collect();
    if around.len() > 2 {
        return Err(wrong(format_args!("one ellipsis in a term, got '{term}'")));
    }
    let letters = |part: &str| part.chars().map(Label::Letter).collect::<Term>();
    if let Some(other) = around.iter().flat_map(|part| part.chars()).find(|c| !c.is_ascii_alphabetic()) {
        return Err(wrong(format_args!("letters, '...', ',' and one '->', got '{other}' in '{term}'")));
    }
    let mut list = letters(around[0]);
    if let [_, after] = around[..] {
        list.extend((0..dots).rev().map(Label::Dots));
        list.extend(letters(after));
    }
    Ok(list)
}

fn parse(subscripts: &str, shapes: &[&Shape]) -> Result<Problem> {
    let text: String = subscripts.chars().filter(|c| !c.is_whitespace()).collect();
    let (inputs, output) = match text.split_once("->") {
        Some((inputs, output)) => (inputs, Some(output)),
        None => (&text[..], None),
    };
    let parts: Vec<&str> = inputs.split(',').collect();
    if parts.len() != shapes.len() {
        let (terms, count) = (parts.len(), shapes.len());
        return Err(wrong(format_args!(
            "an operand for each of {terms} terms of '{subscripts}', got {count}"
        )));
    }
    let mut sizes: Vec<(Label, usize)> = Vec::new();
    let mut terms = Vec::new();
    let mut widest = 0;
    for (part, shape) in parts.iter().zip(shapes) {
        let named = part.replace("...", "").chars().count();
        let dots = if part.contains("...") { shape.ndim().saturating_sub(named) } else { 0 };
        let term = labels(part, dots)?;
        if term.len() != shape.ndim() {
            let axes = shape.ndim();
            return Err(wrong(format_args!(
                "a label for each of {axes} axes of shape {shape}, got '{part}'"
            )));
        }
        widest = widest.max(dots);
        for (&label, &size) in term.iter().zip(shape.iter()) {
            match sizes.iter_mut().find(|(known, _)| *known == label) {
                None => sizes.push((label, size)),
                Some((_, known)) if *known == size || size == 1 => {}
                Some((_, known)) if *known == 1 => *known = size,
                Some((_, known)) => {
                    return Err(wrong(format_args!(
                        "one size of '{label}' in '{subscripts}', got {known} and {size}"
                    )));
                }
            }
        }
        terms.push(term);
    }
    let output = match output {
        Some(output) => labels(output, widest)?,
        None => implicit(&terms, widest),
    };
    let dotted = output.iter().any(|label| matches!(label, Label::Dots(_)));
    if widest > 0 && !dotted {
        return Err(wrong(format_args!("'...' behind '->' as before it, got '{subscripts}'")));
    }
    let stray = |(i, label): (usize, &Label)| {
        output[..i].contains(label) || !terms.iter().any(|term| term.contains(label))
    };
    if let Some(label) = output.iter().enumerate().find(|&pair| stray(pair)).map(|(_, label)| label) {
        return Err(wrong(format_args!(
            "labels of operands, each once, behind '->', got '{label}' in '{subscripts}'"
        )));
    }
    Ok(Problem { terms, output, sizes })
}

/// Without a `->`: the ellipsis, then in order what stands once.
fn implicit(terms: &[Term], dots: usize) -> Term {
    let all: Vec<Label> = terms.concat();
    let once = |label: &Label| {
        matches!(label, Label::Letter(_)) && all.iter().filter(|other| *other == label).count() == 1
    };
    let mut letters: Term = all.iter().copied().filter(once).collect();
    letters.sort_unstable();
    (0..dots).rev().map(Label::Dots).chain(letters).collect()
}

/// What is left of two terms once they are contracted: what the output or another term needs.
fn left(first: &[Label], second: &[Label], others: &[Term], output: &[Label]) -> Term {
    let needed = |label: &Label| output.contains(label) || others.iter().any(|term| term.contains(label));
    let own = second.iter().filter(|label| !first.contains(label));
    first.iter().chain(own).copied().filter(needed).collect()
}

/// An order of contractions, and what it costs.
#[derive(Clone, Debug)]
pub struct Path {
    /// Places of the operands of each contraction; they leave the list, and the result goes to its end.
    pub steps: Vec<Vec<usize>>,
    /// Products of elements, if all operands are multiplied at once.
    pub naive: f64,
    /// Products of elements by these steps.
    pub cost: f64,
    /// Elements of the largest array on the way.
    pub largest: f64,
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "products at once: {:.3e}", self.naive)?;
        writeln!(f, "products in steps: {:.3e}", self.cost)?;
        write!(f, "largest array: {:.3e} elements", self.largest)
    }
}

/// Step by step the pair whose contraction takes most elements out of the list; of equals, the cheapest.
fn order(problem: &Problem) -> Path {
    let mut terms: Vec<Term> = problem.terms.iter().map(|term| unique(term)).collect();
    let naive = problem.count(&unique(&terms.concat()));
    let mut path = Path { steps: Vec::new(), naive, cost: 0., largest: problem.count(&problem.output) };
    if terms.len() == 1 {
        return Path { steps: vec![vec![0]], cost: naive, ..path };
    }
    while terms.len() > 1 {
        let mut best: Option<((f64, f64), usize, usize, Term)> = None;
        for j in 1..terms.len() {
            for i in 0..j {
                let others: Vec<Term> =
                    (0..terms.len()).filter(|&k| k != i && k != j).map(|k| terms[k].clone()).collect();
                let result = left(&terms[i], &terms[j], &others, &problem.output);
                let grown = problem.count(&result) - problem.count(&terms[i]) - problem.count(&terms[j]);
                let key = (grown, problem.count(&unique(&[&terms[i][..], &terms[j]].concat())));
                if best.as_ref().is_none_or(|(other, ..)| key < *other) {
                    best = Some((key, i, j, result));
                }
            }
        }
        // Two terms or more have a pair.
        let Some(((_, cost), i, j, result)) = best else { break };
        path.cost += cost;
        path.largest = path.largest.max(problem.count(&result));
        path.steps.push(vec![i, j]);
        terms.remove(j);
        terms.remove(i);
        terms.push(result);
    }
    path
}

fn unique(term: &[Label]) -> Term {
    term.iter()
        .enumerate()
        .filter(|(i, label)| !term[..*i].contains(label))
        .map(|(_, &label)| label)
        .collect()
}

/// An operand and the labels of its axes.
type Operand = (Array, Term);

/// Repeated labels as a diagonal, and axes that only broadcast left out.
fn simplified(problem: &Problem, x: &Array, term: &[Label]) -> Result<Operand> {
    let wide = |axis: usize, label: Label| x.shape()[axis] == problem.size(label) || x.shape()[axis] != 1;
    let stay: Vec<usize> = (0..term.len()).filter(|&axis| wide(axis, term[axis])).collect();
    let mut x = reshape(x, stay.iter().map(|&axis| x.shape()[axis]).collect())?;
    let mut term: Term = stay.iter().map(|&axis| term[axis]).collect();
    let twice =
        |term: &Term| (0..term.len()).find_map(|j| (0..j).find(|&i| term[i] == term[j]).map(|i| (i, j)));
    while let Some((i, j)) = twice(&term) {
        x = diagonal(&x, 0, i as isize, j as isize)?;
        let label = term.remove(j);
        term.remove(i);
        term.push(label);
    }
    Ok((x, term))
}

/// Axes that nobody needs summed, the others in this order.
fn brought((x, term): &Operand, to: &[Label]) -> Result<Array> {
    let gone: Vec<usize> = (0..term.len()).filter(|&axis| !to.contains(&term[axis])).collect();
    let rest: Term = term.iter().copied().filter(|label| to.contains(label)).collect();
    let x = if gone.is_empty() { x.clone() } else { cast(&sum(x, &gone)?, x.dtype())? };
    let axes: Vec<usize> =
        to.iter().filter_map(|label| rest.iter().position(|other| other == label)).collect();
    transpose(&x, &axes)
}

fn contracted(x: &Operand, y: &Operand, others: &[Operand], output: &[Label]) -> Result<Operand> {
    let terms: Vec<Term> = others.iter().map(|(_, term)| term.clone()).collect();
    let kept = left(&x.1, &y.1, &terms, output);
    let choose = |from: &Term, which: &dyn Fn(&Label) -> bool| -> Term {
        from.iter().copied().filter(|label| which(label)).collect()
    };
    let both = choose(&x.1, &|label| y.1.contains(label));
    let batch = choose(&both, &|label| kept.contains(label));
    let summed = choose(&both, &|label| !kept.contains(label));
    let rows = choose(&x.1, &|label| kept.contains(label) && !both.contains(label));
    let columns = choose(&y.1, &|label| kept.contains(label) && !both.contains(label));
    let a = brought(x, &[&batch[..], &rows, &summed].concat())?;
    let b = brought(y, &[&batch[..], &summed, &columns].concat())?;
    let (r, s, t) = (batch.len(), rows.len(), summed.len());
    let sizes = |x: &Array, from: usize, count: usize| x.shape()[from..from + count].to_vec();
    let product = |list: Vec<usize>| list.into_iter().product::<usize>();
    let shape =
        Shape::from([sizes(&a, 0, r + s), sizes(&b, r + t, columns.len())].concat()).checked("einsum")?;
    let front = sizes(&a, 0, r);
    let flat = |x: &Array, rows: usize, columns: usize| {
        reshape(x, Shape::from([&front[..], &[rows, columns]].concat()))
    };
    let (n, k, m) =
        (product(sizes(&a, r, s)), product(sizes(&b, r, t)), product(sizes(&b, r + t, columns.len())));
    let (a, b) = (flat(&a, n, k)?, flat(&b, k, m)?);
    let y = if summed.is_empty() { multiply(&a, &b)? } else { matmul(&a, &b)? };
    Ok((reshape(&y, shape)?, [batch, rows, columns].concat()))
}

/// The order in which `einsum` contracts operands of these shapes.
///
/// # Errors
/// As `einsum`.
pub fn einsum_path(subscripts: &str, shapes: &[&Shape]) -> Result<Path> {
    Ok(order(&parse(subscripts, shapes)?))
}

/// Sums of products, by labels: `"ij,jk->ik"` is the product of matrices. Axes of one label are multiplied together, and
/// summed if it does not stand behind `->`; without `->` the labels that stand once are kept, in order. `...` stands for
/// axes that broadcast.
///
/// # Errors
/// `Value` for a text that does not fit the operands.
pub fn einsum(subscripts: &str, operands: &[&Array]) -> Result<Array> {
    let problem = parse(subscripts, &operands.iter().map(|x| x.shape()).collect::<Vec<_>>())?;
    let dtype = operands.iter().map(|x| x.dtype()).reduce(promote).unwrap_or(Dtype::F32);
    let simple = |(x, term): (&&Array, &Term)| simplified(&problem, &cast(x, dtype)?, term);
    let mut list = operands.iter().zip(&problem.terms).map(simple).collect::<Result<Vec<_>>>()?;
    for step in order(&problem).steps {
        if let [i, j] = step[..] {
            let (y, x) = (list.remove(j), list.remove(i));
            list.push(contracted(&x, &y, &list, &problem.output)?);
        }
    }
    let Some(last) = list.pop() else {
        return Err(wrong(format_args!("an operand, got none for '{subscripts}'")));
    };
    cast(&brought(&last, &problem.output)?, dtype)
}
