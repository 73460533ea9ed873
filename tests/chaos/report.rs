//! What happened, in figures.
//!
//! May import `compare`, `conductor`, `lease`, `ledger` and `plan` beside it.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    compare::Differences,
    conductor::{Happened, outages},
    lease::{self, Sample},
    ledger::{Done, Kept, Wait},
};

/// Of each kind of difference so many are shown.
const SHOWN: usize = 5;

/// How long after its mending somebody was answered who had pressed a button before it.
fn recovery(waits: &[Wait], happened: &Happened) -> Duration {
    let over = |wait: &&Wait| wait.pressed < happened.mended && wait.answered > happened.mended;
    let all = waits.iter().filter(over);
    let all = all.map(|wait| wait.answered - happened.mended);
    all.max().unwrap_or_default()
}

pub fn print(happened: &[Happened], kept: &Kept, samples: &[Sample], found: &Differences) {
    let count = |wanted: fn(&Done) -> bool| kept.done.iter().filter(|done| wanted(done)).count();
    println!(
        "  acknowledged {}: connected {}, disconnected {}, renamed {}; rows {}, at Nango {}",
        kept.done.len(),
        count(|done| matches!(done, Done::Connected { .. })),
        count(|done| matches!(done, Done::Disconnected { .. })),
        count(|done| matches!(done, Done::Renamed { .. })),
        found.rows,
        found.listed,
    );
    println!(
        "  answers {:?}, unanswered {}; streams {}, events {}",
        kept.answers, kept.unanswered, kept.streams, kept.events
    );
    let mut kinds: BTreeMap<&str, (usize, Duration)> = BTreeMap::new();
    for one in happened {
        let (count, longest) = kinds.entry(one.fault.word()).or_default();
        *count += 1;
        *longest = recovery(&kept.waits, one).max(*longest);
    }
    println!("  fault                    times   longest wait after it was mended, s");
    for (word, (count, longest)) in kinds {
        println!("  {word:<25}{count:>5}{:>10.1}", longest.as_secs_f64());
    }
    let waits = kept.waits.iter().map(|wait| wait.answered - wait.pressed);
    println!(
        "  longest wait for an answer {:.1} s, faults and all",
        waits.max().unwrap_or_default().as_secs_f64()
    );
    let takeovers = happened.iter().filter_map(|one| {
        let holder = one.holder.as_deref()?;
        lease::taken_over(samples, holder, one.began)
    });
    let takeovers: Vec<Duration> = takeovers.collect();
    println!(
        "  the lease: vacant for {:.1} s at the longest; {} holders befallen, another held it after {:.1} s at the latest",
        lease::longest_vacancy(samples, &outages(happened)).as_secs_f64(),
        takeovers.len(),
        takeovers
            .iter()
            .max()
            .copied()
            .unwrap_or_default()
            .as_secs_f64(),
    );
    println!("  {} differences", found.count());
    for (about, all) in &found.all {
        println!("  {about}: {}", all.len());
        for what in all.iter().take(SHOWN) {
            println!("    {what}");
        }
    }
}
