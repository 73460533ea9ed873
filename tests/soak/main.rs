//! The soak: many people at once, a Nango that loses, doubles, delays and refuses, and at the end
//! every row agrees with Nango's own list. Then how long each way back takes alone.
//!
//! `make soak` is the long form; without settings this is the short one. What is asserted are
//! counts, never times.
//!
//! - `SOAK_ATTEMPTS`: how many attempts (150), `SOAK_SAMPLES`: how many of each way back (10),
//!   on each database
//! - `SOAK_SEED`: what people do, and what chance does to them
//! - `SOAK_DATABASE`: `sqlite` (one instance) or `postgres` (two); both where it is not set
//! - `SOAK_LOG`: what the server logs, to stderr, as in `RUST_LOG`

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails with the reason, and this one reports; clippy sees tests only in functions marked so"
)]

#[path = "../support/db.rs"]
mod db;

mod compare;
mod latency;
mod person;
mod place;
mod plan;
mod visit;

use std::{
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use patchbay::server::manifest::Registry;
use serde_json::json;
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};

use compare::Differences;
use db::TestDb;
use person::{Page, Person};
use place::Place;

/// Visits at the same time.
const AT_ONCE: usize = 64;
/// People whose page is open all the while.
const PAGES: usize = 48;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite() {
    if asked("sqlite") {
        let (soaked, measured) = (TestDb::sqlite().await, TestDb::sqlite().await);
        soak("SQLite", &soaked, &measured, 1).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres() {
    if asked("postgres") {
        let (soaked, measured) = (TestDb::postgres().await, TestDb::postgres().await);
        soak("PostgreSQL", &soaked, &measured, 2).await;
        soaked.assert_no_named_statements().await;
    }
}

fn asked(database: &str) -> bool {
    match std::env::var("SOAK_DATABASE") {
        Ok(wanted) if !wanted.is_empty() && wanted != database => {
            println!("{database}: left out, SOAK_DATABASE is {wanted}");
            false
        }
        _ => true,
    }
}

fn number(variable: &str, otherwise: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) if !text.is_empty() => text
            .parse()
            .unwrap_or_else(|e| panic!("{variable}={text}: {e}")),
        _ => otherwise,
    }
}

fn size(variable: &str, otherwise: u64) -> usize {
    usize::try_from(number(variable, otherwise)).expect("a number that fits")
}

/// Connectors that ask for nothing before the popup.
fn slugs() -> Vec<String> {
    let registry = Registry::load(None).expect("the manifests");
    let plain = registry.all().iter().filter(|manifest| {
        let nango = &manifest.nango;
        nango.enabled && nango.auth_mode == "OAUTH2" && manifest.inputs.is_empty()
    });
    let slugs: Vec<String> = plain.map(|manifest| manifest.slug.clone()).collect();
    assert!(slugs.len() >= plan::EACH, "{} connectors", slugs.len());
    slugs
}

async fn soak(name: &str, soaked: &TestDb, measured: &TestDb, instances: usize) {
    if let Ok(filter) = std::env::var("SOAK_LOG") {
        let log = tracing_subscriber::fmt().with_env_filter(filter);
        // The other database's run may have been first.
        drop(log.with_writer(std::io::stderr).try_init());
    }
    let attempts = size("SOAK_ATTEMPTS", 150);
    let samples = size("SOAK_SAMPLES", 10);
    let seed = number("SOAK_SEED", 20_261_122);
    let slugs = slugs();
    let started = Instant::now();
    let found = storm(name, &soaked.url, instances, attempts, seed, &slugs).await;
    assert!(found.none(), "{name}, seed {seed}: {found:#?}");

    let mut table = format!(
        "{name}: consent to \"connected\" on the event stream, {samples} samples each\n  way back      p50 ms    p99 ms\n"
    );
    for way in latency::measure(&measured.url, samples, seed, &slugs).await {
        assert_eq!(way.times.len(), samples, "{:?}", way.way);
        let (p50, p99) = (way.percentile(50), way.percentile(99));
        let name = way.way.name();
        writeln!(table, "  {name:<10}{p50:>10}{p99:>10}").expect("a line");
    }
    let took = started.elapsed().as_secs();
    println!("{table}{name}: all in {took} s");
}

