//! What is done to the servers and to their database, drawn from a seed: two rows of faults, side by
//! side, each mended before the next of its row.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

pub const INSTANCES: usize = 3;

/// Which instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Number(usize),
    /// The one that has the lease then.
    Holder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9`, and started again after a while.
    Kill(Which),
    /// Two at once.
    KillTwo(usize, usize),
    /// SIGTERM: it has to end by itself.
    Terminate(Which),
    /// SIGSTOP: it answers nobody, and does not know that time goes by.
    Pause(Which),

    /// PostgreSQL crashes and comes back.
    Restart,
    /// PostgreSQL's processes stand still.
    PauseDatabase,
    /// All connections to the database are cut.
    Cut,
    /// Nothing passes between the instances and the database.
    Hang,
    /// Nobody listens at the database's address, and what was open is cut.
    Refuse,
    /// One instance is cut off from the database, the others are not.
    Partition(usize),
    /// One instance's connections lead nowhere, and nobody tells it.
    Lose(usize),
    /// The database is far away.
    Slow,
}

impl Fault {
    pub fn word(self) -> &'static str {
        match self {
            Self::Kill(_) => "kill -9",
            Self::KillTwo(..) => "kill -9 of two",
            Self::Terminate(_) => "SIGTERM",
            Self::Pause(_) => "SIGSTOP",
            Self::Restart => "database restart",
            Self::PauseDatabase => "database SIGSTOP",
            Self::Cut => "database cut",
            Self::Hang => "database hang",
            Self::Refuse => "database refuses",
            Self::Partition(_) => "one cut off",
            Self::Lose(_) => "one loses it silently",
            Self::Slow => "database slow",
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Since the one before was mended.
    pub after: Duration,
    pub fault: Fault,
    pub lasts: Duration,
}

/// Without an end: as many of them happen as there is time for.
#[derive(Debug)]
pub struct Plan {
    pub instances: Vec<Step>,
    pub database: Vec<Step>,
}

fn between(random: &mut StdRng, from_ms: u64, to_ms: u64) -> Duration {
    Duration::from_millis(random.random_range(from_ms..=to_ms))
}

/// More steps than so many seconds have room for.
pub fn plan(seed: u64, seconds: u64) -> Plan {
    let mut random = StdRng::seed_from_u64(seed);
    let rounds = seconds / 30 + 2;
    let mut plan = Plan {
        instances: Vec::new(),
        database: Vec::new(),
    };
    for _ in 0..rounds {
        let [a, b, c, d] = [0; 4].map(|_| random.random_range(0..INSTANCES));
        // Each round has all of them, in another order: a minute is short.
        let mut faults = [
            Fault::Kill(Which::Holder),
            // Longer than the lease: somebody else has it when this one comes back.
            Fault::Pause(Which::Holder),
            Fault::Kill(Which::Number(a)),
            Fault::Terminate(Which::Number(b)),
            Fault::Pause(Which::Number(c)),
            Fault::KillTwo(d, (d + 1) % INSTANCES),
        ];
        faults.shuffle(&mut random);
        for fault in faults {
            let lasts = match fault {
                Fault::Pause(Which::Holder) => between(&mut random, 11_000, 13_000),
                Fault::Pause(_) => between(&mut random, 1_000, 6_000),
                _ => between(&mut random, 0, 3_000),
            };
            let after = between(&mut random, 2_000, 5_000);
            plan.instances.push(Step {
                after,
                fault,
                lasts,
            });
        }
        let [a, b] = [0; 2].map(|_| random.random_range(0..INSTANCES));
        let mut faults = [
            Fault::Restart,
            Fault::PauseDatabase,
            Fault::Cut,
            Fault::Hang,
            Fault::Refuse,
            Fault::Partition(a),
            Fault::Lose(b),
            Fault::Slow,
        ];
        faults.shuffle(&mut random);
        for fault in faults {
            let lasts = match fault {
                Fault::Restart | Fault::Cut | Fault::Lose(_) => Duration::ZERO,
                _ => between(&mut random, 1_500, 6_000),
            };
            let after = between(&mut random, 3_000, 7_000);
            plan.database.push(Step {
                after,
                fault,
                lasts,
            });
        }
    }
    plan
}
