//! What happens at the provider and at Nango, and what they tell of it.

use serde_json::json;

use super::{Driver, Ear, Event, Told, Window, pick};
use crate::{
    nango::Decision,
    person::text,
    rules::{State, Status, World},
    steps::Pick,
};

impl Driver {
    fn ear(&self, window: &Window) -> Ear {
        let here = (self.attempts[window.attempt].1, window.app);
        let later = self.opened.iter().skip(window.number);
        let started = self.house.apps[window.app].1;
        if self.silent || !window.has_socket || window.started != started {
            Ear::Deaf
        } else if later.filter(|place| **place == here).count() > 2 {
            // Too many for one account: the oldest is closed.
            Ear::Perhaps
        } else {
            Ear::Sure
        }
    }

    /// The person decides in the window, and it is over.
    pub async fn decide(&mut self, window: Pick, decision: Decision) -> Told {
        let Some(index) = pick(self.windows.len(), window) else {
            return Ok(());
        };
        let window = self.windows.remove(index);
        let ear = self.ear(&window);
        let before = self.house.webhooks().len();
        self.house.nango.decide(&window.page, decision).await;
        let webhook = self.house.webhook_after(before).await;
        let connection = self.connection(text(&webhook["connectionId"]));
        let attempt = window.attempt;
        let down = self.down;
        let event = match decision {
            Decision::Allow | Decision::AllowAndWait => {
                self.fork(|mut w| {
                    let open = w.open(attempt);
                    w.allow(attempt, connection);
                    if ear == Ear::Sure && open && !down {
                        w.notice(connection);
                    }
                    vec![w]
                });
                Event::Success {
                    attempt,
                    connection,
                }
            }
            Decision::Deny | Decision::AllowInVain => {
                let status = match decision {
                    Decision::Deny => Status::Disconnected,
                    _ => Status::Error,
                };
                self.fork(|w| {
                    let mut ended = w.clone();
                    ended.end(attempt, State::Failed, status);
                    match ear {
                        Ear::Sure => vec![ended],
                        Ear::Perhaps => vec![w, ended],
                        Ear::Deaf => vec![w],
                    }
                });
                Event::Failure
            }
        };
        self.events.push((event, webhook));
        Ok(())
    }

    pub async fn webhook(&mut self, event: Pick, times: u8) -> Told {
        let Some(index) = pick(self.events.len(), event) else {
            return Ok(());
        };
        let (event, body) = &self.events[index];
        for _ in 0..times {
            let answer = self.house.apps[self.current].0.webhook(body).await;
            if answer.status != 200 && !self.down {
                return Err(format!("a webhook is answered {}", answer.text));
            }
        }
        let down = self.down;
        match *event {
            Event::Success {
                attempt,
                connection,
            } => self.fork(|mut w| {
                let entry = w.nango.get(&connection);
                let named = entry.is_some_and(|entry| entry.attempt == attempt);
                let bound = w.rows.iter().any(|row| row.bound == Some(connection));
                let over = w.attempts[attempt].state == State::Succeeded && bound;
                if named && !over && !down {
                    w.notice(connection);
                }
                vec![w]
            }),
            // It names no attempt: of an earlier one it would end a later one.
            Event::Failure => {}
            Event::Refresh { connection } => self.fork(|mut w| {
                let broken = w.nango.get(&connection).is_some_and(|entry| entry.broken);
                if broken && !down {
                    for row in w.rows.iter_mut().filter(|r| r.bound == Some(connection)) {
                        row.status = Status::Error;
                    }
                }
                vec![w]
            }),
        }
        Ok(())
    }

    /// A bound connection that is still there.
    pub fn bound(&self, row: Pick) -> Option<usize> {
        let bound: Vec<&String> = self.seen.rows.iter().filter_map(|r| r.1.as_ref()).collect();
        let id = bound.get(pick(bound.len(), row)?)?;
        let connection = self.ids.iter().position(|known| known == *id)?;
        let there = |w: &World| w.nango.contains_key(&connection);
        self.worlds.iter().all(there).then_some(connection)
    }

    pub async fn set_broken(&mut self, row: Pick, broken: bool) -> Told {
        let Some(connection) = self.bound(row) else {
            return Ok(());
        };
        let before = self.house.webhooks().len();
        let about = json!({"connection_id": self.ids[connection]});
        self.house.nango.set_broken(&about, broken).await;
        self.each(|w| {
            let entry = w.nango.get_mut(&connection)?;
            entry.broken = broken;
            Some(())
        });
        if broken {
            let webhook = self.house.webhook_after(before).await;
            self.events.push((Event::Refresh { connection }, webhook));
        }
        Ok(())
    }

    pub async fn vanish(&mut self, row: Pick) -> Told {
        let Some(connection) = self.bound(row).filter(|_| !self.down) else {
            return Ok(());
        };
        let id = &self.ids[connection];
        let all = self.house.nango.connections().await;
        let Some(entry) = all.iter().find(|e| e["connection_id"] == id.as_str()) else {
            return Err(format!("Nango has lost {id}"));
        };
        self.house.nango.delete(entry).await;
        self.each(|w| w.nango.remove(&connection).map(drop));
        Ok(())
    }
}