/// Everything that can go wrong on the way, a little of each.
async fn order_faults(place: &Place, seed: u64) {
    // Calls of the server, not the popup's own pages.
    for fault in [
        json!({"status": 503, "probability": 0.03, "seed": seed}),
        json!({"status": 500, "probability": 0.02, "seed": seed + 1}),
        // One second's pause holds everybody up: one in ten asks for it.
        json!({"status": 429, "retry_after": 0, "probability": 0.045, "seed": seed + 2}),
        json!({"status": 429, "retry_after": 1, "probability": 0.005, "seed": seed + 3}),
        // Done, and nobody hears of it.
        json!({"cut_off": true, "probability": 0.01, "seed": seed + 4}),
    ] {
        let mut fault = fault;
        fault["path_prefix"] = json!("/connect");
        place.fault(fault).await;
    }
    place
        .fault(json!({
            "drop_socket_message": 0.15, "drop_socket": 0.05,
            "drop_webhook": 0.15, "double_webhook": 0.15, "delay_webhook": 0.1,
            "delay_webhook_ms": 1500, "reorder_webhook": 0.1, "seed": seed + 5,
        }))
        .await;
}

async fn storm(
    name: &str,
    database: &str,
    instances: usize,
    attempts: usize,
    seed: u64,
    slugs: &[String],
) -> Differences {
    // As short as can be: what nobody finishes expires while the long form runs.
    let settings = [
        ("NANGO_ATTEMPT_MINUTES", "1"),
        ("NANGO_RECONCILE_SECONDS", "60"),
    ];
    let place = Arc::new(Place::start(database, instances, &settings).await);
    let (visits, count) = plan::plan(seed, attempts);
    let again = Arc::new(AtomicU64::new(0));
    let mut people = Vec::new();
    for number in 0..count {
        people.push(Person::sign_in(&place, number, again.clone()).await);
    }
    let pages: Vec<(usize, Page)> = people
        .iter()
        .enumerate()
        .take(PAGES)
        .map(|(number, person)| (number, person.page(number)))
        .collect();

    order_faults(&place, seed).await;
    let started = Instant::now();
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    for visit in visits {
        let permit = places.clone().acquire_owned().await.expect("a place");
        let (place, person) = (place.clone(), people[visit.person].clone());
        let slug = slugs[visit.connector].clone();
        tasks.spawn(async move {
            let _permit = permit;
            visit::act(&place, &person, &slug, visit).await
        });
    }
    let visited = tasks.join_all().await;
    let took = started.elapsed();
    place.clear_faults().await;
    let settling = compare::settle_down(&place, &visited).await;
    // The last changes are on their way to the pages.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let found = compare::compare(&place, &people, &pages, &visited).await;
    let clicks = visited.iter().map(|v| v.attempts.len()).sum::<usize>();
    let counts = place.counts().await;
    report(name, instances, seed, clicks, took, settling);
    println!(
        "  people {count}, pages open throughout {}, visits {}\n  buttons pressed again {}, waited more than a minute {}\n  faults {}\n  calls {}",
        pages.len(),
        visited.len(),
        again.load(Ordering::Relaxed),
        visited.iter().filter(|v| v.in_vain).count(),
        counts["faults"],
        counts["calls"],
    );
    println!(
        "  attempts {:?}\n  rows {}, at Nango {}, lost {}, invented {}, orphans {}, attempts amiss {}, pages amiss {}",
        found.states,
        found.rows,
        found.listed,
        found.lost.len(),
        found.invented.len(),
        found.orphans.len(),
        found.attempts.len(),
        found.pages.len(),
    );
    drop((pages, people));
    if let Ok(place) = Arc::try_unwrap(place) {
        place.stop().await;
    }
    found
}

fn report(
    name: &str,
    instances: usize,
    seed: u64,
    attempts: usize,
    took: Duration,
    settling: Duration,
) {
    let seconds = took.as_secs_f64();
    let rate = f64::from(u32::try_from(attempts).unwrap_or(u32::MAX)) / seconds;
    println!(
        "{name}, {instances} instance(s), seed {seed}: {attempts} attempts in {seconds:.1} s ({rate:.1}/s), {AT_ONCE} at once; settled {:.1} s later",
        settling.as_secs_f64()
    );
}
