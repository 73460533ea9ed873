//! What the pages and the REST lists are made of.

use std::sync::Arc;

use url::Url;
use uuid::Uuid;

use super::{
    ServiceError, attempts,
    core::{Core, Nango},
    error,
    local::ISSUER,
    oidc::Oidc,
    people, rows,
    sessions::Sessions,
};
use crate::{
    domain::{
        connection::Connection,
        connector::{Connector, ConnectorDetails, Unavailable},
        page::{AccountPage, AttemptPage, CataloguePage, ConnectorPage, Frame, SignInPage},
        problem::Problem,
        timestamp::Timestamp,
        user::{Role, User},
    },
    server::{
        db::{connection, local_account, session::along, user},
        manifest::Manifest,
    },
};

#[derive(Clone)]
pub struct Pages(pub(super) Arc<Core>);

impl Pages {
    pub async fn catalogue(&self, person: &User) -> Result<CataloguePage, ServiceError> {
        Ok(CataloguePage {
            frame: self.frame(person),
            connectors: self.connectors(),
            connections: self.connections(person).await?,
        })
    }

    /// The same for nobody in particular: what all people's pages have in common.
    pub fn catalogue_of_nobody(&self) -> CataloguePage {
        let nobody = User {
            id: Uuid::nil(),
            display_name: String::new(),
            role: Role::User,
        };
        CataloguePage {
            frame: self.frame(&nobody),
            connectors: self.connectors(),
            connections: Vec::new(),
        }
    }

    /// Whether any connector is of this category.
    pub fn has_category(&self, category: &str) -> bool {
        let mut all = self.0.registry.all().iter();
        all.any(|manifest| manifest.category == category)
    }

    /// Changes whenever [`Pages::catalogue_of_nobody`] might.
    pub fn edition(&self) -> (u64, u64) {
        (self.0.integrations.edition(), self.0.fields.edition())
    }

    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    pub async fn connector(
        &self,
        person: &User,
        id_or_slug: &str,
    ) -> Result<ConnectorPage, ServiceError> {
        let manifest = self
            .0
            .registry
            .find(id_or_slug)
            .ok_or_else(error::connector_unknown)?;
        let mut tx = self.0.db.read().await?;
        let found = connection::of_user_and_connector(&mut tx, person.id, manifest.id()).await?;
        tx.commit().await?;
        Ok(ConnectorPage {
            frame: self.frame(person),
            details: self.details(manifest).await,
            connections: found
                .into_iter()
                .map(|row| rows::connection(&self.0.registry, row))
                .collect(),
        })
    }

    pub async fn attempt(&self, person: &User, id: Uuid) -> Result<AttemptPage, ServiceError> {
        let attempt = attempts::Attempts(self.0.clone())
            .status(person, id)
            .await?;
        let manifest = self
            .0
            .registry
            .by_id(attempt.connection.connector_id)
            .ok_or_else(error::connector_unknown)?;
        Ok(AttemptPage {
            frame: self.frame(person),
            connector: self.connector_of(manifest),
            attempt,
        })
    }

    /// `next` goes nowhere but to a path of ours.
    pub fn sign_in(&self, next: &str) -> SignInPage {
        SignInPage {
            demo: self.0.demo,
            sandbox: self.sandbox(),
            local: self.0.local.on,
            sign_up: self.0.local.on && self.0.local.sign_up,
            providers: Oidc(self.0.clone()).providers(),
            next: local_path(next).to_owned(),
        }
    }

    /// `session` is the digest of the one that asks.
    pub async fn account(&self, person: &User, session: &str) -> Result<AccountPage, ServiceError> {
        let mut tx = self.0.db.read().await?;
        let row = user::get(&mut tx, person.id).await?;
        let local = local_account::of_user(&mut tx, person.id).await?;
        tx.commit().await?;
        let row = row.ok_or_else(people::unknown)?;
        Ok(AccountPage {
            frame: self.frame(person),
            way: way(&row.issuer),
            email: row.email,
            password: local.is_some() && self.0.local.on,
            sessions: Sessions(self.0.clone()).list(person, session).await?,
        })
    }

    /// All of them, by name.
    pub fn connectors(&self) -> Vec<Connector> {
        let manifests = self.0.registry.all().iter();
        manifests
            .map(|manifest| self.connector_of(manifest))
            .collect()
    }

    pub async fn connections(&self, person: &User) -> Result<Vec<Connection>, ServiceError> {
        let found = match along::take(person.id) {
            Some(found) => found,
            None => connection::look_up_of_user(&self.0.db, person.id).await?,
        };
        Ok(found
            .into_iter()
            .map(|row| rows::connection(&self.0.registry, row))
            .collect())
    }

    fn frame(&self, person: &User) -> Frame {
        Frame {
            user: person.clone(),
            sandbox: self.sandbox(),
            off: self.off(),
            nango: self.nango_origin(),
            now: self.0.clock.now(),
            icons: self.icons(),
        }
    }

    /// The address of the icons: it changes with their content.
    pub fn icons(&self) -> String {
        format!("/icons/{}.svg", self.0.registry.look_version())
    }

