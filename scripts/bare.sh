#!/usr/bin/env bash
# Patchbay on a machine with nothing on it: a folder tree that holds the binary, the C library and nothing
# else, neither /etc nor /tmp nor a home, without a variable in its environment.
#
#   scripts/bare.sh [BINARY]      default: target/release/patchbay
#
# It serves, keeps its data and is backed up there; and where it may not write it says so in a line, and
# ends. A few seconds. Needs root, or a kernel that lets a user make namespaces; says so and ends well where
# neither is to be had.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PATH:/usr/sbin"

name=bare.sh
binary=$(realpath "${1:-target/release/patchbay}")
# shellcheck source=scripts/stand.sh
. scripts/stand.sh

namespace=(unshare --mount)
[ "$(id -u)" -eq 0 ] || namespace=(unshare --user --map-root-user --mount)
if ! "${namespace[@]}" chroot / true 2>/dev/null; then
  say "skipped: nobody may make a namespace or change the root here"
  exit 0
fi
stand
root=$folder/root
mkdir -p "$root/srv"
cp "$binary" "$root/patchbay"
for library in $(ldd "$binary" | grep -o '/[^ ]*'); do
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done
read -r port sandbox_port < <(ports 2)
settings=(LISTEN_ADDR="127.0.0.1:$port" SANDBOX_LISTEN_ADDR="127.0.0.1:$sandbox_port")
base=http://127.0.0.1:$port

# line SETUP VARIABLES... -- ARGUMENTS...: in $line what runs it there after SETUP, as one process.
# shellcheck disable=SC2016
line() {
  local setup=$1 variables=()
  shift
  while [ "$1" != -- ]; do variables+=("$1"); shift; done
  shift
  line=("${namespace[@]}" bash -c 'root=$1 setup=$2 count=$3; shift 3
    mount --bind "$root" "$root"
    eval "$setup"
    exec env -i "${@:1:count}" "$(command -v chroot)" "$root" /patchbay "${@:count+1}"' \
    bare "$root" "$setup" "${#variables[@]}" "${variables[@]}" "$@")
}

alone() {
  line "$@"
  "${line[@]}"
}

# refuses WORDS SETUP VARIABLES... -- ARGUMENTS...: says why in one line, and fails.
refuses() {
  local words=$1 code=0
  shift
  alone "$@" >"$folder/said" 2>&1 || code=$?
  [ "$code" -eq 1 ] && grep -qF "$words" "$folder/said" && ! grep -q panicked "$folder/said" ||
    { cat "$folder/said" >&2; die "it ends with $code, and should say: $words"; }
  ok "$words"
}

say "$("$binary" --version)"
data=(DATABASE_URL=/srv/patchbay.db SANDBOX_STATE_FILE=/srv/sandbox.json)
line : "${settings[@]}" "${data[@]}" -- serve
in_background server "${line[@]}"
server=$pid
wait_for "$server" "$base/health/live"
# It answers while it starts, and says that it does.
for _ in $(seq 50); do
  alone : "${settings[@]}" -- health >"$folder/said" 2>&1 && break
  sleep 0.2
done
[ "$(cat "$folder/said")" = ready ] || die "$(cat "$folder/said")"
ok "it is ready, and its own health check finds it"

curl -sS -c "$folder/cookies" -o /dev/null -X POST -H "Origin: $base" "$base/sign-in/demo"
curl -sS -b "$folder/cookies" -o "$folder/page" "$base/connectors"
grep -q 'Gmail' "$folder/page" || die "there is no catalogue"
assets=$(grep -oE '/(assets|icons)/[A-Za-z0-9_./-]+\.[a-z]+|/favicon\.svg' "$folder/page" | sort -u)
[ "$(wc -l <<<"$assets")" -ge 6 ] || die "the page names too few files: $assets"
while read -r asset; do
  [ "$(curl -sS -o /dev/null -w '%{http_code}' "$base$asset")" = 200 ] || die "$asset is not there"
done <<<"$assets"
ok "a page, and the $(wc -l <<<"$assets") files that it names"

alone : "${settings[@]}" "${data[@]}" -- backup /srv/copy.db 2>"$folder/said" || die "$(cat "$folder/said")"
[ -s "$root/srv/copy.db" ] || die "there is no copy"
ok "$(cat "$folder/said")"
connectors=$(alone : "${settings[@]}" -- config check | sed -n 's/^ *connectors *//p')
[ "$connectors" = "$(find manifests -name '*.json' ! -name schema.json | wc -l)" ] ||
  die "it has $connectors connectors"
ok "$connectors connectors"
stop "$server"

ro='mount -o remount,ro,bind "$root"'
nango=NANGO_ENABLED=false
refuses "data/patchbay.db: its folder cannot be created: Read-only file system" "$ro" "${settings[@]}" -- serve
refuses "/srv/patchbay.db: " "$ro" "${settings[@]}" "${data[@]}" $nango -- serve
refuses "unable to open database file" "$ro" "${data[@]}" -- backup /srv/new.db
refuses "/nowhere: No such file or directory" : "${data[@]}" -- backup /nowhere/new.db
rm "$root/srv/sandbox.json"
refuses "/nowhere/sandbox.json (SANDBOX_STATE_FILE): " "mount -t tmpfs tmpfs \"\$root/srv\"; $ro" \
  "${settings[@]}" DATABASE_URL=/srv/patchbay.db SANDBOX_STATE_FILE=/nowhere/sandbox.json -- serve
refuses "can't listen on 192.0.2.7:8080 (LISTEN_ADDR)" : LISTEN_ADDR=192.0.2.7:8080 "${data[@]}" $nango -- serve
grep -q panicked "$folder"/*.log && die "it has panicked"
say "$checked passed, 0 failed"
