//! The chaos: three servers over one PostgreSQL, 200 people, and whatever can break does, all the
//! time. At the end every change that was acknowledged is there, every page shows what the database
//! says, and Nango has what is bound and nothing else.
//!
//! `make chaos` is the long form; without settings this is the short one.
//!
//! - `CHAOS_SECONDS`: how long it goes on (60), beside the start and the comparison
//! - `CHAOS_USERS`: how many people (200)
//! - `CHAOS_SEED`: what people do, and what breaks when
//! - `KEEP`: the logs stay

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails with the reason, and this one reports; clippy sees tests only in functions marked so"
)]

#[path = "../support/process.rs"]
mod process;
#[path = "../support/product.rs"]
mod product;
#[path = "../support/stand_in.rs"]
mod stand_in;

mod cluster;
mod compare;
mod conductor;
mod house;
mod instance;
mod lease;
mod ledger;
mod page;
mod plan;
mod press;
mod proxy;
mod report;
mod user;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use patchbay::server::manifest::Registry;
use sqlx::{Connection, PgConnection};
use tokio::{sync::watch, task::JoinSet, time::sleep};

use compare::Differences;
use conductor::Conductor;
use house::House;
use lease::Lease;
use ledger::Ledger;
use process::number;
use user::User;

/// How long outcomes that only the background finds, and what is owed to Nango, may take: a deletion
/// that failed is tried again after half a minute.
const QUIET: Duration = Duration::from_secs(60);
/// People come one after the other.
const ARRIVAL: Duration = Duration::from_millis(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_acknowledged_is_lost() {
    let seed = number("CHAOS_SEED", 20_261_127);
    let seconds = number("CHAOS_SECONDS", 60);
    let people = number("CHAOS_USERS", 200);
    let began = Instant::now();
    let house = Arc::new(House::start(seed).await);
    let started = began.elapsed();
    let (ledger, slugs) = (Arc::new(Ledger::default()), slugs());
    let lease = Lease::watch(house.database_url());

    let (end, ending) = watch::channel(false);
    let mut living = JoinSet::new();
    for number in 0..people {
        let user = User::new(&house, &ledger, number, &slugs);
        living.spawn(user.live(ending.clone()));
        sleep(ARRIVAL).await;
    }
    let plan = plan::plan(seed, seconds);
    let conductor = Conductor {
        house: house.clone(),
        lease: lease.clone(),
    };
    let until = Instant::now() + Duration::from_secs(seconds);
    let (instances, database) = tokio::join!(
        tokio::spawn(conductor.clone().row(plan.instances, until)),
        tokio::spawn(conductor.row(plan.database, until)),
    );
    let mut happened = instances.expect("the faults of instances");
    happened.extend(database.expect("the faults of the database"));
    sleep(until.saturating_duration_since(Instant::now())).await;
    end.send_replace(true);

    // Everything is mended: people finish what they have begun.
    let mended = Instant::now();
    let ready = house.all_ready(Duration::from_secs(30)).await;
    let users = living.join_all().await;
    let mut found = settle(&house, &users, &ledger).await;
    found.extend("not ready in the end", ready.err());
    let settled = mended.elapsed();
    compare::afterwards(&house, &lease, &conductor::outages(&happened), &mut found);
    println!(
        "chaos: seed {seed}, {seconds} s, {people} people; started in {:.1} s, quiet {:.1} s after the last fault",
        started.as_secs_f64(),
        settled.as_secs_f64(),
    );
    report::print(&happened, &ledger.read(), &lease.samples(), &found);
    drop(users);
    let count = found.count();
    assert!(
        count == 0,
        "{count} differences: CHAOS_SEED={seed} CHAOS_SECONDS={seconds} CHAOS_USERS={people}"
    );
}

/// Looks until nothing differs, or until nobody would wait any longer.
async fn settle(house: &House, users: &[User], ledger: &Ledger) -> Differences {
    let mended = Instant::now();
    let url = house.database_url();
    let mut database = PgConnection::connect(&url).await.expect("the database");
    loop {
        let found = compare::look(house, &mut database, users, ledger).await;
        let found = found.expect("what the database holds");
        if found.count() == 0 || mended.elapsed() > QUIET {
            return found;
        }
        sleep(Duration::from_secs(1)).await;
    }
}

/// Connectors of one account each that ask for nothing before the popup.
fn slugs() -> Vec<String> {
    let registry = Registry::load(None).expect("the manifests");
    let plain = registry.all().iter().filter(|manifest| {
        let nango = &manifest.nango;
        let asks = !manifest.inputs.is_empty();
        nango.enabled && nango.auth_mode == "OAUTH2" && !asks && !manifest.multiple_accounts
    });
    plain.map(|manifest| manifest.slug.clone()).collect()
}
