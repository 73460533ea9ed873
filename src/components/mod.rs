//! One file a component, and what they share.
//!
//! May import `domain` and `browser`. Views are made for a small WASM: what changes is
//! described as plain data of one type (`element`), and an island listens once, at its root, for
//! everything marked `data-do` (`actions`).

pub mod actions;
pub mod address;
pub mod catalogue_filters;
pub mod catalogue_row;
pub mod connect_button;
pub mod connection_status;
pub mod connector_catalog;
pub mod connector_details;
pub mod connector_dialog;
pub mod connector_icon;
pub mod connector_panel;
pub mod control;
pub mod details_form;
pub mod element;
mod element_state;
pub mod field_input;
pub mod flow;
pub mod flow_note;
pub mod live_region;
pub mod rename;
pub mod rows;
pub mod shelf;
pub mod stage;
pub mod use_connections;
