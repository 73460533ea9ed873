//! One file a page. May import `domain`, `server_fns`, `components` and the context types of `app`.
//!
//! Pages are made on the server and stay HTML; only the islands in them come to life.

pub mod account;
pub mod account_history;
pub mod attempt;
pub mod connector;
pub mod connectors;
pub mod form_field;
pub mod frame;
pub mod not_found;
pub mod outage;
pub mod printed;
pub mod sign_in;
pub mod sign_up;
