//! Chatplug: receives LiveChat webhooks, stores them, and hands each one to sandboxed WebAssembly plugins.
//!
//! The modules stand in rows; each imports from the rows above it only (`ARCHITECTURE.md` has the table,
//! `tests/it/tidy.rs` checks it).

// Values: no I/O, no async, no clock.
pub mod action;
pub mod delivery;
pub mod destination;
pub mod event;
pub mod grant;
pub mod incident;
pub mod journal;
pub mod limits;
pub mod manifest;
pub mod schedule;

// Where the crash tests end the process.
pub mod crash_point;

// The way out, and where it leads.
pub mod egress;

// Edges: each talks to one outside thing.
pub mod connections;
pub mod livechat;
pub mod runtime;
pub mod store;

// The operator's file.
pub mod config;

// Workings.
pub mod capture;
pub mod destinations;
pub mod dispatcher;
pub mod heartbeat;
pub mod keeper;
pub mod measures;
pub mod notifier;
pub mod overview;
pub mod plugins;
pub mod recovery;
pub mod refusals;
pub mod registry;
pub mod scheduler;
pub mod watcher;

// Doors.
pub mod cli;
pub mod http;

// Wiring.
pub mod app;
pub mod simulator;
pub mod telemetry;

#[cfg(test)]
mod double;
