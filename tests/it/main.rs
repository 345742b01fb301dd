//! The real executable, real components, real HTTP. A file is named by what it proves.

mod bad_input;
mod capability;
mod cli;
mod client;
mod crash;
mod crm_notes;
mod dedupe;
mod demo;
mod destinations;
mod door;
mod folder;
mod from_a_webhook_server;
mod incidents;
mod limits;
mod low_rating_alert;
mod operator;
mod outside;
mod own_events;
mod reload;
mod restart;
mod routing_rules;
mod services;
mod swap;
mod telling;
mod tidy;
mod way;
