//! The door for Rust: a function, its rules as closures or as a trait object, its policies.

use std::panic::Location;
use std::sync::Arc;

use pullback_base::Result;
use pullback_core::custom::{
    BodyFn, Call, Captured, Function, Mapped, Missing, Offers, Owner, Rules, Site, Value, fresh_id,
};
use pullback_core::{Array, Inputs, Outputs};

use super::door;

type ForwardFn = dyn Fn(&[Array]) -> Result<(Vec<Array>, Vec<Array>)> + Send + Sync;
type DerivativeFn = dyn Fn(&Call, &[Option<Array>]) -> Result<Value> + Send + Sync;
type VmapFn = dyn Fn(&[Array], &[Option<usize>], usize) -> Result<Mapped> + Send + Sync;

/// A function with rules of its own.
///
/// ```
/// use pullback_base::{Dtype, Scalar};
/// use pullback_core::Array;
/// use pullback_transform::{Custom, grad};
///
/// # fn main() -> pullback_base::Result<()> {
/// // The identity, whose gradient is halved.
/// let halve = Custom::new("halve", &["x"], |x| Ok(x.to_vec()))
///     .vjp(|_call, cotangents| Ok((0.5 * &cotangents[0]).into()));
/// let x = Array::scalar(Scalar::Float(3.), Dtype::F32);
/// grad(&|x| halve.call(x), &[x], &[0])?;
/// # Ok(())
/// # }
/// ```
pub struct Custom {
    func: Arc<Function>,
    rules: Arc<Closures>,
}

impl Custom {
    /// A function of as many arrays as there are names.
    pub fn new(
        name: &str,
        args: &[&str],
        fun: impl Fn(&[Array]) -> Result<Vec<Array>> + Send + Sync + 'static,
    ) -> Custom {
        let func = Function {
            id: fresh_id(),
            name: name.into(),
            args: args.iter().map(|arg| arg.to_string()).collect(),
            missing: Missing::Derive,
            captured: Captured::Constant,
        };
        Custom { func: Arc::new(func), rules: Arc::new(Closures::of(fun)) }
    }

    fn with(mut self, change: impl FnOnce(&mut Function, &mut Closures)) -> Custom {
        let whole = "a function is complete before it is called, and a builder is its only owner";
        change(Arc::get_mut(&mut self.func).expect(whole), Arc::get_mut(&mut self.rules).expect(whole));
        self
    }

    /// Rules as a trait object. Closures given besides take precedence, one by one.
    #[must_use]
    pub fn rules(self, rules: impl Rules + 'static) -> Custom {
        self.with(|_, closures| closures.base = Some(Arc::new(rules)))
    }

    /// `rule(call, cotangents)`: cotangents of the arguments.
    #[must_use]
    pub fn vjp(self, rule: impl Fn(&Call, &[Array]) -> Result<Value> + Send + Sync + 'static) -> Custom {
        self.vjp_symbolic(move |call, g| rule(call, &dense(g, call.outputs)))
    }

    /// `rule(call, tangents)`: tangents of the outputs.
    #[must_use]
    pub fn jvp(self, rule: impl Fn(&Call, &[Array]) -> Result<Value> + Send + Sync + 'static) -> Custom {
        self.jvp_symbolic(move |call, t| rule(call, &dense(t, call.inputs)))
    }

    /// As `vjp`, with `None` for zero cotangents.
    #[must_use]
    pub fn vjp_symbolic(
        self,
        rule: impl Fn(&Call, &[Option<Array>]) -> Result<Value> + Send + Sync + 'static,
    ) -> Custom {
        self.with(|_, rules| rules.vjp = Some(Box::new(rule)))
    }

    /// As `jvp`, with `None` for zero tangents.
    #[must_use]
    pub fn jvp_symbolic(
        self,
        rule: impl Fn(&Call, &[Option<Array>]) -> Result<Value> + Send + Sync + 'static,
    ) -> Custom {
        self.with(|_, rules| rules.jvp = Some(Box::new(rule)))
    }

    /// `forward(inputs)` gives outputs and residuals; `backward` is a vjp rule that finds them in the call.
    #[must_use]
    pub fn forward_backward(
        self,
        forward: impl Fn(&[Array]) -> Result<(Vec<Array>, Vec<Array>)> + Send + Sync + 'static,
        backward: impl Fn(&Call, &[Array]) -> Result<Value> + Send + Sync + 'static,
    ) -> Custom {
        self.with(|_, rules| rules.forward = Some(Box::new(forward))).vjp(backward)
    }

