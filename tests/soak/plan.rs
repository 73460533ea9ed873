//! What people do, drawn from a seed: each visit is one person at one connector, and what they do
//! there from the first click to the last.

use rand::{Rng, SeedableRng, rngs::StdRng};

/// Connectors that one person visits at most.
pub const EACH: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Allow,
    Deny,
    Fail,
    Never,
}

impl Decision {
    /// As the sandbox's person in the popup calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Fail => "fail",
            Self::Never => "close",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// Connect, and decide.
    Plain(Decision),
    /// Cancel, and then allow after all in the window that is still open.
    CancelThenAllow,
    /// Cancel and allow at the same moment.
    CancelWhileAllowing,
    /// Allow in two windows of one attempt.
    TwoWindows,
    /// Deny in one window, allow in the other.
    DenyThenAllow,
    /// Start again, then allow in both windows, the old one last.
    Again,
    /// Connect, and reconnect with this decision.
    Reconnect(Decision),
    /// Connect, disconnect.
    Disconnect,
    /// Disconnect what is not connected yet, then allow.
    DisconnectWhileOpen,
    /// Connect, begin to reconnect, disconnect, then allow in the window that is still open.
    DisconnectWhileReconnecting,
}

impl Script {
    /// How many attempts it makes.
    fn attempts(self) -> usize {
        match self {
            Self::Again | Self::Reconnect(_) | Self::DisconnectWhileReconnecting => 2,
            _ => 1,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Visit {
    pub person: usize,
    pub connector: usize,
    pub script: Script,
    /// The page hears its popup and tells the server at once.
    pub hints: bool,
}

fn decide(random: &mut StdRng) -> Decision {
    match random.random_range(0..100) {
        0..85 => Decision::Allow,
        85..90 => Decision::Deny,
        90..95 => Decision::Fail,
        _ => Decision::Never,
    }
}

/// Visits that make so many attempts, and how many people they are of.
pub fn plan(seed: u64, attempts: usize) -> (Vec<Visit>, usize) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut scripts = Vec::new();
    let mut planned = 0;
    while planned < attempts {
        let script = match random.random_range(0..100) {
            0..66 => Script::Plain(decide(&mut random)),
            66..69 => Script::CancelThenAllow,
            69..73 => Script::CancelWhileAllowing,
            73..77 => Script::TwoWindows,
            77..79 => Script::DenyThenAllow,
            79..82 => Script::Again,
            82..90 => Script::Reconnect(decide(&mut random)),
            90..95 => Script::Disconnect,
            95..98 => Script::DisconnectWhileOpen,
            _ => Script::DisconnectWhileReconnecting,
        };
        planned += script.attempts();
        scripts.push(script);
    }
    let people = scripts.len().div_ceil(EACH);
    let visits = scripts
        .into_iter()
        .enumerate()
        .map(|(number, script)| Visit {
            // All people come at the same time, each with all their visits.
            person: number % people,
            connector: number / people,
            script,
            hints: random.random_bool(0.3),
        });
    (visits.collect(), people)
}