    /// The address of the brands' colours, likewise.
    pub fn brands(&self) -> String {
        format!("/icons/{}.css", self.0.registry.look_version())
    }

    /// The colours themselves.
    pub fn brand_styles(&self) -> &str {
        self.0.registry.brands()
    }

    /// The icons themselves.
    pub fn sprite(&self) -> &str {
        self.0.registry.sprite()
    }

    fn sandbox(&self) -> bool {
        matches!(self.0.nango, Nango::On { sandbox: true, .. })
    }

    /// Where the sign-in windows' last page speaks from.
    fn nango_origin(&self) -> String {
        let base = match &self.0.nango {
            Nango::On { service, .. } => service.base_url(),
            Nango::Off(_) => &self.0.nango_base,
        };
        base.origin().ascii_serialization()
    }

    fn off(&self) -> Option<Problem> {
        match &self.0.nango {
            Nango::Off(problem) => Some((**problem).clone()),
            Nango::On { .. } => self.0.integrations.failing(),
        }
    }

    fn connector_of(&self, manifest: &Manifest) -> Connector {
        let mut connector = manifest.connector();
        connector.unavailable = self.0.integrations.unavailable(manifest);
        connector.asks_first = self.0.fields.form_now(manifest).asks();
        connector
    }

    async fn details(&self, manifest: &Manifest) -> ConnectorDetails {
        let form = self.0.form(manifest).await;
        let mut details = manifest.details();
        details.connector = self.connector_of(manifest);
        form.show(&mut details);
        if !form.is_known() {
            let problem = self.0.fields.unknown(manifest);
            details.connector.unavailable.get_or_insert(Unavailable {
                reason: problem.sentence(),
                code: problem.code,
            });
        }
        details
    }

    /// Nango's own OAuth callback, where the customer's callback address sends people on to.
    pub fn nango_callback(&self) -> Url {
        let mut url = match &self.0.nango {
            Nango::On { service, .. } => service.base_url().clone(),
            Nango::Off(_) => self.0.nango_base.clone(),
        };
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["oauth", "callback"]);
        }
        url
    }
}

/// How a person signs in, by who says who they are.
fn way(issuer: &str) -> String {
    match issuer {
        ISSUER => "You sign in with your e-mail address and your password.".to_owned(),
        "demo" => "You are a demo user: there is no password.".to_owned(),
        other => {
            let host = Url::parse(other).ok();
            let host = host.as_ref().and_then(Url::host_str).unwrap_or(other);
            format!("You sign in through {host}.")
        }
    }
}

/// No address of a page is longer; it is kept while somebody signs in.
const LONGEST_PATH: usize = 2048;

/// A path of ours, or the catalogue: never another site (`//host`, `/\host`, a scheme).
pub fn local_path(next: &str) -> &str {
    let path = next.split(['?', '#']).next().unwrap_or_default();
    // Browsers take a backslash for a slash, drop tabs and line ends, and resolve dots: nothing of
    // the kind is in an address that this server has made.
    let ours = next.len() <= LONGEST_PATH
        && path.starts_with('/')
        && !path.contains("//")
        && !path.split('/').any(is_dots)
        && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if ours { next } else { "/connectors" }
}

/// `.` or `..`, however it is written.
fn is_dots(segment: &str) -> bool {
    let segment = segment.to_ascii_lowercase().replace("%2e", ".");
    matches!(segment.as_str(), "." | "..")
}

#[cfg(test)]
mod tests {
    use super::local_path;

    #[test]
    fn next_stays_here() {
        for ours in [
            "/",
            "/connectors/gmail?q=a",
            "/connectors?q=a%26b//c",
            "/attempts/0198c2a4-0000-7000-8000-000000000000?asked=1",
            // No browser decodes these: a path of ours that does not exist.
            "/%5cevil.example",
            "/%2f/evil.example",
            "/%09/evil.example",
        ] {
            assert_eq!(local_path(ours), ours);
        }
        for evil in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\nb",
            "///evil.example",
            "/\t/evil.example",
            "/\r\n/evil.example",
            "\t//evil.example",
            " //evil.example",
            "/ /evil.example",
            "\\\\evil.example",
            "\\/evil.example",
            "/a\\..\\evil.example",
            "/connectors//evil.example",
            "/..//evil.example",
            "/.//evil.example",
            "/../evil.example",
            "/%2e%2E/evil.example",
            "/.",
            "/\u{ff0f}evil.example",
            "/\u{2044}/evil.example",
            "\u{ff0f}\u{ff0f}evil.example",
            "/\u{200b}/evil.example",
            "/\0/evil.example",
            "/\u{7f}/evil.example",
            "@evil.example",
            ".evil.example",
            ":80/",
            "?next=//evil.example",
            "#//evil.example",
            "javascript:alert(1)",
            "data:text/html,a",
            "https:evil.example",
            "http:///evil.example",
            "evil.example",
            "%2f%2fevil.example",
        ] {
            assert_eq!(local_path(evil), "/connectors", "{evil:?}");
        }
    }
}
