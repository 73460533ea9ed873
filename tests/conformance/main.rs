//! The conformance suite: every function of the database layer, run on SQLite and on PostgreSQL.
//! It stands where a compile-time check of the queries would, which cannot check one query
//! against two databases.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy knows test functions, not what they call"
)]

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod attempt;
mod audit;
mod audit_chain;
mod concurrency;
mod connection;
mod connector;
mod counts;
mod fixture;
mod lease;
mod local_account;
mod migrations;
mod notify;
mod owed_deletion;
mod personal;
mod plan;
mod schema;
mod session;
mod streams;
mod throttle;
mod user;
mod visits;
