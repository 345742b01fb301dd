//! See ARCHITECTURE.md.
pub mod webhook;
