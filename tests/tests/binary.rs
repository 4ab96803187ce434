//! The binary as a process: how it starts, what it says, how it ends.

#[path = "binary/access.rs"]
mod access;
#[path = "binary/commands.rs"]
mod commands;
#[path = "binary/demo.rs"]
mod demo;
#[path = "binary/hostile_log.rs"]
mod hostile_log;
#[path = "binary/migrate.rs"]
mod migrate;
#[path = "binary/serve.rs"]
mod serve;
#[path = "binary/settings.rs"]
mod settings;
#[path = "binary/slow_clients.rs"]
mod slow_clients;
#[path = "binary/stopping.rs"]
mod stopping;
#[path = "binary/telemetry.rs"]
mod telemetry;
