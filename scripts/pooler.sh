#!/usr/bin/env bash
# Two Patchbays over PostgreSQL behind the real PgBouncer in transaction mode, as behind Supabase's
# pooler: migrations, signing in, connecting, and live updates between the two.
#
#   scripts/pooler.sh [BINARY]      default: target/release/patchbay
#
# A database of its own in a throw-away PostgreSQL, or in the one that TEST_POSTGRES_URL names; it is
# dropped again. PgBouncer, curl and OpenSSL are installed with apt-get where they are missing. KEEP=1
# keeps the logs of a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PATH:/usr/sbin"

name=pooler.sh
binary=$(realpath "${1:-target/release/patchbay}")
# shellcheck source=scripts/stand.sh
. scripts/stand.sh

command -v node >/dev/null || die "Node.js is missing: see https://nodejs.org"
debian curl curl
debian openssl openssl
debian pgbouncer pgbouncer
stand
# PgBouncer does not run as root.
chmod 755 "$folder"

ours=
if [ -z "${TEST_POSTGRES_URL:-}" ]; then
  ours=yes
  TEST_POSTGRES_URL=$(scripts/postgres.sh start)
fi
debian psql postgresql-client
read -r user password host pg_port < <(node -e '
  const url = new URL(process.argv[1]);
  console.log(url.username, decodeURIComponent(url.password), url.hostname, url.port || 5432);' "$TEST_POSTGRES_URL")
database=patchbay_pooler_$$
sql() { psql -qtAX -v ON_ERROR_STOP=1 "$@"; }
at_end() {
  sql "$TEST_POSTGRES_URL" -c "DROP DATABASE IF EXISTS $database WITH (FORCE)" 2>/dev/null || true
  [ -z "$ours" ] || scripts/postgres.sh stop >/dev/null 2>&1 || true
}

sql "$TEST_POSTGRES_URL" -c "CREATE DATABASE $database"
read -r pooler_port sandbox_port one two < <(ports 4)
key=2c1f5d0e-6f4e-4a55-9a0c-8d2b7e9f1a34
secret="correct horse battery $RANDOM"

certificate localhost
printf '"%s" "%s"\n' "$user" "$password" >"$folder/users.txt"
# Fewer connections than two servers' pools want (10 each), and no word of prepared statements.
cat >"$folder/pgbouncer.ini" <<CONF
[databases]
transaction = host=$host port=$pg_port dbname=$database pool_mode=transaction
session = host=$host port=$pg_port dbname=$database pool_mode=session
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $pooler_port
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $folder/users.txt
client_tls_sslmode = require
client_tls_key_file = $folder/key.pem
client_tls_cert_file = $folder/cert.pem
default_pool_size = 4
max_client_conn = 200
CONF
chmod 644 "$folder/key.pem"

start_pooler() {
  if [ "$(id -u)" -eq 0 ]; then
    in_background pgbouncer runuser -u postgres -- "$(command -v pgbouncer)" "$folder/pgbouncer.ini"
  else
    in_background pgbouncer pgbouncer "$folder/pgbouncer.ini"
  fi
  pooler=$pid
  for _ in $(seq 50); do
    (exec 3<>"/dev/tcp/127.0.0.1/$pooler_port") 2>/dev/null && return
    sleep 0.1
  done
  cat "$folder/pgbouncer.log" >&2
  die "PgBouncer does not start"
}

# The certificate is checked, as it should be over the internet.
through="postgres://$user:$password@localhost:$pooler_port"
verified="sslmode=verify-full&sslrootcert=$folder/ca.pem"
transaction="$through/transaction?$verified"
session="$through/session?$verified"
direct="postgres://$user:$password@$host:$pg_port/$database"

# as PORT DIRECT: the environment of a server, in $as; DIRECT may be empty.
as() {
  as=(
    env -i PATH="$PATH" DATABASE_URL="$transaction" DATABASE_DIRECT_URL="$2" LISTEN_ADDR="127.0.0.1:$1"
    NANGO_BASE_URL="http://127.0.0.1:$sandbox_port" NANGO_SECRET_KEY="$key" NANGO_CALLS_PER_MINUTE=100000
    LIMITS_REQUESTS_PER_SECOND=0 RUST_LOG=warn "$binary"
  )
}

# pair DIRECT: both at once.
pair() {
  as "$one" "$1"
  in_background one "${as[@]}" serve
  first=$pid
  as "$two" "$1"
  in_background two "${as[@]}" serve
  second=$pid
  wait_for "$first" -f "http://127.0.0.1:$one/health/ready"
  wait_for "$second" -f "http://127.0.0.1:$two/health/ready"
}

unpair() {
  stop "$first"
  stop "$second"
  for port in "$one" "$two"; do
    ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || die "a server does not end"
  done
}

# live WHAT STREAM-PORT CHANGE-PORT CONNECTOR
live() {
  local said
  said=$(STREAM=http://127.0.0.1:$2 CHANGE=http://127.0.0.1:$3 COOKIE=$COOKIE CONNECTOR=$4 \
    SANDBOX=http://127.0.0.1:$sandbox_port KEY=$key node scripts/events.mjs) || return 1
  ok "$1: $said"
}

sign_in() {
  local base=http://127.0.0.1:$1
  curl -sS -o /dev/null -D "$folder/head" -H "Origin: $base" --data-urlencode email=ada@example.com \
    --data-urlencode "password=$secret" "$base/sign-in/password"
  COOKIE=$(tr -d '\r' <"$folder/head" | sed -nE 's/^set-cookie: ([^;]+);.*/\1/Ip')
  [ -n "$COOKIE" ] || { cat "$folder/head" >&2; die "signing in does not work"; }
}

# The doctor's word on LISTEN.
hears() { as "$one" "$1"; { "${as[@]}" doctor --json 2>/dev/null || true; } | node -e '
  const { checks } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
  console.log(checks.find((check) => check.id === "database.listen").status);'; }

say "$("$binary" --version), $(pgbouncer --version | head -n 1)"
start_pooler
sandbox "$sandbox_port" "$key"

pair "$direct"
count=$(sql "$direct" -c 'SELECT count(*) FROM _sqlx_migrations')
[ "$count" -eq "$(find migrations/postgres -name '*.sql' | wc -l)" ] || die "$count migrations were applied"
ok "two servers that start at once migrate an empty database ($count migrations)"
as "$one" "$direct"
"${as[@]}" user create --email ada@example.com --name Ada --password-stdin <<<"$secret" >/dev/null
sign_in "$one"
[ "$(curl -sS -o /dev/null -w '%{http_code}' -b "$COOKIE" "http://127.0.0.1:$two/connectors")" = 200 ] ||
  die "the other server does not know the session"
ok "an account is made, and who signs in at one server is signed in at the other"
[ "$(hears "$direct")" = ok ] || die "the doctor does not hear NOTIFY by DATABASE_DIRECT_URL"
live "direct: from the second to the first" "$one" "$two" gmail || die "no live update"
live "direct: from the first to the second" "$two" "$one" slack || die "no live update"

codes=$(curl -sS --no-progress-meter -Z --parallel-max 40 -w '%{http_code}\n' -b "$COOKIE" \
  -o /dev/null "http://127.0.0.1:$one/connectors?n=[1-200]" \
  -o /dev/null "http://127.0.0.1:$two/api/v1/connectors?n=[1-200]" 2>"$folder/curl.log" |
  sort | uniq -c | sed -E 's/^ +//' | paste -sd' ')
[ "$codes" = "400 200" ] || die "400 requests, 40 at once, over 4 connections to PostgreSQL: $codes"
ok "400 requests, 40 at once, over 4 connections to PostgreSQL"

stop "$pooler"
start_pooler
for _ in $(seq 100); do
  [ "$(curl -sS -o /dev/null -w '%{http_code}' "http://127.0.0.1:$one/health/ready")" = 200 ] && break
  sleep 0.1
done
live "direct, after a restart of PgBouncer" "$one" "$two" gmail || die "no live update"
unpair

pair "$session"
[ "$(hears "$session")" = ok ] || die "the doctor does not hear NOTIFY through a pooler in session mode"
live "a pooler in session mode as DATABASE_DIRECT_URL" "$one" "$two" gmail || die "no live update"
unpair

# Nothing by which an instance could hear: it looks.
pair ""
grep -q 'looked for each second' "$folder/one.log" || die "nothing says that NOTIFY is not heard"
SOON=2500 live "no DATABASE_DIRECT_URL: from the second to the first" "$one" "$two" gmail || die "no live update"
SOON=2500 live "no DATABASE_DIRECT_URL: from the first to the second" "$two" "$one" slack || die "no live update"
codes=$(curl -sS --no-progress-meter -Z --parallel-max 40 -w '%{http_code}\n' -b "$COOKIE" \
  -o /dev/null "http://127.0.0.1:$one/connectors?n=[1-200]" 2>"$folder/curl.log" | sort | uniq -c | sed -E 's/^ +//')
[ "$codes" = "200 200" ] || die "a LISTEN is left behind at the pooler's connections: $codes"
ok "no LISTEN is left behind at the pooler's connections"
unpair

if grep -hE 'panicked|ERROR|prepared statement' "$folder/one.log" "$folder/two.log" "$folder/pgbouncer.log" |
  # While PgBouncer was restarted, it was.
  grep -vF 'the database is away'; then
  die "a log tells of an error"
fi
[ "$(hears "")" = failed ] || die "the doctor does not miss DATABASE_DIRECT_URL"
ok "the doctor says where DATABASE_DIRECT_URL is missing"
say "$checked passed, 0 failed"
