#!/usr/bin/env bash
# Installs what a build (`build`) or the tests (`test`) need, and nothing that is there already.
#
# Needs rustup and Node.js. Debian's packages are installed with apt-get where that is possible;
# otherwise the missing one is named in one line.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
what=${1:-build}
export PATH="$PWD/end2end/node_modules/.bin:$HOME/.cargo/bin:$PATH"

CARGO_LEPTOS=0.3.10
CARGO_DENY=0.20.2
# The same version as in Cargo.toml: the two speak to each other.
WASM_BINDGEN=$(sed -nE 's/^wasm-bindgen = \{ version = "=([0-9.]+)".*/\1/p' Cargo.toml)

say() { echo "tools: $*"; }
die() { echo "tools: $*" >&2; exit 1; }

# debian COMMAND PACKAGE...: the packages, where the command is missing.
debian() {
  local command=$1
  shift
  command -v "$command" >/dev/null && return
  say "installing $*"
  local sudo=
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null && sudo -n true 2>/dev/null && sudo="sudo -n"
    [ -n "$sudo" ] || die "$* is missing: install that package and try again"
  fi
  command -v apt-get >/dev/null || die "$* is missing: install that package and try again"
  $sudo apt-get update -q >/dev/null || true
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@" >/dev/null ||
    die "apt-get could not install $*"
}

# crate NAME VERSION [COMMAND]: a Rust program, from a binary where cargo-binstall is there.
crate() {
  local name=$1 version=$2 command=${3:-$1}
  if command -v "$command" >/dev/null && [[ "$("$command" --version 2>/dev/null)" == *"$version"* ]]; then
    return
  fi
  if command -v cargo-binstall >/dev/null; then
    say "installing $name $version with cargo binstall"
    cargo binstall -y --force "$name@$version" && return
  fi
  say "building $name $version; this takes a while, once"
  # Its own release profile (fat LTO) takes three times as long and gains nothing here.
  CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
    cargo install "$name" --version "$version" --locked --force
}

command -v rustup >/dev/null || die "rustup is missing: see https://rustup.rs"
command -v node >/dev/null || die "Node.js is missing: see https://nodejs.org"
# Debian's own package of Node.js comes without it.
debian npm npm
# A C compiler and linker; cargo-leptos builds an OpenSSL of its own, which wants perl and make.
debian cc build-essential
# OpenSSL's build wants modules that Debian's perl-base does not have.
perl -MIPC::Cmd -MFindBin -e 1 2>/dev/null || debian no-such-perl perl

rustc --version >/dev/null || die "the toolchain in rust-toolchain.toml is not to be had"
rustup target list --installed | grep -qx wasm32-unknown-unknown || {
  say "adding the wasm32-unknown-unknown target"
  rustup target add wasm32-unknown-unknown
}

if ! cmp -s end2end/package-lock.json end2end/node_modules/.installed; then
  say "installing the node packages (wasm-opt, Playwright)"
  (cd end2end && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --loglevel=error)
  cp end2end/package-lock.json end2end/node_modules/.installed
fi

if [ "$what" = build ] || [ "$what" = test ]; then
  crate wasm-bindgen-cli "$WASM_BINDGEN" wasm-bindgen
  crate cargo-leptos "$CARGO_LEPTOS"
fi
if [ "$what" = test ]; then
  crate cargo-deny "$CARGO_DENY"
  debian chromium chromium
  debian curl curl
  # schemathesis runs in a virtual environment.
  python3 -c 'import ensurepip, venv' 2>/dev/null || debian no-such-venv python3 python3-venv
fi
