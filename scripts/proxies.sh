#!/usr/bin/env bash
# Patchbay behind the real nginx and the real Caddy, with the configurations of deploy/: what a person
# and Nango need gets through, and nobody gets around a limit.
#
#   scripts/proxies.sh [BINARY]      default: target/release/patchbay
#
# Names, ports and certificates of the configurations are replaced, nothing else. A server, a sandbox
# and a proxy of its own, on free loopback ports, for about a minute. nginx, Caddy, curl and OpenSSL
# are installed with apt-get where they are missing. ONLY=nginx or ONLY=caddy leaves out the other
# one; QUIET=70 leaves an event stream alone for so long; KEEP=1 keeps the logs of a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PATH:/usr/sbin"

name=proxies.sh
binary=$(realpath "${1:-target/release/patchbay}")
# shellcheck source=scripts/stand.sh
. scripts/stand.sh

command -v node >/dev/null || die "Node.js is missing: see https://nodejs.org"
debian curl curl
debian openssl openssl
[ "${ONLY:-nginx}" != nginx ] || debian nginx nginx
[ "${ONLY:-caddy}" != caddy ] || debian caddy caddy
stand
# nginx's workers are somebody else, and keep long bodies there.
chmod 755 "$folder"

HOST=connect.example.com
read -r port sandbox_port tls plain < <(ports 4)
base=https://$HOST:$tls
key=2c1f5d0e-6f4e-4a55-9a0c-8d2b7e9f1a34
signing_key=7d4b9c62-0e1a-4f38-b5d7-3a6c8e2f9b10
password="correct horse battery $RANDOM"
settings=(
  DATABASE_URL="$folder/patchbay.db" LISTEN_ADDR="127.0.0.1:$port" PUBLIC_URL="$base"
  TRUSTED_PROXIES=127.0.0.1 NANGO_BASE_URL="http://127.0.0.1:$sandbox_port" NANGO_SECRET_KEY="$key"
  NANGO_WEBHOOK_SIGNING_KEY="$signing_key" NANGO_CALLS_PER_MINUTE=100000
  LIMITS_REQUESTS_PER_SECOND=20 LIMITS_REQUESTS_BURST=200 RUST_LOG=warn
)

certificate "$HOST"

# ask CURL-ARGUMENTS...: as a client that knows the name.
ask() {
  curl -sS --max-time 20 --cacert "$folder/ca.pem" --resolve "$HOST:$tls:127.0.0.1" \
    --resolve "$HOST:$plain:127.0.0.1" "$@"
}

# status CURL-ARGUMENTS...: the status alone.
status() { ask -o /dev/null -w '%{http_code}' "$@"; }

# expect WHAT WANTED FOUND
expect() { [ "$2" = "$3" ] || die "$1: $3, and it should be $2"; }

# heads NAME FILE: how often a header stands there.
heads() { grep -ic "^$1:" "$2" || true; }

start_server() {
  in_background server env -i PATH="$PATH" "${settings[@]}" "$binary" serve
  server=$pid
  wait_for "$server" -f "http://127.0.0.1:$port/health/ready"
}

start_nginx() {
  # In the folder where Debian has it, it would stand beside these lines of Debian's nginx.conf.
  cat >"$folder/nginx.conf" <<CONF
daemon off;
pid $folder/nginx.pid;
error_log $folder/nginx.log;
events { worker_connections 1024; }
http {
  include /etc/nginx/mime.types;
  access_log off;
  gzip on;
  client_body_temp_path $folder/body;
  proxy_temp_path $folder/proxy;
  fastcgi_temp_path $folder/fastcgi;
  uwsgi_temp_path $folder/uwsgi;
  scgi_temp_path $folder/scgi;
  include $folder/patchbay.conf;
}
CONF
  sed -e "/listen \[::\]/d" -e "s/listen 80;/listen 127.0.0.1:$plain;/" \
    -e "s/listen 443 /listen 127.0.0.1:$tls /" -e "s/server 127.0.0.1:3000;/server 127.0.0.1:$port;/" \
    -e "s#/etc/letsencrypt/live/$HOST/fullchain.pem#$folder/cert.pem#" \
    -e "s#/etc/letsencrypt/live/$HOST/privkey.pem#$folder/key.pem#" \
    -e "s#/var/log/nginx/access.log#$folder/access.log#" \
    -e "s#/var/log/nginx/error.log#$folder/error.log#" \
    -e "s#https://$HOST#$base#" deploy/nginx/patchbay.conf >"$folder/patchbay.conf"
  nginx -t -q -c "$folder/nginx.conf" -p "$folder" -e stderr
  in_background nginx nginx -c "$folder/nginx.conf" -p "$folder" -e stderr
}

