//! What pages load while they are rendered.

use leptos::prelude::*;
use uuid::Uuid;

use crate::domain::{
    page::{AccountPage, AttemptPage, CataloguePage, ConnectorPage, SignInPage},
    problem::Problem,
};

#[server(name = LoadCataloguePage, prefix = "/api/fn", endpoint = "catalogue_page", output = leptos::server_fn::codec::Json)]
pub async fn catalogue_page() -> Result<CataloguePage, Problem> {
    // One that is printed for everybody has its data already.
    if let Some(page) = use_context::<CataloguePage>() {
        return Ok(page);
    }
    let (services, user) = crate::server::state::caller()?;
    Ok(services.pages.catalogue(&user).await?)
}

#[server(name = LoadConnectorPage, prefix = "/api/fn", endpoint = "connector_page", input = leptos::server_fn::codec::Json, output = leptos::server_fn::codec::Json)]
pub async fn connector_page(slug: String) -> Result<ConnectorPage, Problem> {
    let (services, user) = crate::server::state::caller()?;
    Ok(services.pages.connector(&user, &slug).await?)
}

#[server(name = LoadAttemptPage, prefix = "/api/fn", endpoint = "attempt_page", input = leptos::server_fn::codec::Json, output = leptos::server_fn::codec::Json)]
pub async fn attempt_page(attempt_id: Uuid) -> Result<AttemptPage, Problem> {
    let (services, user) = crate::server::state::caller()?;
    Ok(services.pages.attempt(&user, attempt_id).await?)
}

#[server(name = LoadSignInPage, prefix = "/api/fn", endpoint = "sign_in_page", input = leptos::server_fn::codec::Json, output = leptos::server_fn::codec::Json)]
pub async fn sign_in_page(next: String) -> Result<SignInPage, Problem> {
    Ok(crate::server::state::services()?.pages.sign_in(&next))
}

#[server(name = LoadAccountPage, prefix = "/api/fn", endpoint = "account_page", output = leptos::server_fn::codec::Json)]
pub async fn account_page() -> Result<AccountPage, Problem> {
    let (services, user) = crate::server::state::caller()?;
    let session = crate::server::state::current_session();
    Ok(services.pages.account(&user, &session.0).await?)
}
