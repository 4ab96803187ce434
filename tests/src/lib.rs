//! What every store must do, the stores to run it on, and builders for what it is run with.

pub mod account;
pub mod collector;
pub mod contract;
pub mod document;
pub mod fault;
pub mod fixture;
pub mod given;
pub mod history;
pub mod http;
pub mod program;
pub mod service;
