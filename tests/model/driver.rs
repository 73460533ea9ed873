//! Does to the servers and the sandbox what a step says, and to the model the same, and compares.
//!
//! A step whose end cannot be seen from its answer is waited for; what no step waits for (a poll
//! that comes by) is left to the model's background. So no outcome depends on who was faster.

mod clicks;
mod provider;

use std::time::{Duration, Instant};

use patchbay::server::db::{attempt, connection};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    house::{House, LIFE},
    nango::Decision,
    person::{Person, text},
    rules::{World, Worlds, with_background},
    steps::{Pick, Step},
};

const PATIENCE: Duration = Duration::from_secs(6);
const MINUTE: i64 = 60_000;
/// One account, and several.
const CONNECTORS: [&str; 2] = ["zoom", "gmail"];

pub type Told = Result<(), String>;

struct Window {
    attempt: usize,
    page: String,
    /// What the server's socket needs to hear of it.
    app: usize,
    started: u32,
    has_socket: bool,
    number: usize,
}

/// Whether the server's socket hears how a window ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ear {
    Sure,
    Perhaps,
    Deaf,
}

/// What Nango tells.
enum Event {
    Success {
        attempt: usize,
        connection: usize,
    },
    /// Without a word of whose it is.
    Failure,
    Refresh {
        connection: usize,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    rows: Vec<(String, Option<String>)>,
    attempts: Vec<String>,
}

pub struct Driver {
    pub house: House,
    pub people: [Person; 2],
    pub user: Uuid,
    current: usize,
    silent: bool,
    down: bool,
    pub rows: Vec<Uuid>,
    pub attempts: Vec<(Uuid, usize)>,
    windows: Vec<Window>,
    /// The row and the server of each window ever opened.
    opened: Vec<(usize, usize)>,
    pub ids: Vec<String>,
    events: Vec<(Event, Value)>,
    pub worlds: Worlds,
    pub seen: Seen,
}

impl Driver {
    pub async fn new(mut house: House) -> Self {
        house.people += 1;
        house.forget_webhooks();
        // A demo user's name has letters only.
        let digits = house.people.to_string().into_bytes();
        let name: String = digits.iter().map(|d| char::from(d - b'0' + b'a')).collect();
        let [(first, _), (second, _)] = &house.apps;
        let person = first.sign_in(&name).await;
        let people = [person.clone(), person.at(second)];
        let user = first.user_id(&name).await;
        let now = house.now();
        Self {
            house,
            people,
            user,
            current: 0,
            silent: false,
            down: false,
            rows: Vec::new(),
            attempts: Vec::new(),
            windows: Vec::new(),
            opened: Vec::new(),
            ids: Vec::new(),
            events: Vec::new(),
            worlds: Worlds::from([World {
                now,
                ..World::default()
            }]),
            seen: Seen {
                rows: Vec::new(),
                attempts: Vec::new(),
            },
        }
    }

    /// All steps, and the end that they must come to.
    pub async fn run(mut self, steps: &[Step]) -> Result<House, String> {
        for (index, step) in steps.iter().enumerate() {
            let told = match self.step(step).await {
                Ok(()) => self.observe().await,
                told => told,
            };
            told.map_err(|reason| format!("step {index}, {step:?}: {reason}"))?;
        }
        self.finish()
            .await
            .map_err(|e| format!("at the end: {e}"))?;
        self.house.nango.clear_faults().await;
        Ok(self.house)
    }

    async fn step(&mut self, step: &Step) -> Told {
        match step {
            Step::Connect { several } => self.connect(usize::from(*several)).await,
            Step::Reconnect { row } => match pick(self.rows.len(), *row) {
                Some(row) => self.reconnect(row).await,
                None => Ok(()),
            },
            Step::OpenWindow { attempt } => match pick(self.attempts.len(), *attempt) {
                Some(attempt) => self.open_window(attempt).await,
                None => Ok(()),
            },
            Step::Allow { window } => self.decide(*window, Decision::Allow).await,
            Step::Deny { window } => self.decide(*window, Decision::Deny).await,
            Step::Fail { window } => self.decide(*window, Decision::AllowInVain).await,
            Step::Webhook { event, times } => self.webhook(*event, *times).await,
            Step::Finish { attempt } => self.finished(*attempt, None).await,
            Step::Hint { attempt, denied } => self.finished(*attempt, Some(*denied)).await,
            Step::Cancel { attempt } => self.cancel(*attempt).await,
            Step::Disconnect { row } => match pick(self.rows.len(), *row) {
                Some(row) => self.disconnect(row).await,
                None => Ok(()),
            },
            Step::Expire => {
                self.restart(&[0, 1], LIFE + 1000).await;
                let nobody_is_overdue =
                    |w: &World| (0..w.attempts.len()).all(|attempt| !w.overdue(attempt));
                self.background();
                self.worlds.retain(nobody_is_overdue);
                Ok(())
            }
            Step::Restart { second } => {
                self.restart(&[usize::from(*second)], 0).await;
                Ok(())
            }
            Step::SwitchInstance => {
                self.current = 1 - self.current;
                Ok(())
            }
            Step::Silence => {
                self.silent = true;
                self.house.nango.silence().await;
                Ok(())
            }
            Step::Speech => {
                self.silent = false;
                self.order_faults().await;
                Ok(())
            }
            Step::Break { row } => self.set_broken(*row, true).await,
            Step::Mend { row } => self.set_broken(*row, false).await,
            Step::Vanish { row } => self.vanish(*row).await,
            Step::Reconcile => self.reconcile().await,
            Step::NangoDown => {
                self.down = true;
                self.order_faults().await;
                Ok(())
            }
            Step::NangoUp => {
                self.mend().await;
                Ok(())
            }
        }
    }

