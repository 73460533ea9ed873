//! The pure parts: budget, breaker and retries, told the time instead of waiting for it.

use std::time::Duration;

use patchbay::server::nango::{
    Jitter, NangoError,
    breaker::{Breaker, Pass},
    budget::{Budget, Priority, Told, Turn},
    retry::{self, Repeat},
};
use proptest::prelude::*;
use tokio::time::Instant;

const PERSON: Priority = Priority::Person;
const BACKGROUND: Priority = Priority::Background;

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// How many go at this moment.
fn drain(budget: &mut Budget, now: Instant, priority: Priority) -> usize {
    (0..1000)
        .take_while(|_| budget.take(now, priority) == Turn::Go)
        .count()
}

#[test]
fn people_may_use_all_and_the_background_half() {
    let start = Instant::now();
    let mut budget = Budget::new(Some(180));
    assert_eq!(drain(&mut budget, start, BACKGROUND), 91);
    assert!(matches!(budget.take(start, BACKGROUND), Turn::Spent(_)));
    let later = start + seconds(20.0);
    assert_eq!(drain(&mut budget, later, PERSON), 89);
    let Turn::Spent(wait) = budget.take(later, PERSON) else {
        panic!("more than the budget");
    };
    // Until the first of them is a minute old.
    assert!(wait >= seconds(40.0) && wait < seconds(40.1), "{wait:?}");
    let almost = start + seconds(59.99);
    assert!(matches!(budget.take(almost, PERSON), Turn::Spent(_)));
    assert_eq!(drain(&mut budget, later + wait, PERSON), 91);
    let Turn::Spent(wait) = budget.take(start + seconds(61.0), BACKGROUND) else {
        panic!("the background before people");
    };
    assert!(wait > seconds(18.0) && wait < seconds(61.0), "{wait:?}");
    assert_eq!(drain(&mut budget, start + seconds(3600.0), PERSON), 180);
}

/// What was measured once: Nango says with each answer that much is left, and when it counts anew.
#[test]
fn nangos_new_minute_gives_back_no_more_than_its_word_took() {
    for (own, theirs) in [(180, 1000_u32), (200, 200), (180, 200)] {
        let start = Instant::now();
        let mut budget = Budget::new(Some(own));
        let mut sent = Vec::new();
        for tick in 0..1800 {
            let now = start + seconds(f64::from(tick) / 10.0);
            let minute = f64::from((tick + 350) / 600) - 350.0 / 600.0;
            let used = sent
                .iter()
                .filter(|at| **at >= start + seconds((minute * 60.0).max(0.0)));
            let left = theirs.saturating_sub(u32::try_from(used.count()).unwrap());
            let end = start + seconds((minute + 1.0) * 60.0);
            while budget.take(now, PERSON) == Turn::Go {
                sent.push(now);
                budget.learn(
                    now,
                    Told {
                        refused: false,
                        remaining: Some(left.saturating_sub(1)),
                        renewed_in: Some(end - now),
                    },
                );
            }
        }
        for (index, at) in sent.iter().enumerate() {
            let within = sent.iter().skip(index);
            let within = within.take_while(|other| **other < *at + seconds(60.0));
            assert!(
                within.count() <= usize::try_from(own).unwrap(),
                "{own} of {theirs}"
            );
        }
        assert!(
            sent.len() >= 2 * usize::try_from(own).unwrap(),
            "{}",
            sent.len()
        );
    }
}

#[test]
fn no_budget_is_no_limit() {
    let now = Instant::now();
    let mut budget = Budget::new(None);
    assert_eq!(drain(&mut budget, now, BACKGROUND), 1000);
    let told = Told {
        refused: true,
        remaining: None,
        renewed_in: Some(seconds(7.0)),
    };
    budget.learn(now, told);
    assert_eq!(budget.take(now, PERSON), Turn::Closed(seconds(7.0)));
    assert_eq!(drain(&mut budget, now + seconds(7.0), PERSON), 1000);
}

