# shellcheck shell=bash disable=SC2154
# What scripts/proxies.sh and scripts/pooler.sh have in common; sourced, not run. The caller has set
# $name (who speaks) and $binary.
#
# Everything is started on free loopback ports and in a folder that goes away again; whatever runs by
# then is stopped, by its own process id.

say() { echo "$name: $*"; }
die() { echo "$name: $*" >&2; exit 1; }

folder=
started=()

stand() {
  [ -x "$binary" ] || die "$binary is missing: make build"
  folder=$(mktemp -d)
  trap tidy EXIT
  trap 'exit 1' INT TERM
}

# The caller may have more to put away.
at_end() { :; }

tidy() {
  local outcome=$? pid
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  at_end
  if [ "$outcome" -ne 0 ] && [ -n "${KEEP:-}" ]; then
    say "what was written stays in $folder"
  else
    rm -rf "$folder"
  fi
  exit "$outcome"
}

# in_background LOG COMMAND...: its process id is then in $pid.
in_background() {
  local log=$folder/$1.log
  shift
  "$@" >>"$log" 2>&1 &
  pid=$!
  started+=("$pid")
}

# stop PID: and wait for its end.
stop() {
  kill "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

# wait_for PID CURL-ARGUMENTS...: until something answers there, whatever it says;
# with -f, until that is no refusal (a server answers 503 from its first moment until it has started).
wait_for() {
  local who=$1
  shift
  for _ in $(seq 150); do
    curl -sS -o /dev/null --max-time 2 "$@" 2>/dev/null && return
    kill -0 "$who" 2>/dev/null || break
    sleep 0.1
  done
  tail -n 20 "$folder"/*.log >&2
  die "nothing answers at ${*: -1}"
}

# ports N: so many that nobody listens at, on a line.
ports() {
  node -e '
    const { createServer } = require("node:net");
    const held = Array.from({ length: +process.argv[1] }, () => createServer().listen(0, "127.0.0.1"));
    Promise.all(held.map((s) => new Promise((ready) => s.once("listening", ready)))).then(() => {
      console.log(held.map((s) => s.address().port).join(" "));
      for (const s of held) s.close();
    });' "$1"
}

# debian COMMAND PACKAGE: installs it where the command is missing, and leaves no service running.
debian() {
  PATH=$PATH:/usr/sbin command -v "$1" >/dev/null && return
  local sudo=
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null && sudo -n true 2>/dev/null && sudo="sudo -n"
    [ -n "$sudo" ] || die "$2 is missing: install that package and try again"
  fi
  command -v apt-get >/dev/null || die "$2 is missing: install that package and try again"
  say "installing $2 with apt-get"
  $sudo apt-get update -q >/dev/null || true
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$2" >/dev/null ||
    die "apt-get could not install $2"
  # Debian starts a service with its package; here only the program is wanted.
  if [ -d /run/systemd/system ]; then $sudo systemctl disable --now "$2" >/dev/null 2>&1 || true; fi
}

checked=0
# ok WHAT: one more thing is as it should be.
ok() {
  checked=$((checked + 1))
  say "ok  $*"
}

# sandbox PORT KEY: a stand-in for Nango with any number of calls.
sandbox() {
  in_background sandbox env -i PATH="$PATH" SANDBOX_SECRET_KEY="$2" "$binary" sandbox \
    --listen "127.0.0.1:$1" --state "$folder/sandbox.json" --unlimited
  wait_for "$pid" "http://127.0.0.1:$1/"
}

# certificate HOST: ca.pem, and cert.pem and key.pem of that host, signed by it.
certificate() {
  local new=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
  (
    cd "$folder"
    openssl req -x509 "${new[@]}" -days 2 -subj "/CN=of this run" -keyout ca-key.pem -out ca.pem
    openssl req "${new[@]}" -subj "/CN=$1" -keyout key.pem -out request.pem
    openssl x509 -req -in request.pem -days 2 -CA ca.pem -CAkey ca-key.pem -CAcreateserial -out cert.pem \
      -extfile <(printf 'subjectAltName=DNS:%s\nbasicConstraints=CA:FALSE\n' "$1")
  ) >/dev/null 2>&1 || die "openssl makes no certificate"
}
