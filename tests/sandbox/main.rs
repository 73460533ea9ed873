//! The sandbox over real HTTP: each endpoint, the flows, faults, restarts, and the recordings of
//! the real server.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "helpers of tests stop and print as tests do"
)]

mod api;
mod changes;
mod control;
mod faults;
mod flows;
mod modes;
mod receiver;
mod replay;
mod support;
mod webhooks;