#[test]
fn nangos_word_counts_for_everybody() {
    let now = Instant::now();
    let mut budget = Budget::new(Some(180));
    // Others use the same key.
    let told = Told {
        refused: false,
        remaining: Some(40),
        renewed_in: Some(seconds(20.0)),
    };
    budget.learn(now, told);
    assert!(matches!(budget.take(now, BACKGROUND), Turn::Spent(_)));
    assert_eq!(drain(&mut budget, now, PERSON), 40);
    // The last one allowed: nobody is sent before Nango counts anew.
    let told = Told {
        refused: false,
        remaining: Some(0),
        renewed_in: Some(seconds(20.0)),
    };
    budget.learn(now, told);
    for priority in [PERSON, BACKGROUND] {
        assert_eq!(budget.take(now, priority), Turn::Closed(seconds(20.0)));
        let almost = now + seconds(19.9);
        assert!(matches!(budget.take(almost, priority), Turn::Closed(_)));
    }
    // And then what our own minute has left.
    assert_eq!(drain(&mut budget, now + seconds(20.0), PERSON), 140);
    assert_eq!(drain(&mut budget, now + seconds(60.0), PERSON), 40);
}

#[test]
fn a_shorter_wait_never_shortens_a_longer_one() {
    let now = Instant::now();
    let mut budget = Budget::new(Some(180));
    for wait in [30.0, 5.0] {
        let told = Told {
            refused: true,
            remaining: Some(0),
            renewed_in: Some(seconds(wait)),
        };
        budget.learn(now, told);
    }
    assert_eq!(budget.closed(now), Some(seconds(30.0)));
}

#[test]
fn five_failures_open_it_and_a_probe_decides() {
    let mut now = Instant::now();
    let mut breaker = Breaker::new(now);
    for _ in 0..4 {
        breaker.fail(now, Pass::Ordinary, 0.0);
        assert_eq!(breaker.admit(now), Ok(Pass::Ordinary));
    }
    breaker.fail(now, Pass::Ordinary, 0.0);
    for pause in [5.0, 10.0, 20.0, 40.0, 60.0, 60.0] {
        assert!(breaker.is_open());
        assert_eq!(breaker.paused(now), Some(seconds(pause)));
        assert_eq!(breaker.admit(now), Err(seconds(pause)));
        // A call from before says nothing new.
        breaker.fail(now, Pass::Ordinary, 0.0);
        now += seconds(pause) - Duration::from_millis(1);
        assert!(breaker.admit(now).is_err());
        now += Duration::from_millis(1);
        assert_eq!(breaker.paused(now), None);
        assert_eq!(breaker.admit(now), Ok(Pass::Probe));
        assert!(breaker.admit(now).is_err(), "one probe, not two");
        breaker.fail(now, Pass::Ordinary, 0.0);
        let probing = Some(seconds(1.0));
        assert_eq!(
            breaker.paused(now),
            probing,
            "an old failure ended the probe"
        );
        breaker.fail(now, Pass::Probe, 0.0);
    }
    now += seconds(60.0);
    assert_eq!(breaker.admit(now), Ok(Pass::Probe));
    breaker.succeed(now);
    assert!(!breaker.is_open());
    assert_eq!(breaker.admit(now), Ok(Pass::Ordinary));
}

#[test]
fn failures_far_apart_or_interrupted_do_not_open_it() {
    let mut now = Instant::now();
    let mut breaker = Breaker::new(now);
    for _ in 0..20 {
        breaker.fail(now, Pass::Ordinary, 0.0);
        now += seconds(61.0);
    }
    assert!(!breaker.is_open());
    for _ in 0..20 {
        for _ in 0..4 {
            breaker.fail(now, Pass::Ordinary, 0.0);
        }
        breaker.succeed(now);
    }
    assert!(!breaker.is_open());
}

#[test]
fn a_probe_that_is_given_up_makes_room_for_the_next() {
    let mut now = Instant::now();
    let mut breaker = Breaker::new(now);
    for _ in 0..5 {
        breaker.fail(now, Pass::Ordinary, 1.0);
    }
    // Chance takes a fifth at most.
    assert_eq!(breaker.paused(now), Some(seconds(4.0)));
    now += seconds(4.0);
    assert_eq!(breaker.admit(now), Ok(Pass::Probe));
    breaker.abandon(now, Pass::Ordinary);
    assert!(breaker.admit(now).is_err());
    breaker.abandon(now, Pass::Probe);
    assert_eq!(breaker.admit(now), Ok(Pass::Probe));
}

