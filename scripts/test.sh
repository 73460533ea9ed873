#!/usr/bin/env bash
# Everything CI checks, in the order in which it fails fastest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PWD/end2end/node_modules/.bin:$HOME/.cargo/bin:$PATH"

step() { printf '\n== %s (%s s)\n' "$*" "$SECONDS"; }
check() { CARGO_TARGET_DIR=target/check "$@"; }

step "tools"
scripts/tools.sh test

step "format"
cargo fmt --check
cargo fmt --check --manifest-path bench/Cargo.toml

# Not its advisories: their database is on the network, and a CI need not reach that. `make advisories`.
step "dependencies: licences, bans, sources"
cargo deny --locked check licenses bans sources

step "clippy: server"
check cargo clippy --locked --features ssr --all-targets -- -D warnings

step "clippy: benchmark"
CARGO_TARGET_DIR=target/bench cargo clippy --locked --manifest-path bench/Cargo.toml -- -D warnings

step "clippy: browser"
check cargo clippy --locked --features hydrate --lib --target wasm32-unknown-unknown -- -D warnings

step "PostgreSQL"
TEST_POSTGRES_URL=${TEST_POSTGRES_URL:-$(scripts/postgres.sh start)}
export TEST_POSTGRES_URL
memory=
trap 'scripts/postgres.sh stop >/dev/null 2>&1 || true; [ -z "$memory" ] || rm -rf "$memory"' EXIT

step "unit, API and conformance tests: build"
check cargo test --locked --features ssr --no-run

# Databases of tests live in memory where there is room: none of them has to outlive its test, and a
# commit need not wait for a disk that is busy with what the build made.
if [ "$(df --output=avail -BM /dev/shm 2>/dev/null | tail -1 | tr -dc 0-9)" -ge 2048 ] 2>/dev/null; then
  memory=$(mktemp -d /dev/shm/patchbay-tests.XXXXXX)
fi
in_memory() { TMPDIR=${memory:-${TMPDIR:-/tmp}} "$@"; }

step "unit, API and conformance tests"
# A failure's own words are enough, and many backtraces hide them.
RUST_BACKTRACE=0 in_memory check cargo test --locked --features ssr --no-fail-fast

step "release build"
make build

step "budget"
make budget

step "kill -9 of the release build, a hundred times"
in_memory make kill

step "the API and its OpenAPI document"
in_memory scripts/schemathesis.sh

step "browser tests"
(cd end2end && in_memory npx playwright test)

step "all green"
