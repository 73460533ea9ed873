//! What comes from outside, thrown at whatever reads it first: nothing panics, and what is accepted
//! is sound.
//!
//! `make test` tries a few cases of each target, the same each time; `make fuzz` tries ten million
//! in all. `FUZZ_CASES=50000000` tries more, `PROPTEST_RNG_SEED=1` others.

#![expect(
    clippy::expect_used,
    reason = "a test fails with the reason; clippy sees tests only in functions marked so"
)]

mod mangled;

mod files;
mod jwt;
mod key_set;
mod origin;
mod tokens;
mod web;
mod webhooks;

use std::time::Instant;

use proptest::{
    strategy::Strategy,
    test_runner::{Config, RngAlgorithm, RngSeed, TestCaseError, TestRunner},
};

/// In all targets together, where nobody asks for more.
const CASES: u64 = 20_000;
const SEED: u64 = 20_261_126;

type Verdict = Result<(), TestCaseError>;

/// Tries a target. Of each thousand cases in all, `share` are its own: what is slow gets fewer.
fn fuzz<S: Strategy>(name: &str, share: u64, cases: S, check: impl Fn(S::Value) -> Verdict) {
    let all = std::env::var("FUZZ_CASES").map_or(CASES, |text| text.parse().expect("a number"));
    let mut config = Config {
        cases: u32::try_from((all * share).div_ceil(1000)).expect("fewer cases"),
        failure_persistence: None,
        // Nobody has to be unable to guess what comes next, and it is quicker.
        rng_algorithm: RngAlgorithm::XorShift,
        ..Config::default()
    };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(SEED);
    }
    let number = config.cases;
    let start = Instant::now();
    let outcome = TestRunner::new(config).run(&cases, check);
    let took = start.elapsed().as_secs_f64();
    let rate = f64::from(number) / took.max(0.001);
    eprintln!("{name:<24} {number:>9} cases in {took:>6.1} s, {rate:>8.0} a second");
    if let Err(error) = outcome {
        panic!("{name}: {error}");
    }
}

/// The shares of all targets: together a thousand, so that `FUZZ_CASES` is what is tried.
mod share {
    pub const WEBHOOK: u64 = 190;
    pub const SIGNATURE: u64 = 60;
    pub const CALLBACK: u64 = 130;
    pub const LOCAL_PATH: u64 = 110;
    pub const HOST: u64 = 70;
    pub const ORIGIN: u64 = 80;
    pub const COOKIE: u64 = 90;
    pub const ASSET: u64 = 45;
    pub const AUTHORIZATION: u64 = 110;
    pub const JWT: u64 = 40;
    pub const TOKEN_SECRET: u64 = 40;
    pub const TOKEN_KEY_SET: u64 = 1;
    pub const CONFIG_TEXT: u64 = 10;
    pub const CONFIG_ENVIRONMENT: u64 = 14;
    pub const MANIFEST_TEXT: u64 = 8;
    pub const MANIFEST_VALUE: u64 = 2;

    #[test]
    fn they_are_a_thousand() {
        let web = CALLBACK + LOCAL_PATH + HOST + ORIGIN + COOKIE + ASSET;
        let tokens = AUTHORIZATION + JWT + TOKEN_SECRET + TOKEN_KEY_SET;
        let files = CONFIG_TEXT + CONFIG_ENVIRONMENT + MANIFEST_TEXT + MANIFEST_VALUE;
        assert_eq!(WEBHOOK + SIGNATURE + web + tokens + files, 1000);
    }
}
