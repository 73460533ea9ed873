//! Watching attempts: a socket each while it lasts, one shared poll for all of them.
//!
//! Nothing here is the truth: what is in memory only says when to look next. After a restart the
//! database says what to watch.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    task::AbortHandle,
    time::{Instant, sleep, sleep_until},
};
use uuid::Uuid;

use super::{
    ServiceError,
    core::Core,
    hear,
    look::{self, confirmed},
    settle::{self, Outcome},
    sweep,
};
use crate::{
    domain::attempt::{AttemptKind, AttemptState},
    server::{db::attempt, metrics::outcomes::Way, nango::socket::Socket},
};

/// Pauses between two looks at an open attempt, in seconds: quick while the person is likely to be
/// in the popup, then slower. The last one repeats.
const PAUSES: [u64; 9] = [2, 2, 3, 3, 5, 5, 8, 12, 20];
/// Between two looks at an attempt that is over, for late successes.
const LATE: Duration = Duration::from_secs(60);
/// Who is due so soon after somebody else shares that look: attempts begin at any moment, and each
/// on its own would cost a call of its own.
const SHARES: Duration = Duration::from_secs(1);
const LATE_SHARES: Duration = Duration::from_secs(20);
/// How often it is looked whether a late one is due.
const LATE_TICK: Duration = Duration::from_secs(5);
/// Reconnects asked for in one go, each with a query of its own.
const QUERIES: usize = 10;
/// "I've finished" asks Nango so often in such a time, and no more.
const ASKED: Duration = Duration::from_secs(10);
const ASKED_AT_MOST: usize = 10;
/// How long an instance without the lease looks for what began with it.
const OWN: Duration = Duration::from_secs(60);
/// After Nango failed, nobody is looked for so long, at the least.
const AFTER_FAILURE: Duration = Duration::from_secs(10);
/// How often the database is asked what else there is to do.
const SWEEP: Duration = Duration::from_secs(15);
const SWEEP_WITHOUT: Duration = Duration::from_secs(5);
/// Sockets kept for one connection: each window has its own, and that of an attempt which was
/// cancelled or superseded still hears a late success, so that the orphan goes at once.
const SOCKETS: usize = 3;
/// And kept for all together: each is an open file for half an hour.
const SOCKETS_OF_ALL: usize = 1000;
/// A socket may speak a moment before the list shows the connection.
const CONFIRM_PAUSES_MS: [u64; 3] = [0, 300, 1000];

#[derive(Debug)]
struct Item {
    attempt: attempt::Row,
    due: Instant,
    step: usize,
    sockets: Vec<AbortHandle>,
    /// Settled here, though what the last sweep read may say otherwise.
    over: bool,
    /// How it ended by the popup's word, until Nango's list was read: a success there wins.
    hinted: Option<Outcome>,
    /// When its person had Nango asked, of late.
    asked: Vec<Instant>,
    /// What came after a sweep has begun is not in what that sweep read.
    added: Instant,
}

impl Item {
    fn new(attempt: attempt::Row, due: Instant) -> Self {
        Self {
            attempt,
            due,
            step: 0,
            sockets: Vec::new(),
            over: false,
            hinted: None,
            asked: Vec::new(),
            added: Instant::now(),
        }
    }

    fn is_over(&self) -> bool {
        self.over || self.attempt.state != AttemptState::Open
    }

    /// How much too early it may be looked at together with others. A reconnect has nothing to
    /// share: it is a query of its own.
    fn shares(&self) -> Duration {
        match (self.attempt.kind, self.is_over()) {
            (AttemptKind::Reconnect, _) => Duration::ZERO,
            (AttemptKind::Connect, false) => SHARES,
            (AttemptKind::Connect, true) => LATE_SHARES,
        }
    }
}

/// When to look at what, and a bell for the loop that sleeps over it.
#[derive(Debug, Default)]
pub struct Watch {
    items: Mutex<HashMap<Uuid, Item>>,
    bell: Notify,
    owed: Notify,
}

impl Watch {
    fn items(&self) -> MutexGuard<'_, HashMap<Uuid, Item>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows an open attempt, by its socket where there is one.
    pub fn follow(&self, core: &Arc<Core>, attempt: attempt::Row, socket: Option<Socket>) {
        let id = attempt.id;
        let handle = socket.map(|socket| {
            tokio::spawn(hear::listen(core.clone(), attempt.clone(), socket)).abort_handle()
        });
        let mut items = self.items();
        let open: usize = items.values().map(|item| item.sockets.len()).sum();
        // Without one it is left to the poll.
        let handle = handle.filter(|handle| {
            let room = open < SOCKETS_OF_ALL;
            if !room {
                handle.abort();
            }
            room
        });
        let due = Instant::now() + Duration::from_secs(PAUSES[0]);
        let item = items.entry(id).or_insert_with(|| Item::new(attempt, due));
        item.sockets.extend(handle);
        let connection = item.attempt.connection_id;
        spare(&mut items, connection);
        drop(items);
        self.bell.notify_one();
    }

