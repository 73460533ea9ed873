//! Connecting as a whole, against a model of its rules: random steps of people, of Nango and of two
//! servers on one database; socket, webhook, poll and hint get lost, come late, twice and in any
//! order. After each step the rows are what the rules allow, and at the end what they demand.
//!
//! Each run takes the same cases, so that a failure is the change's own and not the day's luck.
//! `PROPTEST_RNG_SEED` takes others (any number), `PROPTEST_CASES=2000` more of them.

#![expect(
    clippy::expect_used,
    reason = "a test fails with the reason; clippy sees tests only in functions marked so"
)]

#[path = "../support"]
mod support {
    pub mod db;
}

#[path = "../support/app.rs"]
#[expect(dead_code, reason = "shared with the tests of the API")]
mod app;
#[path = "../support/nango.rs"]
#[expect(dead_code, reason = "shared with the tests of the API")]
mod nango;
#[path = "../support/person.rs"]
#[expect(dead_code, reason = "shared with the tests of the API")]
mod person;

mod driver;
mod end;
mod house;
mod rules;
mod steps;

use std::cell::RefCell;

use proptest::test_runner::{Config, RngSeed, TestRunner};

use crate::{driver::Driver, house::House, support::db::TestDb};

/// Both databases together take some 40 s.
const CASES: u32 = 16;
const TURNS: std::ops::Range<usize> = 3..14;
const SEED: u64 = 20_261_122;

fn run(database: impl AsyncFn() -> TestDb) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    let is_left = |name| std::env::var_os(name).is_none();
    if is_left("PROPTEST_CASES") {
        config.cases = CASES;
    }
    if is_left("PROPTEST_MAX_SHRINK_ITERS") {
        config.max_shrink_iters = 400;
    }
    if is_left("PROPTEST_MAX_SHRINK_TIME") {
        config.max_shrink_time = 180_000;
    }
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(SEED);
    }
    let seed = config.rng_seed;
    let try_them = async |house, steps: &[steps::Step]| -> Result<House, String> {
        let house: House = match house {
            Some(house) => house,
            None => House::open(database().await).await,
        };
        Driver::new(house).await.run(steps).await
    };
    for steps in steps::once_wrong() {
        match runtime.block_on(try_them(None, &steps.0)) {
            Ok(house) => runtime.block_on(house.close()),
            Err(reason) => panic!("{reason}\nin {steps:?}"),
        }
    }
    // One server for many people; after a failure a new one, for nobody knows what is left in it.
    let kept: RefCell<Option<House>> = RefCell::default();
    let outcome = TestRunner::new(config).run(&steps::strategy(TURNS), |steps| {
        let house = kept.borrow_mut().take();
        let result = runtime.block_on(async {
            let house = match house {
                Some(old) if !old.is_of_use() => {
                    old.close().await;
                    None
                }
                house => house,
            };
            try_them(house, &steps.0).await
        });
        match result {
            Ok(house) => {
                *kept.borrow_mut() = Some(house);
                Ok(())
            }
            Err(reason) => Err(proptest::test_runner::TestCaseError::fail(reason)),
        }
    });
    // Dropped outside, so that the database goes after whoever uses it.
    let house = kept.take();
    if let Some(house) = house {
        runtime.block_on(house.close());
    }
    if let Err(error) = outcome {
        panic!("{error}\n(to run it again: PROPTEST_RNG_SEED with {seed:?})");
    }
}

#[test]
fn sqlite() {
    run(TestDb::sqlite);
}

#[test]
fn postgres() {
    run(TestDb::postgres);
}
