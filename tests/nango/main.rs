//! Nango's client against a server that says exactly what a test wants, against the recordings of
//! the real one, and its pure parts by themselves.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "helpers of tests stop and print as tests do"
)]

mod contract;
mod credentials;
mod errors;
mod holding;
mod outcomes;
mod recordings;
mod rules;
mod socket;
mod stub;
mod typed;
mod webhooks;
