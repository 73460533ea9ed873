//! The host product's token for a session: pages and event streams of a browser cannot send it.
//!
//! The session lives by our own rules, however short the token's life: the token says who came in,
//! not for how long they may stay.

use axum::{
    Extension, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::post,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tower_sessions::Session;

use super::{
    body::FormBody,
    guard::{self, TOKEN_FORM},
    headers,
    oidc::explain,
    problem::ApiError,
    session::{Proof, SignedIn, SignedOut, begin, digest, half_done, leave},
};
use crate::{
    domain::problem::Problem,
    server::{
        services::{
            Services,
            pages::local_path,
            tokens::{self, Bearer},
        },
        state::{AppState, Web},
    },
};

pub fn routes() -> Router<AppState> {
    // `TOKEN_FORM`, written out: tests read the routes from the sources.
    Router::new().route("/sign-in/token", post(form))
}

/// Begins a session for whoever the bearer token names, and sets its cookie. The session lives by
/// the server's own rules, however short the token's life.
#[utoipa::path(post, path = "/api/v1/session", operation_id = "create_session", tag = "session", security(("bearer" = [])), responses(
    (status = 204, description = "The session's cookie is set"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 503, body = Problem, content_type = "application/problem+json"),
))]
pub async fn create(
    State(services): State<Services>,
    SignedIn { user, proof, .. }: SignedIn,
    session: Session,
) -> Result<StatusCode, ApiError> {
    if proof == Proof::Session {
        return Err(tokens::refused().into());
    }
    let entered = services.tokens.signed_in(&user).await?;
    begin(&session, &entered, &services).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Signs out: ends the session of the cookie, and its event streams.
#[utoipa::path(delete, path = "/api/v1/session", operation_id = "delete_session", tag = "session", security(("session" = [])), responses(
    (status = 204, description = "The session is over"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 503, body = Problem, content_type = "application/problem+json"),
))]
pub async fn delete(
    State(services): State<Services>,
    SignedIn {
        user,
        session,
        proof,
    }: SignedIn,
) -> Result<Response, ApiError> {
    // A token has no session to end.
    if proof == Proof::Session {
        services
            .sessions
            .sign_out(user.id, &digest(&session))
            .await?;
        // What is left of it is the cookie.
        session.flush().await.map_err(half_done)?;
    }
    Ok((Extension(SignedOut), StatusCode::NO_CONTENT).into_response())
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TokenForm {
    token: SecretString,
    next: String,
}

/// The same for a host product on another origin, which cannot set our cookie by a script: its page
/// posts a form. Any other site's is refused: it could sign people in as somebody else.
///
/// With a form of another site a browser sends no cookie (`SameSite=Lax`), and the session that it
/// holds would be overwritten there and live on here. So what comes without one is posted once more,
/// by a page of ours.
async fn form(
    State(services): State<Services>,
    State(web): State<Web>,
    session: Session,
    sent: HeaderMap,
    FormBody(TokenForm { token, next }): FormBody<TokenForm>,
) -> Result<Response, ApiError> {
    let origin = sent.get(header::ORIGIN);
    let welcome = origin
        .and_then(|origin| origin.to_str().ok())
        .is_some_and(|origin| services.tokens.welcomes(origin));
    if !welcome && !guard::is_same_origin(&sent, &web.origin) {
        return Err(guard::refuse(TOKEN_FORM, &sent));
    }
    if welcome && session.id().is_none() && guard::comes_without_cookies(&sent, &web.origin) {
        return Ok(once_more(&token, local_path(&next)));
    }
    let token = Bearer(token.expose_secret());
    let entered = match services.tokens.verify(token).await {
        Ok((user, _)) => services.tokens.signed_in(&user).await,
        Err(error) => Err(error),
    };
    match entered {
        Ok(entered) => {
            begin(&session, &entered, &services).await?;
            Ok(Redirect::to(local_path(&next)).into_response())
        }
        Err(error) => {
            // The host product has sent somebody, and it cannot be told whom: whoever is signed in
            // here may be another, and what the one connects would be the other's.
            leave(&session, &services).await?;
            explain(&session, error).await
        }
    }
}

/// A page that posts the same form from here. Whoever runs no scripts presses its button.
fn once_more(token: &SecretString, next: &str) -> Response {
    let nonce = headers::nonce();
    let page = format!(
        r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Signing in · Patchbay</title>
<form method="post" action="{TOKEN_FORM}">
<input type="hidden" name="token" value="{token}">
<input type="hidden" name="next" value="{next}">
<button>Continue</button>
</form>
<script nonce="{nonce}">document.forms[0].submit()</script>
</html>
"#,
        token = attribute(token.expose_secret()),
        next = attribute(next),
    );
    let policy = headers::form_page_policy(&nonce);
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(page)).into_response()
}

/// Text between double quotes.
fn attribute(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::attribute;

    #[test]
    fn what_was_posted_stays_text() {
        let evil = r#"" onfocus="alert(1)" autofocus="></form><script>&quot;"#;
        let shown = attribute(evil);
        assert!(!shown.contains(['"', '<', '>']), "{shown}");
        assert!(shown.ends_with("&lt;script&gt;&amp;quot;"), "{shown}");
    }
}