    fn person(&self) -> &Person {
        &self.people[self.current]
    }

    /// Twice, for what vanished is believed only then.
    pub async fn reconcile(&mut self) -> Told {
        if self.down {
            return Ok(());
        }
        for _ in 0..2 {
            self.house.apps[self.current].0.reconcile().await;
        }
        self.each(|w| {
            let bound = |c| w.rows.iter().any(|row| row.bound == Some(c));
            w.nango.keys().all(|c| bound(*c)).then(|| w.reconcile())
        });
        Ok(())
    }

    /// Nango answers again. New servers, because the old ones would make a pause first, and a
    /// little later, because so would what they owe.
    pub async fn mend(&mut self) {
        if self.down {
            self.down = false;
            self.order_faults().await;
            self.restart(&[0, 1], 2 * MINUTE).await;
        }
    }

    async fn order_faults(&self) {
        self.house.nango.clear_faults().await;
        if self.silent {
            self.house.nango.silence().await;
        }
        if self.down {
            self.house.nango_down().await;
        }
    }

    async fn restart(&mut self, which: &[usize], pass_ms: i64) {
        self.house.restart(which, pass_ms).await;
        for index in which {
            self.people[*index] = self.people[*index].at(&self.house.apps[*index].0);
        }
        self.pass(pass_ms);
    }

    pub fn pass(&mut self, ms: i64) {
        self.fork(|mut w| {
            w.now += ms;
            vec![w]
        });
    }

    fn connection(&mut self, id: &str) -> usize {
        let known = self.ids.iter().position(|known| known == id);
        known.unwrap_or_else(|| {
            self.ids.push(id.to_owned());
            self.ids.len() - 1
        })
    }

    /// All that the background may have made of the worlds so far.
    fn all(&self) -> Worlds {
        with_background(self.worlds.clone())
    }

    fn background(&mut self) {
        self.worlds = self.all();
    }

    /// The step happens in each world, whatever the background did just before; `None`: it cannot
    /// have happened so in this one.
    fn each(&mut self, step: impl Fn(&mut World) -> Option<()>) {
        self.fork(|mut w| step(&mut w).map(|()| w).into_iter().collect());
    }

    fn fork(&mut self, step: impl Fn(World) -> Vec<World>) {
        self.worlds = self.all().into_iter().flat_map(step).collect();
    }

    /// Keeps the worlds that look like what the database holds, and waits for the first.
    pub async fn observe(&mut self) -> Told {
        if self.worlds.is_empty() {
            return Err("the rules have no such answer".to_owned());
        }
        let start = Instant::now();
        loop {
            self.seen = self.look().await;
            let all: Worlds = self.all();
            let alike: Worlds = all.iter().filter(|w| self.is_like(w)).cloned().collect();
            if !alike.is_empty() {
                self.worlds = alike;
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                let (seen, ids) = (&self.seen, &self.ids);
                return Err(format!(
                    "it is\n  {seen:?}\nwith connections {ids:?}, and may be\n  {all:#?}"
                ));
            }
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }

    fn is_like(&self, world: &World) -> bool {
        let id = |connection: usize| self.ids[connection].clone();
        let rows = world.rows.iter();
        let rows = rows.map(|row| (word(row.status), row.bound.map(id)));
        let attempts = world.attempts.iter().map(|attempt| word(attempt.state));
        rows.eq(self.seen.rows.iter().cloned()) && attempts.eq(self.seen.attempts.iter().cloned())
    }

    async fn look(&self) -> Seen {
        let db = &self.house.apps[self.current].0.db;
        let mut tx = db.read().await.expect("a transaction");
        let found = connection::of_user(&mut tx, self.user).await.expect("rows");
        let mut attempts = Vec::new();
        for (id, _) in &self.attempts {
            let found = attempt::get(&mut tx, *id).await.expect("an answer");
            attempts.push(found.expect("an attempt").state.as_str().to_owned());
        }
        tx.commit().await.expect("an end");
        let row = |id: &Uuid| {
            let found = found.iter().find(|f| f.row.id == *id).expect("a row");
            let status = found.row.status.as_str().to_owned();
            (status, found.row.nango_connection_id.clone())
        };
        assert_eq!(found.len(), self.rows.len(), "no row but those told of");
        Seen {
            rows: self.rows.iter().map(row).collect(),
            attempts,
        }
    }

    pub fn seen_bound(&self) -> Vec<String> {
        let mut ids: Vec<_> = self.seen.rows.iter().filter_map(|r| r.1.clone()).collect();
        ids.sort();
        ids
    }

    pub fn seen_row_of(&self, id: &str) -> Option<usize> {
        let mut rows = self.seen.rows.iter();
        rows.position(|row| row.1.as_deref() == Some(id))
    }

    pub fn seen_statuses(&self) -> Vec<String> {
        self.seen.rows.iter().map(|r| r.0.clone()).collect()
    }
}

fn pick(len: usize, from_the_newest: Pick) -> Option<usize> {
    (len > 0).then(|| len - 1 - usize::from(from_the_newest) % len)
}

fn uuid(value: &Value) -> Uuid {
    Uuid::parse_str(text(value)).expect("an id")
}

/// `Connected` is `connected` in the database.
fn word(name: impl std::fmt::Debug) -> String {
    format!("{name:?}").to_lowercase()
}
