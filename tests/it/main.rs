//! The real executable, real components, real HTTP. A file is named by what it proves.

mod bad_input;
mod client;
mod demo;
mod folder;
mod limits;
mod way;
