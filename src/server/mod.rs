//! The server. `http` and the server functions call `services`; `services` call `db`, `identity`,
//! `live` and `nango`; those four never see each other. `startup` puts them together. All of them may count
//! in `metrics` and know of the `request`.

pub mod address;
pub mod cli;
pub mod clock;
pub mod config;
pub mod db;
pub mod doctor;
pub mod http;
pub mod identity;
pub mod live;
pub mod manifest;
pub mod metrics;
pub mod nango;
pub mod request;
pub mod sandbox;
pub mod services;
pub mod startup;
pub mod state;
pub mod telemetry;
