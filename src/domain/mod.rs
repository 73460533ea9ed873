//! The words of the product and its pure rules, the same on both sides of the wire.
//!
//! May import nothing of ours. Everything here compiles into the WASM, so it stays small: no
//! clock, no randomness, no parsing library.

pub mod attempt;
pub mod audit;
pub mod catalogue;
pub mod connection;
pub mod connector;
pub mod event;
pub mod page;
pub mod problem;
pub mod timestamp;
pub mod user;
