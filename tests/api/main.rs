//! The API over real HTTP, each test on SQLite and on PostgreSQL. The server under test talks to a
//! sandbox that was started apart from it, exactly as it would to a real Nango.

#![expect(
    clippy::expect_used,
    reason = "a test fails with the reason; clippy sees tests only in functions marked so"
)]

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

#[path = "../support/app.rs"]
mod app;
#[path = "../support/issuer.rs"]
mod issuer;
#[path = "../support/nango.rs"]
mod nango;
#[path = "../support/person.rs"]
mod person;
#[path = "../support/proxy.rs"]
mod proxy;

mod account;
mod approval;
mod attempts;
mod backup;
mod budget;
mod callback;
mod config_command;
mod connect;
mod connectors;
mod credentials;
mod disconnect;
mod doctor;
mod door;
mod ends;
mod erasure;
mod events;
mod expiry;
mod fields;
mod floods;
mod forms;
mod full_disk;
mod health;
mod history;
mod inputs;
mod isolation;
mod late;
mod limits;
mod local_accounts;
mod matrix;
mod metrics;
mod moment;
mod names;
mod nango_off;
mod oidc;
mod openapi;
mod outage;
mod people;
mod personal;
mod personal_command;
mod printed;
mod program;
mod reconcile;
mod reconnect;
mod reference;
mod request_id;
mod secrets;
mod sessions;
mod sign_in;
mod socket;
mod start;
mod tokens;
mod traces;
mod upgrade;
mod user_command;
mod web;
mod webhooks;
