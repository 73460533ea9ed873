#!/usr/bin/env bash
# Asks the server whether it keeps the promises of its OpenAPI document: schemathesis makes up
# requests, good ones and bad ones, and looks at every answer.
#
#   scripts/schemathesis.sh [BINARY]     default: target/release/patchbay
#
# A server of its own with a database and a sandbox of its own, on free loopback ports, for about a
# minute. The same requests each time: SEED=… tries others, EXAMPLES=… more of them. What is on and
# what is off, and why, stands in tests/schemathesis/config.toml.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

VERSION=$(sed -nE 's/^schemathesis==(.*)/\1/p' tests/schemathesis/requirements.txt)
binary=$(realpath "${1:-target/release/patchbay}")
same=(--generation-deterministic)
[ -z "${SEED:-}" ] || same=(--seed "$SEED" --generation-database none)
examples=${EXAMPLES:-30}
# Nothing here takes so long; what does has hung.
deadline=${DEADLINE:-300}

say() { echo "schemathesis.sh: $*"; }
die() { echo "schemathesis.sh: $*" >&2; exit 1; }

[ -x "$binary" ] || die "$binary is missing: make build"
python3 -c 'import ensurepip, venv' 2>/dev/null || die "python3 with venv is missing: scripts/tools.sh test"
venv=target/schemathesis
if [[ "$("$venv/bin/st" --version 2>/dev/null)" != *"$VERSION"* ]]; then
  say "installing schemathesis $VERSION"
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/schemathesis/requirements.txt
fi
st=$(realpath "$venv/bin/st")
tests=$(realpath tests/schemathesis)

folder=$(mktemp -d)
started=()
finish() {
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT
trap 'exit 1' INT TERM

read -r port sandbox_port < <(python3 - <<'PYTHON'
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(s.getsockname()[1] for s in held))
PYTHON
)
base=http://127.0.0.1:$port
key=2c1f5d0e-6f4e-4a55-9a0c-8d2b7e9f1a34
signing_key=7d4b9c62-0e1a-4f38-b5d7-3a6c8e2f9b10

# wait_for ADDRESS PID CURL-ARGUMENTS...: until it answers; with -f, until that is no refusal.
wait_for() {
  for _ in $(seq 150); do
    curl -sS -o /dev/null --max-time 2 "${@:3}" "$1" 2>/dev/null && return
    kill -0 "$2" 2>/dev/null || break
    sleep 0.2
  done
  cat "$folder"/*.log >&2
  die "nothing answers at $1"
}

# The stand-in for Nango in a process of its own: there it can be told not to count the calls of a
# minute. Too many of them are a 503, and that is no failure of the server. Nor is a 429, which
# would be the answer to most of this.
cd "$folder"
env -i PATH="$PATH" SANDBOX_SECRET_KEY="$key" "$binary" sandbox \
  --listen "127.0.0.1:$sandbox_port" --state "$folder/sandbox.json" --unlimited >"$folder/sandbox.log" 2>&1 &
started+=($!)
wait_for "http://127.0.0.1:$sandbox_port/" $!
env -i PATH="$PATH" DATABASE_URL="$folder/patchbay.db" LISTEN_ADDR="127.0.0.1:$port" \
  NANGO_BASE_URL="http://127.0.0.1:$sandbox_port" NANGO_SECRET_KEY="$key" \
  NANGO_WEBHOOK_SIGNING_KEY="$signing_key" NANGO_CALLS_PER_MINUTE=100000 \
  LIMITS_REQUESTS_PER_SECOND=0 LIMITS_CHANGES_PER_SECOND=0 \
  RUST_LOG=warn "$binary" serve >"$folder/server.log" 2>&1 &
started+=($!)
wait_for "$base/health/ready" $! -f

COOKIE=$(curl -sS -o /dev/null -D - -X POST -H "Origin: $base" "$base/sign-in/demo" |
  tr -d '\r' | sed -nE 's/^set-cookie: patchbay=([^;]+).*/\1/Ip')
[ -n "$COOKIE" ] || die "the demo user is not let in"
export COOKIE SIGNING_KEY=$signing_key HOOKS=$tests/hooks.py PYTHONDONTWRITEBYTECODE=1

outcome=0
timeout "$deadline" "$st" --config-file "$tests/config.toml" run "$base/api/v1/openapi.json" \
  --phases examples,coverage,fuzzing,stateful --checks all \
  --max-examples "$examples" "${same[@]}" \
  -H "Origin: $base" -H "Sec-Fetch-Site: same-origin" \
  --workers 2 --request-timeout 20 --continue-on-failure ${ST_ARGS:-} || outcome=$?
if grep -qE 'panicked|ERROR' "$folder/server.log"; then
  grep -E -A3 'panicked|ERROR' "$folder/server.log" | head -40
  die "the server's log tells of an error"
fi
[ "$outcome" -eq 0 ] || die "the server does not do what its document says (exit code $outcome)"
