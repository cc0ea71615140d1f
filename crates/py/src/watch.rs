//! Watches for NaN, as Python's context manager begins and ends them.

use pullback::anomaly::{self, Watch};
use pullback::custom::Site;
use pyo3::prelude::*;

use crate::array::released;
use crate::eval::announce;
use crate::site;

fn locate() -> Option<Site> {
    Python::attach(site::user)
}

/// Begins to watch on this thread.
#[pyfunction]
pub fn _watch_start(infinite: bool, warn: bool) {
    anomaly::start(Watch { infinite, warn }, locate);
}

/// Ends the watch that began last; before that, what is pending is looked at, if that is wanted.
#[pyfunction]
pub fn _watch_stop(py: Python<'_>, finish: bool) -> PyResult<()> {
    let result = if finish { released(py, anomaly::finish) } else { Ok(()) };
    anomaly::stop();
    result?;
    announce(py)
}