    /// The attempt has ended: its sockets close; a late success is still looked for.
    pub fn settled(&self, id: Uuid) {
        if let Some(item) = self.items().get_mut(&id) {
            item.over = true;
            item.due = Instant::now() + LATE;
            for socket in item.sockets.drain(..) {
                socket.abort();
            }
        }
    }

    /// A deletion is owed to Nango: do it now rather than at the next sweep.
    pub fn deletion_owed(&self) {
        self.owed.notify_one();
    }

    /// Sleeps until a deletion is owed, or so long; tells whether one is.
    pub async fn until_deletion_owed(&self, longest: Duration) -> bool {
        tokio::time::timeout(longest, self.owed.notified())
            .await
            .is_ok()
    }

    /// Binds the connection that Nango named, if its own list agrees. `waiting`: Nango said that
    /// the installation waits for an approval.
    pub async fn confirm(
        &self,
        core: &Core,
        attempt: &attempt::Row,
        nango_connection_id: &str,
        waiting: bool,
        way: Way,
    ) -> Result<bool, ServiceError> {
        for pause in CONFIRM_PAUSES_MS {
            sleep(Duration::from_millis(pause)).await;
            let nango = core.nango()?;
            if let Some(entry) = nango.listed_connection(nango_connection_id).await? {
                let confirmed = confirmed(core, nango, attempt, &entry, waiting).await?;
                let Some(confirmed) = confirmed else {
                    tracing::warn!(attempt = %attempt.id, "a connection of somebody else was named");
                    return Ok(false);
                };
                let outcome = Outcome::Connected(confirmed);
                return settle::settle(core, attempt.id, outcome, way).await;
            }
        }
        self.hurry(attempt.id);
        Ok(false)
    }

    /// Whether its person may have Nango asked for it again: whoever asks without end gets the
    /// answer there is.
    pub fn may_look(&self, id: Uuid) -> bool {
        let now = Instant::now();
        let mut items = self.items();
        let Some(item) = items.get_mut(&id) else {
            return true;
        };
        item.asked.retain(|asked| now - *asked < ASKED);
        let may = item.asked.len() < ASKED_AT_MOST;
        if may {
            item.asked.push(now);
        }
        may
    }

    /// The popup says that it failed, and Nango's list cannot be read just now.
    pub fn remember(&self, id: Uuid, outcome: Outcome) {
        if let Some(item) = self.items().get_mut(&id) {
            item.hinted = Some(outcome);
        }
        self.hurry(id);
    }

    fn hinted(&self, id: Uuid) -> Option<Outcome> {
        self.items().get_mut(&id)?.hinted.take()
    }

    /// Looks for this attempt as soon as possible.
    pub fn hurry(&self, id: Uuid) {
        if let Some(item) = self.items().get_mut(&id) {
            item.due = Instant::now();
        }
        self.bell.notify_one();
    }

    /// What the database says is to be watched replaces what memory thinks. Whoever holds the
    /// lease adopts the attempts of all instances; the others keep to their own.
    fn refresh(&self, watched: Vec<attempt::Row>, began: Instant, adopt: bool) {
        let ids: HashSet<Uuid> = watched.iter().map(|attempt| attempt.id).collect();
        let mut items = self.items();
        items.retain(|id, item| {
            let keep = ids.contains(id) || item.added >= began;
            if !keep {
                for socket in item.sockets.drain(..) {
                    socket.abort();
                }
            }
            keep
        });
        let now = Instant::now();
        for attempt in watched {
            if adopt {
                match items.entry(attempt.id) {
                    Entry::Occupied(mut item) => item.get_mut().attempt = attempt,
                    Entry::Vacant(place) => drop(place.insert(Item::new(attempt, now))),
                }
            } else if let Some(item) = items.get_mut(&attempt.id) {
                item.attempt = attempt;
            }
        }
    }

