//! The real executable, real components, real HTTP. A file is named by what it proves.

mod bad_input;
mod cli;
mod client;
mod demo;
mod folder;
mod limits;
mod reload;
mod restart;
mod swap;
mod way;
