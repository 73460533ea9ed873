//! What should come out: the rules of the design's "The heart" as small pure steps on one person's
//! rows, attempts and connections at Nango. Independent of the product: it imports nothing.
//!
//! What the background may do at any moment (read an entry of Nango's list, notice that the time is
//! up) is a step of its own, [`World::background`]; everything else happens when it is asked for.

use std::collections::{BTreeMap, BTreeSet};

/// Worlds that are possible, seen from outside.
pub type Worlds = BTreeSet<World>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Pending,
    Connected,
    Disconnected,
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Open,
    Succeeded,
    Failed,
    Expired,
    Cancelled,
}

/// An account of the person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub connector: usize,
    pub status: Status,
    /// The connection at Nango.
    pub bound: Option<usize>,
    /// The one that vanished there. Back again by this row's own attempt, it is the row's own still.
    pub lost: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt {
    pub row: usize,
    pub reconnect: bool,
    pub state: State,
    pub until: i64,
}

/// A connection that Nango has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its tag.
    pub attempt: usize,
    pub broken: bool,
}

/// Why a click leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    AlreadyConnected,
    NotConnected,
    /// Nango no longer has what was to be renewed.
    Gone,
}

/// What a click is about: a row, or none where a new one is made; and whether it renews.
pub type Target = (Option<usize>, bool);

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct World {
    pub now: i64,
    pub rows: Vec<Row>,
    pub attempts: Vec<Attempt>,
    pub nango: BTreeMap<usize, Entry>,
}

impl World {
    /// Connect: the one row, or, with several accounts, one that is free; else a new one.
    pub fn connect(&self, connector: usize, several: bool) -> Result<Target, Refusal> {
        let mut of = (0..self.rows.len()).filter(|r| self.rows[*r].connector == connector);
        let row = of.find(|r| !several || self.rows[*r].bound.is_none());
        match row {
            Some(row) if self.rows[row].bound.is_some() => Err(Refusal::AlreadyConnected),
            row => Ok((row, false)),
        }
    }

    pub fn reconnect(&self, row: usize) -> Result<Target, Refusal> {
        match self.rows[row].bound {
            None => Err(Refusal::NotConnected),
            Some(connection) if !self.nango.contains_key(&connection) => Err(Refusal::Gone),
            Some(_) => Ok((Some(row), true)),
        }
    }

    /// The click's attempt. It supersedes the row's open one; renewing changes no status.
    pub fn start(&mut self, connector: usize, (row, reconnect): Target, until: i64) {
        let row = row.unwrap_or_else(|| {
            self.rows.push(Row {
                connector,
                status: Status::Pending,
                bound: None,
                lost: None,
            });
            self.rows.len() - 1
        });
        self.close(row, &[State::Open]);
        if !reconnect {
            self.rows[row].status = Status::Pending;
        }
        self.attempts.push(Attempt {
            row,
            reconnect,
            state: State::Open,
            until,
        });
    }

    /// The person allows it at the provider: Nango has a connection with this attempt's tag, the
    /// same as before where it was renewed.
    pub fn allow(&mut self, attempt: usize, connection: usize) {
        let broken = false;
        self.nango.insert(connection, Entry { attempt, broken });
    }

    /// Denied, failed, expired or cancelled. Whoever renews keeps what they had.
    pub fn end(&mut self, attempt: usize, state: State, status: Status) {
        let Attempt { row, reconnect, .. } = self.attempts[attempt];
        if self.attempts[attempt].state != State::Open {
            return;
        }
        self.attempts[attempt].state = state;
        if !reconnect {
            self.rows[row].status = status;
        }
    }

    /// Somebody reads an entry of Nango's list.
    pub fn notice(&mut self, connection: usize) {
        let Some(entry) = self.nango.get(&connection).cloned() else {
            return;
        };
        let holder = self.rows.iter().position(|r| r.bound == Some(connection));
        let Attempt {
            row,
            reconnect,
            state,
            ..
        } = self.attempts[entry.attempt];
        let fits = if reconnect {
            holder == Some(row)
        } else {
            self.rows[row].bound.is_none()
        };
        let won = fits && matches!(state, State::Open | State::Expired);
        let there = &self.rows[row];
        let found_again = there.bound.is_none() && there.lost == Some(connection);
        if won || found_again {
            if won {
                self.attempts[entry.attempt].state = State::Succeeded;
            }
            self.close(row, &[State::Open]);
            self.rows[row].bound = Some(connection);
            self.rows[row].lost = None;
            self.rows[row].status = condition(&entry);
        } else if holder.is_none() {
            // A cancelled connect, a second success, one after a disconnect: an orphan.
            self.nango.remove(&connection);
        } else if fits && reconnect && !entry.broken {
            // A cancelled reconnect that was finished after all: the same connection.
            self.rows[row].status = Status::Connected;
        }
    }

    pub fn disconnect(&mut self, row: usize) {
        if let Some(connection) = self.rows[row].bound {
            self.nango.remove(&connection);
        }
        if self.rows[row].status != Status::Disconnected {
            self.lose(row);
            self.rows[row].lost = None;
        }
    }

    /// The row has nothing any more, and what was under way comes too late.
    pub fn lose(&mut self, row: usize) {
        self.close(row, &[State::Open, State::Expired]);
        self.rows[row].lost = self.rows[row].bound.take();
        self.rows[row].status = Status::Disconnected;
    }

    /// Whatever is bound is as Nango has it. The rest of the list has been noticed before.
    pub fn reconcile(&mut self) {
        for row in 0..self.rows.len() {
            match self.rows[row].bound.map(|c| self.nango.get(&c)) {
                Some(Some(entry)) => self.rows[row].status = condition(entry),
                Some(None) => self.lose(row),
                None => {}
            }
        }
    }

    pub fn overdue(&self, attempt: usize) -> bool {
        self.attempts[attempt].state == State::Open && self.attempts[attempt].until <= self.now
    }

    pub fn open(&self, attempt: usize) -> bool {
        self.attempts[attempt].state == State::Open
    }

    /// Nobody reads anything new in this entry.
    pub fn known(&self, connection: usize) -> bool {
        let mut after = self.clone();
        after.notice(connection);
        after == *self
    }

    /// Nothing that carries this attempt's tag is news.
    pub fn heard(&self, attempt: usize) -> bool {
        let mut entries = self.nango.iter();
        entries.all(|(c, entry)| entry.attempt != attempt || self.known(*c))
    }

    /// Every world that the background can make of this one by a step of its own.
    fn background(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for connection in self.nango.keys() {
            let mut world = self.clone();
            world.notice(*connection);
            all.push(world);
        }
        for attempt in (0..self.attempts.len()).filter(|a| self.overdue(*a)) {
            let mut world = self.clone();
            world.end(attempt, State::Expired, Status::Disconnected);
            all.push(world);
        }
        all
    }

    fn close(&mut self, row: usize, states: &[State]) {
        for attempt in self.attempts.iter_mut().filter(|a| a.row == row) {
            if states.contains(&attempt.state) {
                attempt.state = State::Cancelled;
            }
        }
    }
}

fn condition(entry: &Entry) -> Status {
    if entry.broken {
        Status::Error
    } else {
        Status::Connected
    }
}

/// These worlds, and all that the background can make of them.
pub fn with_background(worlds: Worlds) -> Worlds {
    let mut all = Worlds::new();
    let mut new: Vec<World> = worlds.into_iter().collect();
    while let Some(world) = new.pop() {
        if !all.contains(&world) {
            new.extend(world.background());
            all.insert(world);
        }
    }
    all
}
