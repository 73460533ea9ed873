#!/usr/bin/env bash
# A throw-away PostgreSQL for the tests, under target/postgres.
#
#   scripts/postgres.sh start     starts it, if it does not run yet, and prints its URL
#   scripts/postgres.sh stop      stops it and removes its data
#   scripts/postgres.sh binaries  only sees to it that the programs are there
#
# Nothing it holds is worth keeping: fsync is off. It listens on loopback, on a free port, with a
# password of its own. Where the binaries are missing they are installed with apt-get, if this
# user may.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { echo "postgres.sh: $*" >&2; }
die() { say "$*"; exit 1; }

# initdb refuses root: as root everything runs as Debian's user postgres.
as_owner() {
  if [ "$(id -u)" -eq 0 ]; then (cd / && runuser -u postgres -- "$@"); else "$@"; fi
}

find_binaries() {
  local candidate
  for candidate in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5,5nr) \
    "$(pg_config --bindir 2>/dev/null || true)" "$(dirname "$(command -v initdb || echo /none/x)")"; do
    if [ -x "$candidate/initdb" ] && [ -x "$candidate/postgres" ]; then
      bin=$candidate
      return 0
    fi
  done
  return 1
}

need_binaries() {
  find_binaries && return
  local sudo=
  if [ "$(id -u)" -ne 0 ] && command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo="sudo -n"; fi
  { [ "$(id -u)" -eq 0 ] || [ -n "$sudo" ]; } && command -v apt-get >/dev/null ||
    die "PostgreSQL is not installed. Install it (Debian: sudo apt-get install postgresql) and try again."
  say "installing PostgreSQL with apt-get"
  # No cluster of Debian's own: only the binaries are wanted.
  $sudo mkdir -p /etc/postgresql-common
  [ -e /etc/postgresql-common/createcluster.conf ] ||
    echo 'create_main_cluster = false' | $sudo tee /etc/postgresql-common/createcluster.conf >/dev/null
  { $sudo apt-get update -q && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends postgresql; } >&2 ||
    die "apt-get could not install postgresql."
  find_binaries || die "PostgreSQL was installed, but its initdb is not to be found."
}

# target/postgres, or a folder under /tmp where the owner cannot reach the checkout (a home with
# mode 0700).
place() {
  dir=$root/target/postgres
  mkdir -p "$root/target"
  if [ "$(id -u)" -eq 0 ] && id postgres >/dev/null 2>&1 && ! as_owner test -x "$root/target"; then
    dir=/tmp/patchbay-postgres-$(printf %s "$root" | cksum | cut -d' ' -f1)
  fi
}

running() { [ -f "$dir/url" ] && [ -f "$dir/data/postmaster.pid" ] && as_owner "$bin/pg_ctl" -D "$dir/data" status >/dev/null 2>&1; }

free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

start() {
  need_binaries
  place
  exec 9> "$root/target/postgres.lock"
  flock 9
  if running; then cat "$dir/url"; return; fi
  clear
  mkdir -p "$dir"
  [ "$(id -u)" -ne 0 ] || chown postgres: "$dir"
  local password port
  password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  (umask 077 && printf '%s\n' "$password" > "$dir/password")
  [ "$(id -u)" -ne 0 ] || chown postgres: "$dir/password"
  as_owner "$bin/initdb" -D "$dir/data" -U postgres -A scram-sha-256 --pwfile="$dir/password" \
    -E UTF8 --locale=C --no-sync > "$dir/initdb.log" 2>&1 9>&- || { cat "$dir/initdb.log" >&2; die "initdb failed"; }
  cat >> "$dir/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
fsync = off
full_page_writes = off
synchronous_commit = off
CONF
  # Somebody may take the port between the look and the start.
  for _ in 1 2 3 4 5; do
    port=$(free_port)
    if as_owner "$bin/pg_ctl" -D "$dir/data" -o "-p $port" -l "$dir/data/server.log" -w -t 60 start >/dev/null 2>&1 9>&-; then
      (umask 077 && echo "postgres://postgres:$password@127.0.0.1:$port/postgres" > "$dir/url")
      cat "$dir/url"
      return
    fi
  done
  tail -n 20 "$dir/data/server.log" >&2 || true
  die "PostgreSQL did not start"
}

# A server that runs without its URL file (a start that was cut short) goes too.
clear() {
  if [ -f "$dir/data/postmaster.pid" ]; then
    as_owner "$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null 2>&1 || true
  fi
  rm -rf "$dir"
}

stop() {
  find_binaries || return 0
  place
  clear
}

case "${1-}" in
  start) start ;;
  stop) stop ;;
  binaries) need_binaries ;;
  *) die "use: $0 start|stop|binaries" ;;
esac