start_caddy() {
  { cat <<CADDY
{
	admin off
	default_bind 127.0.0.1
	http_port $plain
	https_port $tls
CADDY
    # The file's own first block goes on where this one stopped.
    sed -e "1,/^{\$/d" -e "s/^$HOST {/$HOST:$tls {\n\ttls cert.pem key.pem/" \
      -e "s/127.0.0.1:3000/127.0.0.1:$port/" deploy/caddy/Caddyfile
  } >"$folder/Caddyfile"
  (cd "$folder" && XDG_DATA_HOME=$folder XDG_CONFIG_HOME=$folder \
    caddy validate --config Caddyfile >"$folder/validate.log" 2>&1) ||
    { cat "$folder/validate.log" >&2; die "Caddy does not take its configuration"; }
  in_background caddy env -C "$folder" XDG_DATA_HOME="$folder" XDG_CONFIG_HOME="$folder" \
    caddy run --config Caddyfile
}

# sign_in CURL-ARGUMENTS...: the answer's head in $folder/head, the cookie in $COOKIE.
sign_in() {
  expect "signing in" 303 "$(status -D "$folder/head" -H "Origin: $base" "$@" \
    --data-urlencode email=ada@example.com --data-urlencode "password=$password" "$base/sign-in/password")"
  COOKIE=$(tr -d '\r' <"$folder/head" | sed -nE 's/^set-cookie: ([^;]+);.*/\1/Ip')
}

pages() {
  local version asset from
  version=$(ask -D "$folder/head" -o "$folder/page" -w '%{http_code} %{http_version}' "$base/sign-in")
  expect "the sign-in page over HTTP/2" "200 2" "$version"
  grep -q 'action="/sign-in/password"' "$folder/page" || die "the sign-in page has no form"
  expect "HSTS once" 1 "$(heads strict-transport-security "$folder/head")"
  expect "a policy once" 1 "$(heads content-security-policy "$folder/head")"
  expect "the page over HTTP/1.1" "200 1.1" \
    "$(ask --http1.1 -o /dev/null -w '%{http_code} %{http_version}' "$base/sign-in")"
  ok "$1: a page arrives, by HTTP/2 and HTTP/1.1, with HSTS"

  # Caddy takes its own port for the one that everybody knows, and leaves it out.
  expect "http leads to https" "308 https://$HOST/connectors?q=a%20b" \
    "$(ask -o /dev/null -w '%{http_code} %{redirect_url}' "http://$HOST:$plain/connectors?q=a%20b" |
      sed "s/:$tls//")"
  ok "$1: http leads to https"

  asset=$(grep -oE '/assets/[0-9a-f]+/pkg/patchbay\.js' "$folder/page" | head -n 1)
  [ -n "$asset" ] || die "the page names no script"
  curl -sS -o "$folder/plain.js" "http://127.0.0.1:$port$asset"
  for from in br gzip; do
    ask -D "$folder/head" -o "$folder/packed.js" -H "Accept-Encoding: $from" "$base$asset"
    expect "one encoding" "content-encoding: $from" \
      "$(tr -d '\r' <"$folder/head" | grep -i '^content-encoding' | tr '[:upper:]' '[:lower:]')"
    curl -sS -o "$folder/made.js" -H "Accept-Encoding: $from" "http://127.0.0.1:$port$asset"
    cmp -s "$folder/made.js" "$folder/packed.js" || die "$from: what arrives is not what Patchbay sent"
  done
  ask --compressed -o "$folder/unpacked.js" "$base$asset"
  cmp -s "$folder/plain.js" "$folder/unpacked.js" || die "the script is not what Patchbay sent"
  expect "a file that is known" 304 "$(status -H "If-None-Match: $(tr -d '\r' <"$folder/head" |
    sed -nE 's/^etag: //Ip')" -H 'Accept-Encoding: gzip' "$base$asset")"
  ok "$1: files arrive compressed once, as the build made them"
}

