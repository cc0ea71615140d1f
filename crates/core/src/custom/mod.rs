//! What the graph holds of a function with rules of its own. What happens at such a node, `transform` knows.

pub mod call;
pub mod fence;
pub mod rules;

pub use call::{Body, CustomCall, Owner, Recorded, Residual, Residuals, Site};
pub use rules::{BodyFn, Call, Captured, Function, Mapped, Missing, Offers, Rules, Value, fresh_id};
