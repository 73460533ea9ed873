//! A person's own history, as pages load it while they are rendered.

use leptos::prelude::*;

use crate::domain::{audit::HistoryEntry, problem::Problem};

/// With one connector, newest first.
#[server(name = LoadConnectorHistory, prefix = "/api/fn", endpoint = "connector_history", input = leptos::server_fn::codec::Json, output = leptos::server_fn::codec::Json)]
pub async fn connector_history(slug: String) -> Result<Vec<HistoryEntry>, Problem> {
    let (services, user) = crate::server::state::caller()?;
    let history = &services.history;
    Ok(history.of_connector(&user, &slug, None, 20).await?.entries)
}

/// All of it, newest first.
#[server(name = LoadOwnHistory, prefix = "/api/fn", endpoint = "own_history", output = leptos::server_fn::codec::Json)]
pub async fn own_history() -> Result<Vec<HistoryEntry>, Problem> {
    let (services, user) = crate::server::state::caller()?;
    let history = &services.history;
    Ok(history.of_person(&user, None, 50).await?.entries)
}
