//! x
mod lanes;
