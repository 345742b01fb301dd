//! The real executable, real components, real HTTP. A file is named by what it proves.

mod bad_input;
mod cli;
mod client;
mod folder;
mod from_a_webhook_server;
mod limits;
mod reload;
mod restart;
mod swap;
mod tidy;
mod way;
