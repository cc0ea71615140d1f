//! dev only
