//! What is in motion on this page: from a click on Connect to its outcome. May import `domain` and
//! `browser`.
//!
//! The truth about an attempt is the server's and arrives as events (`use_connections`); a flow
//! only remembers the window, the question and the problem that belong to this page.

use leptos::prelude::*;
use uuid::Uuid;

use super::{
    stage::{Flow, Stage, Values, attempt_of, find},
    use_connections::Connections,
};
use crate::{
    browser::{
        api, document, popup,
        timers::{sleep, spawn},
    },
    domain::{
        attempt::{AttemptState, AttemptStatus},
        connection::{Connection, Shown},
        connector::Auth,
        event::Event,
        problem::Problem,
    },
};

/// What to connect.
pub struct Wish {
    pub slug: String,
    pub auth: Auth,
    pub connection: Option<Uuid>,
    pub inputs: Values,
    /// The inputs may stay in the page, for "Start again".
    pub keep: bool,
    pub credentials: Values,
    /// Is called where the server takes what was typed.
    pub accepted: Box<dyn FnOnce()>,
    /// Is told the problem where the server refuses.
    pub refused: Box<dyn FnOnce(&Problem)>,
}

impl Connections {
    pub(super) fn flow_untracked(&self, slug: &str) -> Option<Flow> {
        self.0.with_untracked(|store| find(&store.flows, slug))
    }

    fn set_flow(&self, flow: Flow) {
        self.change(|store| {
            store.flows.retain(|known| known.slug != flow.slug);
            store.flows.push(flow);
        });
    }

    pub fn end_flow(&self, slug: &str) {
        self.change(|store| store.flows.retain(|known| known.slug != slug));
    }

    pub(super) fn stage(
        &self,
        slug: &str,
        attempt: Option<Uuid>,
        stage: Stage,
        problem: Option<Problem>,
    ) {
        let (connection, inputs) = self
            .flow_untracked(slug)
            .map(|flow| (flow.connection, flow.inputs))
            .unwrap_or_default();
        match &problem {
            Some(problem) => self.alarm(problem.sentence()),
            // The window that just came to the front speaks for itself.
            None if stage == Stage::Waiting => {}
            None => self.say(stage.words().to_owned()),
        }
        self.set_flow(Flow {
            slug: slug.to_owned(),
            stage,
            attempt,
            connection,
            inputs,
            problem,
        });
    }

    pub(super) fn busy(&self, slug: &str) -> bool {
        self.flow_untracked(slug).is_some_and(|flow| {
            matches!(
                flow.stage,
                Stage::Opening | Stage::Checking | Stage::Cancelling | Stage::Disconnecting
            )
        })
    }

    /// Connect and Reconnect. Must run in the click itself: only there may a window open.
    pub fn connect(&self, wish: Wish) {
        let slug = wish.slug.clone();
        if self.busy(&slug) {
            return;
        }
        self.hush();
        popup::close(&slug);
        let name = self.name(&slug);
        let opened = wish.auth == Auth::Popup && popup::open(&slug, &format!("Opening {name}…"));
        self.set_flow(Flow {
            slug: slug.clone(),
            stage: Stage::Opening,
            attempt: None,
            connection: wish.connection,
            inputs: if wish.keep {
                wish.inputs.clone()
            } else {
                Values::new()
            },
            problem: None,
        });
        self.say(format!("Connecting {name}…"));
        let connections = self.clone();
        spawn(async move {
            // "Start again" goes away with its note: who pressed it by keyboard stays in the row.
            sleep(0).await;
            document::rescue_focus(&format!("[data-slug='{slug}'][data-do]"));
            let answer =
                api::connect(&slug, wish.connection, &wish.inputs, &wish.credentials).await;
            let started = match answer {
                Ok(started) => {
                    (wish.accepted)();
                    document::end_outage();
                    started
                }
                Err(problem) => {
                    popup::close(&slug);
                    (wish.refused)(&problem);
                    connections.stage(&slug, None, Stage::Refused, Some(problem));
                    return;
                }
            };
            let attempt = started.attempt_id;
            let id = started.connection.id;
            connections.apply(Event::Connection(Box::new(started.connection)));
            // Other accounts of the connector may have attempts of their own.
            let now = connections.all_untracked().into_iter().find(|c| c.id == id);
            let settled = now.as_ref().and_then(attempt_of) != Some(attempt);
            let Some(url) = started.oauth_url.filter(|_| !settled) else {
                connections.told_directly(&slug, now);
                return;
            };
            if popup::navigate(&slug, &url, &attempt.to_string()) {
                connections.stage(&slug, Some(attempt), Stage::Waiting, None);
                connections.watch(slug, attempt);
            } else {
                let stage = if opened {
                    Stage::Asking
                } else {
                    Stage::Blocked
                };
                connections.stage(&slug, Some(attempt), stage, None);
            }
            // The form of the details steps aside, and its focused field with it.
            sleep(0).await;
            document::rescue_focus("#details-title");
        });
    }

    /// The answer to Connect already carried the outcome, as typed credentials do.
    fn told_directly(&self, slug: &str, now: Option<Connection>) {
        popup::close(slug);
        self.end_flow(slug);
        let name = self.name(slug);
        match now.map(|now| (now.shown(), now.last_error)) {
            Some((Shown::Connected, _)) => self.say(format!("{name} is connected.")),
            Some((_, Some(error))) => self.alarm(format!("{name} was not connected: {error}")),
            _ => {}
        }
    }