    /// `rule(inputs, axes, size)`: outputs and their batch axes.
    #[must_use]
    pub fn vmap(
        self,
        rule: impl Fn(&[Array], &[Option<usize>], usize) -> Result<Mapped> + Send + Sync + 'static,
    ) -> Custom {
        self.with(|_, rules| rules.vmap = Some(Box::new(rule)))
    }

    /// The rules may be differentiated once: a second derivative is an error on every path.
    #[must_use]
    pub fn once_differentiable(self) -> Custom {
        self.with(|_, rules| rules.once = true)
    }

    /// See `Missing`.
    #[must_use]
    pub fn missing(self, missing: Missing) -> Custom {
        self.with(|func, _| func.missing = missing)
    }

    /// See `Captured`.
    #[must_use]
    pub fn captured(self, captured: Captured) -> Custom {
        self.with(|func, _| func.captured = captured)
    }

    /// The function and its rules, as the graph holds them.
    pub fn owner(&self) -> Owner {
        Owner { func: self.func.clone(), rules: self.rules.clone() }
    }

    /// Calls the function.
    ///
    /// # Errors
    /// What the function or, under a vmap, its vmap rule answers; `Rule` for a capture that is not allowed.
    #[track_caller]
    pub fn call(&self, args: &[Array]) -> Result<Vec<Array>> {
        Ok(door::call(self.owner(), here(Location::caller()), args.into())?.into_vec())
    }
}

pub(crate) fn here(location: &'static Location<'static>) -> Site {
    Site { file: location.file(), line: location.line() }
}

fn dense(values: &[Option<Array>], like: &[Array]) -> Vec<Array> {
    values.iter().zip(like).map(|(value, x)| value.clone().unwrap_or_else(|| x.zeros_like())).collect()
}

/// A function and its rules given as closures, before those of a trait object.
struct Closures {
    fun: Box<BodyFn>,
    forward: Option<Box<ForwardFn>>,
    vjp: Option<Box<DerivativeFn>>,
    jvp: Option<Box<DerivativeFn>>,
    vmap: Option<Box<VmapFn>>,
    once: bool,
    base: Option<Arc<dyn Rules>>,
}

impl Closures {
    fn of(fun: impl Fn(&[Array]) -> Result<Vec<Array>> + Send + Sync + 'static) -> Closures {
        let fun = Box::new(fun);
        Closures { fun, forward: None, vjp: None, jvp: None, vmap: None, once: false, base: None }
    }

    fn base(&self) -> &dyn Rules {
        self.base.as_deref().expect("only what is offered is asked for")
    }
}

impl Rules for Closures {
    fn offers(&self) -> Offers {
        let base = self.base.as_ref().map(|base| base.offers()).unwrap_or_default();
        Offers {
            vjp: self.vjp.is_some() || base.vjp,
            jvp: self.jvp.is_some() || base.jvp,
            vmap: self.vmap.is_some() || base.vmap,
            // A vjp rule goes with the forward pass that it was given with.
            forward: self.forward.is_some() || base.forward && self.vjp.is_none(),
            once: self.once || base.once,
            body: false,
        }
    }

    fn run(&self, inputs: &[Array]) -> Result<Outputs> {
        (self.fun)(inputs).map(Outputs::from_vec)
    }

    fn forward(&self, inputs: &[Array]) -> Result<(Outputs, Inputs)> {
        match &self.forward {
            Some(forward) => forward(inputs).map(|(outs, kept)| (outs.into(), kept.into())),
            None => self.base().forward(inputs),
        }
    }

    fn vjp(&self, call: &Call, cotangents: &[Option<Array>]) -> Result<Value> {
        match &self.vjp {
            Some(rule) => rule(call, cotangents),
            None => self.base().vjp(call, cotangents),
        }
    }

    fn jvp(&self, call: &Call, tangents: &[Option<Array>]) -> Result<Value> {
        match &self.jvp {
            Some(rule) => rule(call, tangents),
            None => self.base().jvp(call, tangents),
        }
    }

    fn vmap(&self, inputs: &[Array], axes: &[Option<usize>], size: usize) -> Result<Mapped> {
        match &self.vmap {
            Some(rule) => rule(inputs, axes, size),
            None => self.base().vmap(inputs, axes, size),
        }
    }

    fn batched(&self) -> Option<Arc<dyn Rules>> {
        self.base.as_ref().and_then(|base| base.batched())
    }
}
