//! What a person does on the page, and what the rules make of the answer.

use serde_json::json;

use super::{CONNECTORS, Driver, Told, Window, pick, uuid};
use crate::{
    house::LIFE,
    person::{Answer, text},
    rules::{Refusal, State, Status, Target, World, Worlds, with_background},
    steps::Pick,
};

impl Driver {
    pub async fn connect(&mut self, connector: usize) -> Told {
        let path = format!("/api/v1/connectors/{}/connect", CONNECTORS[connector]);
        let answer = self.person().post(&path, &json!({})).await;
        let target = |w: &World| w.connect(connector, connector == 1);
        self.started(connector, &answer, target).await
    }

    pub async fn reconnect(&mut self, row: usize) -> Told {
        let Some(connector) = self.worlds.first().map(|w| w.rows[row].connector) else {
            return Ok(());
        };
        let path = format!("/api/v1/connectors/{}/reconnect", CONNECTORS[connector]);
        let body = json!({"connection_id": self.rows[row]});
        let answer = self.person().post(&path, &body).await;
        if answer.status == 200 || self.down {
            return self.started(connector, &answer, |w| w.reconnect(row)).await;
        }
        let gone = |w: &World| w.reconnect(row) == Err(Refusal::Gone);
        if self.all().iter().any(gone) {
            // The row learns at once that it has nothing any more.
            self.each(|w| w.rows[row].bound.is_some().then(|| w.lose(row)));
            return Ok(());
        }
        self.started(connector, &answer, |w| w.reconnect(row)).await
    }

    /// The answer to a click: the model must have had it among its own.
    pub async fn started(
        &mut self,
        connector: usize,
        answer: &Answer,
        target: impl Fn(&World) -> Result<Target, Refusal>,
    ) -> Told {
        if answer.status != 200 {
            let refused = match answer.status {
                409 => Some(text(&answer.json()["code"]).to_owned()),
                502 | 503 if self.down => None,
                _ => return Err(format!("refused: {}", answer.text)),
            };
            self.each(|w| match (target(w), refused.as_deref()) {
                (Err(Refusal::AlreadyConnected), Some("already_connected"))
                | (Err(Refusal::NotConnected), Some("not_connected"))
                | (Ok(_) | Err(Refusal::Gone), None) => Some(()),
                _ => None,
            });
            return Ok(());
        }
        let answer = answer.json();
        let row_id = uuid(&answer["connection"]["id"]);
        let row = self.rows.iter().position(|r| *r == row_id);
        let until = self.house.now() + LIFE;
        self.each(|w| {
            let found = target(w).ok().filter(|(found, _)| *found == row)?;
            w.start(connector, found, until);
            Some(())
        });
        let row = row.unwrap_or_else(|| {
            self.rows.push(row_id);
            self.rows.len() - 1
        });
        self.attempts.push((uuid(&answer["attempt_id"]), row));
        let url = text(&answer["oauth_url"]).to_owned();
        self.show(self.attempts.len() - 1, &url).await;
        Ok(())
    }

    /// The window, up to the provider's page.
    pub async fn show(&mut self, attempt: usize, url: &str) {
        let page = self.house.nango.open(url).await;
        self.opened.push((self.attempts[attempt].1, self.current));
        self.windows.push(Window {
            attempt,
            page,
            app: self.current,
            started: self.house.apps[self.current].1,
            has_socket: url.contains("ws_client_id="),
            number: self.opened.len(),
        });
    }

    pub async fn open_window(&mut self, attempt: usize) -> Told {
        let path = format!("/attempts/{}/open", self.attempts[attempt].0);
        let answer = self.person().get(&path).await;
        let opened = answer.status == 303 && answer.header("location").contains("/oauth/connect/");
        let down = self.down;
        self.each(|w| {
            let about = w.attempts.get(attempt)?;
            let there = match (about.reconnect, w.rows[about.row].bound) {
                (true, bound) => bound.is_some_and(|c| w.nango.contains_key(&c)),
                (false, _) => true,
            };
            let may = w.open(attempt) && !w.overdue(attempt) && there && !down;
            (may == opened).then_some(())
        });
        if opened {
            let url = answer.header("location").to_owned();
            self.show(attempt, &url).await;
        }
        Ok(())
    }

    /// "I've finished", with what the popup may have said.
    pub async fn finished(&mut self, attempt: Pick, denied: Option<bool>) -> Told {
        let Some(attempt) = pick(self.attempts.len(), attempt) else {
            return Ok(());
        };
        let body = match denied {
            None => json!({}),
            Some(true) => {
                json!({"hint": {"type": "error", "error_type": "access_denied", "message": ""}})
            }
            Some(false) => {
                json!({"hint": {"type": "error", "error_type": "unknown_err", "message": "invalid_client"}})
            }
        };
        let path = format!("/api/v1/attempts/{}/finish", self.attempts[attempt].0);
        let answer = self.person().post(&path, &body).await;
        if answer.status != 200 && !self.down {
            return Err(format!("finishing is answered {}", answer.text));
        }
        let down = self.down;
        self.fork(|w| {
            let mut all = Worlds::from([w.clone()]);
            if matches!(w.attempts[attempt].state, State::Open | State::Expired) && !down {
                all = with_background(all);
                all.retain(|w| w.heard(attempt));
            }
            let end = |mut w: World| {
                match denied {
                    // Kept in memory until the list can be read, which it can't before new servers.
                    _ if down => {}
                    Some(true) => w.end(attempt, State::Failed, Status::Disconnected),
                    Some(false) => w.end(attempt, State::Failed, Status::Error),
                    None => {}
                }
                w
            };
            all.into_iter().map(end).collect()
        });
        Ok(())
    }

    pub async fn cancel(&mut self, attempt: Pick) -> Told {
        let Some(attempt) = pick(self.attempts.len(), attempt) else {
            return Ok(());
        };
        let path = format!("/api/v1/attempts/{}/cancel", self.attempts[attempt].0);
        let answer = self.person().post(&path, &json!({})).await;
        if answer.status != 200 {
            return Err(format!("cancelling is answered {}", answer.text));
        }
        self.each(|w| {
            w.end(attempt, State::Cancelled, Status::Disconnected);
            Some(())
        });
        Ok(())
    }

    pub async fn disconnect(&mut self, row: usize) -> Told {
        let Some(connector) = self.worlds.first().map(|w| w.rows[row].connector) else {
            return Ok(());
        };
        let path = format!("/api/v1/connectors/{}/disconnect", CONNECTORS[connector]);
        let body = json!({"connection_id": self.rows[row]});
        let answer = self.person().post(&path, &body).await;
        let down = self.down;
        if answer.status != 200 {
            if !down {
                return Err(format!("disconnecting is answered {}", answer.text));
            }
            self.each(|w| w.rows[row].bound.map(drop));
        } else if answer.text.contains("\"status\":\"disconnected\"") {
            self.each(|w| (w.rows[row].bound.is_none() || !down).then(|| w.disconnect(row)));
        } else {
            // There was nothing, and then the poll came by: what it found was not meant.
            self.worlds.retain(|w| w.rows[row].bound.is_none());
            self.each(|w| w.rows[row].bound.map(drop));
        }
        Ok(())
    }
}