    /// The row stayed connected through its attempt, so only the attempt knows how it went.
    pub(super) fn ask_outcome(&self, slug: String, attempt: Uuid) {
        let connections = self.clone();
        spawn(async move {
            let Ok(status) = api::attempt(attempt).await else {
                return;
            };
            // Meanwhile the person may have begun anew.
            if connections.flow_untracked(&slug).is_some() {
                return;
            }
            let name = connections.name(&slug);
            match (status.state, status.error) {
                (AttemptState::Failed | AttemptState::Expired, Some(error)) => {
                    let words = format!("{name} was not reconnected: {error}");
                    let problem = Problem::new(0, "", &words, "");
                    connections.stage(&slug, None, Stage::Refused, Some(problem));
                }
                (AttemptState::Succeeded, _) => {
                    connections.say(format!("{name} is connected."));
                }
                _ => connections.say(format!("{name} was not reconnected.")),
            }
        });
    }

    /// Looks whether the window is closed. The answer is a hint: a page that cuts its opener off
    /// looks closed too, so what follows is a question, and only after an event had its chance.
    fn watch(&self, slug: String, attempt: Uuid) {
        let connections = self.clone();
        let waiting = move |connections: &Connections, slug: &str| {
            connections
                .flow_untracked(slug)
                .is_some_and(|flow| flow.attempt == Some(attempt) && flow.stage == Stage::Waiting)
        };
        spawn(async move {
            while waiting(&connections, &slug) {
                if popup::closed(&slug) {
                    sleep(1500).await;
                    if waiting(&connections, &slug) && popup::closed(&slug) {
                        connections.stage(&slug, Some(attempt), Stage::Asking, None);
                        document::rescue_focus(&format!("[data-slug='{slug}'][data-do=finish]"));
                        return;
                    }
                }
                sleep(500).await;
            }
        });
    }

    fn attempt(&self, slug: &str) -> Option<Uuid> {
        self.flow_untracked(slug)
            .and_then(|flow| flow.attempt)
            .or_else(|| self.open_attempt(slug))
    }

    /// "Open window": brings it to the front or opens it again.
    pub fn resume(&self, slug: &str, attempt: Option<Uuid>) {
        let Some(attempt) = attempt.or_else(|| self.attempt(slug)) else {
            return;
        };
        self.hush();
        let url = format!("/attempts/{attempt}/open");
        if popup::resume(slug, &url, &attempt.to_string()) {
            self.stage(slug, Some(attempt), Stage::Waiting, None);
            self.watch(slug.to_owned(), attempt);
        } else {
            self.stage(slug, Some(attempt), Stage::Blocked, None);
        }
    }

    /// "I've finished", and what the window's own message leads to: `failure` is the error in it.
    pub fn finish(&self, slug: &str, attempt: Option<Uuid>, failure: Option<[String; 2]>) {
        let Some(attempt) = attempt.or_else(|| self.attempt(slug)) else {
            return;
        };
        if self.busy(slug) {
            return;
        }
        self.hush();
        self.stage(slug, Some(attempt), Stage::Checking, None);
        let (connections, slug) = (self.clone(), slug.to_owned());
        spawn(async move {
            let answer = api::finish(attempt, failure).await;
            connections.answered(&slug, attempt, answer, Stage::NotYet);
        });
    }

    pub fn cancel(&self, slug: &str, attempt: Option<Uuid>) {
        let Some(attempt) = attempt.or_else(|| self.attempt(slug)) else {
            self.end_flow(slug);
            return;
        };
        self.hush();
        popup::close(slug);
        self.stage(slug, Some(attempt), Stage::Cancelling, None);
        let (connections, slug) = (self.clone(), slug.to_owned());
        spawn(async move {
            let answer = api::cancel(attempt).await;
            connections.answered(&slug, attempt, answer, Stage::Asking);
        });
    }

    fn answered(
        &self,
        slug: &str,
        attempt: Uuid,
        answer: Result<AttemptStatus, Problem>,
        open: Stage,
    ) {
        match answer {
            Ok(status) => {
                self.apply(Event::Connection(Box::new(status.connection)));
                if status.state == AttemptState::Open {
                    self.stage(slug, Some(attempt), open, None);
                } else {
                    popup::close(slug);
                    self.end_flow(slug);
                    if status.state == AttemptState::Cancelled {
                        self.say("Cancelled.".to_owned());
                    }
                }
            }
            Err(problem) => self.stage(slug, Some(attempt), Stage::Asking, Some(problem)),
        }
        document::rescue_focus(&format!("[data-slug='{slug}'][data-do]"));
    }

    /// Tells whether it began.
    pub fn disconnect(&self, slug: &str, connection: Uuid) -> bool {
        if self.busy(slug) {
            return false;
        }
        self.hush();
        popup::close(slug);
        self.set_flow(Flow {
            slug: slug.to_owned(),
            stage: Stage::Disconnecting,
            attempt: None,
            connection: Some(connection),
            inputs: Values::new(),
            problem: None,
        });
        let (connections, slug) = (self.clone(), slug.to_owned());
        spawn(async move {
            match api::disconnect(&slug, connection).await {
                Ok(now) => {
                    connections.end_flow(&slug);
                    connections.apply(Event::Connection(Box::new(now)));
                    connections.say(format!("{} is disconnected.", connections.name(&slug)));
                }
                Err(problem) => connections.stage(&slug, None, Stage::Refused, Some(problem)),
            }
            document::rescue_focus(&format!("[data-slug='{slug}'][data-do]"));
        });
        true
    }
}