#[test]
fn only_what_is_safe_is_worth_another_try() {
    let failed = |status| NangoError::Failed {
        status,
        code: String::new(),
        message: String::new(),
    };
    let unreachable = NangoError::Unreachable {
        reason: String::new(),
    };
    let limited = NangoError::RateLimited {
        retry_after_seconds: None,
    };
    let refused = NangoError::Refused {
        status: 400,
        code: String::new(),
        message: String::new(),
    };
    let key = NangoError::Unauthorized {
        code: String::new(),
    };
    let paused = NangoError::Paused {
        retry_after_seconds: 1,
    };
    for (error, reads, harmless) in [
        (&unreachable, true, true),
        (&limited, true, true),
        (&failed(502), true, true),
        (&failed(503), true, true),
        (&failed(504), true, true),
        (&failed(500), true, false),
        (&failed(501), false, false),
        (&refused, false, false),
        (&key, false, false),
        (&paused, false, false),
    ] {
        assert_eq!(
            retry::worth_another(Repeat::Reads, error),
            reads,
            "{error:?}"
        );
        assert_eq!(
            retry::worth_another(Repeat::Harmless, error),
            harmless,
            "{error:?}"
        );
        assert!(!retry::worth_another(Repeat::Never, error), "{error:?}");
    }
}

#[test]
fn a_try_leaves_time_for_the_next() {
    let left = seconds(10.0);
    assert_eq!(retry::share(left, 3, Repeat::Reads), seconds(5.0));
    assert_eq!(retry::share(left, 1, Repeat::Reads), left);
    assert_eq!(retry::share(left, 3, Repeat::Never), left);
}

#[test]
fn a_seed_repeats_itself_and_chance_fills_its_range() {
    let row = |seed| {
        let jitter = Jitter::seeded(seed);
        (0..200).map(|_| jitter.draw()).collect::<Vec<_>>()
    };
    assert_eq!(row(1), row(1));
    assert_ne!(row(1), row(2));
    let row = row(3);
    assert!(row.iter().any(|x| *x < 0.1) && row.iter().any(|x| *x > 0.9));
    assert!(row.iter().all(|x| (0.0..1.0).contains(x)));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Full jitter: from nothing to 200, 400, 800 … ms, two seconds at most.
    #[test]
    fn backoff_stays_within_its_bounds(failed in 1..200_u32, chance in 0.0..=1.0_f64) {
        let limit = seconds(0.2 * f64::from(2_u32.saturating_pow(failed - 1))).min(seconds(2.0));
        let pause = retry::backoff(failed, chance);
        prop_assert!(pause <= limit);
        prop_assert_eq!(retry::backoff(failed, 1.0), limit);
        prop_assert_eq!(retry::backoff(failed, 0.0), Duration::ZERO);
    }

    /// In no minute more than the budget, whatever Nango says of its own counting, and never one
    /// while it says no.
    #[test]
    fn the_budget_is_never_exceeded(
        per_minute in 1..300_u32,
        steps in prop::collection::vec((0.0..5.0_f64, any::<bool>(), 0..400_u32, 0..90_u64, 0..6_u8), 1..300),
    ) {
        let start = Instant::now();
        let mut budget = Budget::new(Some(per_minute));
        let (mut now, mut sent, mut closed_until) = (start, Vec::new(), start);
        for (passed, person, remaining, renewed, what) in steps {
            now += seconds(passed);
            let before = sent.len();
            while sent.len() < before + 20 && budget.take(now, PERSON) == Turn::Go {
                prop_assert!(now >= closed_until);
                sent.push(now);
            }
            let turn = budget.take(now, if person { PERSON } else { BACKGROUND });
            if turn == Turn::Go {
                prop_assert!(now >= closed_until);
                sent.push(now);
            }
            if let Turn::Closed(wait) = turn {
                prop_assert!(now + wait == closed_until);
            }
            if what == 0 {
                let told = Told {
                    refused: remaining % 7 == 0,
                    remaining: Some(remaining),
                    renewed_in: Some(Duration::from_secs(renewed)),
                };
                if told.refused || remaining == 0 {
                    closed_until = closed_until.max(now + Duration::from_secs(renewed));
                }
                budget.learn(now, told);
            }
        }
        for (index, at) in sent.iter().enumerate() {
            let after = sent.get(index + usize::try_from(per_minute).unwrap());
            prop_assert!(after.is_none_or(|after| *after >= *at + seconds(60.0)));
        }
    }

    /// Waiting as long as one is told to is always long enough, with nobody else around.
    #[test]
    fn a_wait_is_long_enough(per_minute in 2..300_u32, person in any::<bool>()) {
        let mut now = Instant::now();
        let priority = if person { PERSON } else { BACKGROUND };
        let mut budget = Budget::new(Some(per_minute));
        for _ in 0..500 {
            if let Turn::Spent(wait) = budget.take(now, priority) {
                now += wait;
                prop_assert_eq!(budget.take(now, priority), Turn::Go);
            }
        }
    }
}