ids() {
  local id
  ask -o /dev/null -D "$folder/head" -H "X-Request-Id: chosen-by-a-stranger" "$base/sign-in"
  id=$(tr -d '\r' <"$folder/head" | sed -nE 's/^x-request-id: //Ip')
  [[ ${id//-/} =~ ^[0-9a-f]{32}$ ]] || die "the request's id is $id"
  [ "$1" != nginx ] || grep -qF "$id" "$folder/access.log" || die "nginx' log does not have the id $id"
  ok "$1: a request has an id of the proxy's own"
}

people() {
  sign_in
  [[ $COOKIE == __Host-patchbay=* ]] || die "the cookie is called $COOKIE"
  for word in Secure HttpOnly SameSite=Lax; do
    grep -qi "^set-cookie: .*; $word" "$folder/head" || die "the cookie is not $word"
  done
  expect "the catalogue" 200 "$(status -b "$COOKIE" "$base/connectors")"
  ok "$1: signing in works, with a cookie that is Secure and __Host-"
  expect "another site's form" 403 "$(status -H 'Origin: https://evil.example' \
    --data-urlencode email=ada@example.com --data-urlencode "password=$password" "$base/sign-in/password")"
  [[ $(status -X POST -H "Origin: $base" "$base/sign-in/demo") = 4* ]] || die "the demo user was let in"
  ok "$1: another site's form and the demo user are refused"
}

events() {
  local said version quiet
  for version in 1 2; do
    quiet=0
    [ "$version" = 1 ] || quiet=${QUIET:-18}
    said=$(STREAM=$base COOKIE=$COOKIE SANDBOX=http://127.0.0.1:$sandbox_port KEY=$key \
      CA=$folder/ca.pem HTTP=$version QUIET=$quiet node scripts/events.mjs) || die "events by HTTP/$version"
    ok "$1: events by HTTP/$version, the stream left alone for $quiet s: $said"
  done
  said=$(STREAM=$base COOKIE=$COOKIE CA=$folder/ca.pem HTTP=1 STREAMS=20 UPSTREAM=$port \
    node scripts/events.mjs) || die "streams stay open for people who have gone"
  ok "$1: a stream that is closed is closed at the server: $said"
}

webhooks() {
  local size hmac wanted
  for size in 1000000 1048577; do
    node -e 'process.stdout.write(JSON.stringify({ type: "test", pad: "x".repeat(+process.argv[1] - 24) }))' \
      "$size" >"$folder/hook.json"
    hmac=$(openssl dgst -sha256 -hmac "$signing_key" -r "$folder/hook.json" | cut -d' ' -f1)
    wanted=200
    [ "$size" -le 1048576 ] || wanted=413
    expect "a webhook of $(stat -c %s "$folder/hook.json") bytes" $wanted \
      "$(status -H 'Content-Type: application/json' -H "X-Nango-Hmac-Sha256: $hmac" \
        --data-binary "@$folder/hook.json" "$base/api/v1/webhooks/nango")"
  done
  ok "$1: webhooks of up to 1 MB arrive as they were signed"
  local long
  long=$(printf 'x%.0s' $(seq 12000))
  expect "a long OAuth callback" 308 \
    "$(status "$base/api/v1/connectors/callback?state=$long&code=1")"
  expect "a long token" 401 \
    "$(status -H "Authorization: Bearer ${long:0:8192}" "$base/api/v1/connections")"
  ok "$1: long OAuth answers and tokens arrive"
}

# limits NAME GREEDY OTHER: two addresses of this machine.
limits() {
  local codes
  sign_in --interface "$3"
  ask --interface "$3" -b "$COOKIE" "$base/account" | grep -qF "$3" ||
    die "the account page does not know where from $3 signed in"
  ok "$1: the client's own address is known"
  codes=$(ask --interface "$2" -o /dev/null -w '%{http_code}\n' "$base/sign-in?n=[1-400]" | sort | uniq -c |
    sed -E 's/^ +//' | paste -sd' ')
  [[ $codes == *" 429"* ]] || die "400 requests at once were let through: $codes"
  expect "another address" 200 "$(status --interface "$3" "$base/sign-in")"
  expect "the greedy one with an address of its own making" 429 \
    "$(status --interface "$2" -H 'X-Forwarded-For: 198.51.100.7' -H 'Forwarded: for=198.51.100.7' \
      "$base/sign-in?n=[1-40]" | fold -w3 | sort | uniq -c | sort -rn | awk '{ print $2; exit }')"
  ok "$1: limits are each address's own, whatever it writes ($codes)"
}

# A restart of Patchbay: what a request meets meanwhile.
restart() {
  local met wanted=$2
  stop "$server"
  ask -o /dev/null -w '%{http_code}' "$base/sign-in" >"$folder/met" &
  met=$!
  sleep 1
  start_server
  wait "$met" || true
  expect "a request during a restart" "$wanted" "$(cat "$folder/met")"
  expect "a request after it" 200 "$(status -b "$COOKIE" "$base/connectors")"
  ok "$1: a request during a restart gets $wanted; sessions outlive it"
}

# What is written of a request that could not be passed on: that it came, and none of its secrets.
# logs NAME FILE
logs() {
  local secret=secret$RANDOM$RANDOM path=/api/v1/connectors/callback
  stop "$server"
  expect "a request while nothing is behind" 502 \
    "$(status -e "$base/?code=$secret" "$base$path?code=$secret&state=$secret")"
  start_server
  grep -qF "$path" "$folder/$2" || die "$1 does not log that it came"
  if grep -F "$secret" "$folder"/*.log >&2; then die "$1 logs what stands in a query"; fi
  ok "$1: what could not be passed on is logged, without its query"
}

say "$("$binary" --version)"
sandbox "$sandbox_port" "$key"
start_server
env -i PATH="$PATH" "${settings[@]}" "$binary" user create --email ada@example.com --name Ada \
  --password-stdin <<<"$password" >/dev/null || die "no account can be made"

# through NAME DURING-A-RESTART GREEDY OTHER LOG
through() {
  local proxy
  say "$1: $("$1" "$([ "$1" = nginx ] && echo -v || echo version)" 2>&1 | head -n 1)"
  "start_$1"
  proxy=$pid
  wait_for "$proxy" --cacert "$folder/ca.pem" --resolve "$HOST:$tls:127.0.0.1" "$base/health/live"
  pages "$1"
  ids "$1"
  people "$1"
  events "$1"
  webhooks "$1"
  limits "$1" "$3" "$4"
  restart "$1" "$2"
  logs "$1" "$5"
  stop "$proxy"
}

[ "${ONLY:-nginx}" != nginx ] || through nginx 502 127.0.0.2 127.0.0.3 access.log
[ "${ONLY:-caddy}" != caddy ] || through caddy 200 127.0.0.4 127.0.0.5 caddy.log
if grep -qE 'panicked|ERROR' "$folder/server.log"; then
  grep -E -A3 'panicked|ERROR' "$folder/server.log" | head -40 >&2
  die "the server's log tells of an error"
fi
say "$checked passed, 0 failed"
