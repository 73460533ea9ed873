//! What connectors ask for: the manifests' fields, completed by what Nango says of the provider.
//!
//! Nango is asked when somebody looks, once in a while for each provider; nobody waits long for
//! it, and what was said before serves until it answers.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use super::{connect::Connect, core::Core, error};
use crate::{
    domain::problem::Problem,
    server::{
        manifest::{Form, Manifest, Offer, Offers},
        nango::{
            NangoError, NangoService,
            providers::{Field, Provider},
        },
        request,
    },
};

/// A page waits no longer for Nango's word.
const LIMIT: Duration = Duration::from_millis(900);
/// Providers change with Nango's versions only.
const FRESH: Duration = Duration::from_secs(600);
/// Between two questions while Nango fails.
const RETRY: Duration = Duration::from_secs(15);

#[derive(Debug, Default)]
struct Known {
    /// What Nango said last.
    offers: Option<Arc<Offers>>,
    /// From then on it is asked again.
    until: Option<Instant>,
    asking: bool,
    /// Why nothing is known, where waiting does not help.
    problem: Option<Problem>,
}

#[derive(Debug, Default)]
struct Inner {
    /// By Nango's name of the provider.
    known: Mutex<HashMap<String, Known>>,
    answered: Notify,
    /// Counts the answers.
    edition: AtomicU64,
}

/// The last answers. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Fields(Arc<Inner>);

impl Fields {
    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another number once something else may be known. Read it before what is known.
    pub fn edition(&self) -> u64 {
        self.0.edition.load(Ordering::SeqCst)
    }

    /// By what is known already.
    pub fn form_now(&self, manifest: &Manifest) -> Form {
        let known = self.known();
        let offers = known
            .get(manifest.provider())
            .and_then(|k| k.offers.clone());
        drop(known);
        manifest.form(offers.as_deref())
    }

    /// Why a connector's form is not known.
    pub fn unknown(&self, manifest: &Manifest) -> Problem {
        let known = self.known();
        let problem = known
            .get(manifest.provider())
            .and_then(|k| k.problem.clone());
        problem.unwrap_or_else(fields_unknown)
    }

    /// The fields of a connector; Nango is asked where that is due.
    pub async fn form(&self, nango: Option<&NangoService>, manifest: &Manifest) -> Form {
        if let Some(nango) = nango {
            self.learn(nango, manifest.provider()).await;
        }
        self.form_now(manifest)
    }

    /// Asks if need be, and waits a moment where nothing is known yet.
    async fn learn(&self, nango: &NangoService, provider: &str) {
        let deadline = Instant::now() + LIMIT;
        loop {
            let answered = self.0.answered.notified();
            tokio::pin!(answered);
            // From here on no answer is missed.
            answered.as_mut().enable();
            let (ask, wait) = {
                let mut all = self.known();
                let known = all.entry(provider.to_owned()).or_default();
                let due = known.until.is_none_or(|until| until <= Instant::now());
                let ask = due && !known.asking;
                known.asking |= ask;
                (ask, known.asking && known.offers.is_none())
            };
            if ask {
                let task = ask_nango(self.clone(), nango.clone(), provider.to_owned());
                tokio::spawn(request::carry(task));
            }
            if !wait || timeout_at(deadline, answered).await.is_err() {
                return;
            }
        }
    }

    fn keep(&self, provider: String, answer: Result<Provider, NangoError>) {
        let mut all = self.known();
        let known = all.entry(provider).or_default();
        known.asking = false;
        let now = Instant::now();
        known.until = Some(now + RETRY);
        match answer {
            Ok(provider) => {
                known.offers = Some(Arc::new(offers(provider)));
                known.until = Some(now + FRESH);
                known.problem = None;
            }
            // Nango has no such provider: there is nothing to learn.
            Err(NangoError::Refused { status: 404, .. }) => {
                known.offers.get_or_insert_default();
                known.until = Some(now + FRESH);
                known.problem = Some(provider_unknown());
            }
            Err(error) => {
                tracing::info!(%error, "what a provider asks for is not known");
                known.problem = matches!(
                    error,
                    NangoError::Unauthorized { .. }
                        | NangoError::Forbidden { .. }
                        | NangoError::Refused { .. }
                )
                .then(|| error::nango(&error));
            }
        }
        self.0.edition.fetch_add(1, Ordering::SeqCst);
        drop(all);
        self.0.answered.notify_waiters();
    }
}

/// Runs apart from whoever asked first: they may have gone.
async fn ask_nango(fields: Fields, nango: NangoService, provider: String) {
    let answer = nango.provider(&provider).await;
    fields.keep(provider, answer);
}

impl Core {
    /// What this connector asks for.
    pub async fn form(&self, manifest: &Manifest) -> Form {
        self.fields.form(self.nango().ok(), manifest).await
    }
}

impl Connect {
    /// What of a refused form's inputs may be shown again.
    pub async fn shown_again(
        &self,
        connector: &str,
        mut inputs: BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        match self.0.registry.find(connector) {
            Some(manifest) => {
                let form = self.0.form(manifest).await;
                inputs.retain(|name, _| form.is_open(name));
            }
            None => inputs.clear(),
        }
        inputs
    }
}

fn offers(provider: Provider) -> Offers {
    let all = |fields: Vec<Field>| {
        // What Nango finds out by itself, or shows to nobody, is nothing to ask a person for.
        let asked = fields.into_iter().filter(Field::is_asked);
        asked.map(offer).collect()
    };
    Offers {
        inputs: all(provider.connection_config),
        credentials: all(provider.credentials),
    }
}

fn offer(field: Field) -> Offer {
    let said = |text: String| (!text.is_empty()).then_some(text);
    Offer {
        name: field.name,
        title: said(field.title),
        description: said(field.description),
        example: field.example,
        pattern: field.pattern,
        prefix: field.prefix,
        suffix: field.suffix,
        secret: field.secret,
        optional: field.optional,
        options: field.options,
    }
}

/// Nango is too old for this provider, or the manifest names none of its providers.
fn provider_unknown() -> Problem {
    Problem::new(
        503,
        "fields_unknown",
        "What this connector asks for is not known: Nango has no such provider.",
        "Whoever runs this server finds out more with `patchbay doctor`.",
    )
}

/// Only Nango knows what to ask for, and it has not said it.
pub fn fields_unknown() -> Problem {
    Problem::new(
        503,
        "fields_unknown",
        "What this connector asks for is not known right now.",
        "Nango has not told it. Try again in a minute.",
    )
}
