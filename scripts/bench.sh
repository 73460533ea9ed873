#!/usr/bin/env bash
# How fast the release build answers, beside a bare axum route that returns the same bytes in the same
# run, and what it costs at rest: a table.
#
#   scripts/bench.sh [BINARY]      default: target/release/patchbay
#
# BENCH_SECONDS (10) each line, BENCH_ROWS (10000,1000000) connections in PostgreSQL, BENCH_STREAMS
# (10000) open event streams. PostgreSQL is a throw-away one, or the one that TEST_POSTGRES_URL names;
# the database that is made there is dropped again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$HOME/.cargo/bin:$PATH:$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1)"

binary=${1:-target/release/patchbay}
CARGO_TARGET_DIR=target/bench cargo build --quiet --locked --release --manifest-path bench/Cargo.toml
if [ -z "${TEST_POSTGRES_URL:-}" ]; then
  TEST_POSTGRES_URL=$(scripts/postgres.sh start)
  trap 'scripts/postgres.sh stop >/dev/null 2>&1 || true' EXIT
fi
# Each stream is an open file here and there.
ulimit -n "$(ulimit -Hn)"
target/bench/release/patchbay-bench "$binary" "$TEST_POSTGRES_URL"