    /// Those whose time has come, and those who share their look, with their next time set. Without
    /// the lease only those that began here a moment ago: the others are the holder's.
    fn take_due(&self, now: Instant, held: bool, over: bool) -> Vec<attempt::Row> {
        let mut due = Vec::new();
        let mut all = self.items();
        let mut items: Vec<&mut Item> = all
            .values_mut()
            .filter(|item| item.is_over() == over)
            .collect();
        items.sort_by_key(|item| item.due);
        let shared = items
            .iter()
            .any(|item| item.due <= now && item.attempt.kind == AttemptKind::Connect);
        let mut queries = 0;
        for item in items {
            let early = if shared {
                item.shares()
            } else {
                Duration::ZERO
            };
            if item.due > now + early {
                continue;
            }
            if item.attempt.kind == AttemptKind::Reconnect {
                queries += 1;
                if queries > QUERIES {
                    continue;
                }
            }
            let pause = if over {
                LATE
            } else {
                item.step += 1;
                let last = PAUSES[PAUSES.len() - 1];
                Duration::from_secs(PAUSES.get(item.step).copied().unwrap_or(last))
            };
            item.due = now + pause;
            if held || now.duration_since(item.added) < OWN {
                due.push(item.attempt.clone());
            }
        }
        due
    }

    fn postpone(&self, until: Instant, over: bool) {
        for item in self.items().values_mut() {
            if item.is_over() == over {
                item.due = item.due.max(until);
            }
        }
    }

    /// Of the open ones: the others have a loop that is in no hurry.
    fn next_due(&self) -> Option<Instant> {
        let items = self.items();
        let open = items.values().filter(|item| !item.is_over());
        open.map(|item| item.due).min()
    }
}

/// Closes the oldest sockets of a connection: whoever opens window after window is heard by the
/// newest of them, and by the poll.
fn spare(items: &mut HashMap<Uuid, Item>, connection_id: Uuid) {
    let mut of: Vec<&mut Item> = items
        .values_mut()
        .filter(|item| item.attempt.connection_id == connection_id)
        .collect();
    of.sort_by_key(|item| item.added);
    let mut surplus = of
        .iter()
        .map(|item| item.sockets.len())
        .sum::<usize>()
        .saturating_sub(SOCKETS);
    for item in of {
        while surplus > 0 && !item.sockets.is_empty() {
            item.sockets.remove(0).abort();
            surplus -= 1;
        }
    }
}

/// Looks for those that are due; where Nango fails, for none of their sort for a while.
async fn look_for(core: &Core, held: bool, over: bool) {
    let due = core.watch.take_due(Instant::now(), held, over);
    if due.is_empty() || core.nango().is_err() {
        return;
    }
    let Err(error) = look::look(core, &due).await else {
        for attempt in due {
            let Some(outcome) = core.watch.hinted(attempt.id) else {
                continue;
            };
            // A success that was found has settled it: then this changes nothing.
            if let Err(error) = settle::settle(core, attempt.id, outcome, Way::Hint).await {
                tracing::warn!(%error, attempt = %attempt.id, "a popup's word is lost");
            }
        }
        return;
    };
    tracing::warn!(%error, "looking for outcomes failed");
    let mut pause = AFTER_FAILURE;
    if let ServiceError::Nango(error) = &error {
        core.integrations.learn(error);
        // As Nango asks for, and no longer than an attempt's person would stay.
        let asked = error.retry_after_seconds().unwrap_or(0).min(120);
        pause = pause.max(Duration::from_secs(asked));
    }
    core.watch.postpone(Instant::now() + pause, over);
}

/// Looks for late successes: apart from [`run`], since its calls yield to people's and may wait.
pub async fn run_late(core: Arc<Core>) {
    loop {
        sleep(LATE_TICK).await;
        let held = core.lease.held();
        look_for(&core, held, true).await;
    }
}

/// The loop: sleeps until something is due, looks, sweeps.
pub async fn run(core: Arc<Core>) {
    let mut next_sweep = Instant::now();
    loop {
        let now = Instant::now();
        let held = core.lease.held();
        if now >= next_sweep {
            // Whoever takes the lease over should not wait for long with what is overdue.
            next_sweep = now + if held { SWEEP } else { SWEEP_WITHOUT };
            match sweep::sweep(&core, held).await {
                Ok(watched) => core.watch.refresh(watched, now, held),
                Err(error) => tracing::warn!(%error, "the sweep failed"),
            }
        }
        look_for(&core, held, false).await;
        let until = core
            .watch
            .next_due()
            .map_or(next_sweep, |due| due.min(next_sweep));
        tokio::select! {
            () = sleep_until(until) => {}
            () = core.watch.bell.notified() => {}
        }
    }
}
