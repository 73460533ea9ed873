# syntax=docker/dockerfile:1

# An image with one program in it:
#
#   docker build -t patchbay .
#   docker run --rm -p 127.0.0.1:3000:3000 --env-file .env -v patchbay:/var/lib/patchbay patchbay
#
# `--build-arg COMMIT=$(git rev-parse --short=12 HEAD)` lets `patchbay --version` name the commit. docs/
# DEPLOYING.md says what to put into .env. The port is for a proxy on the same machine: whoever can
# reach it without one writes their own address.

FROM rust:1.95-slim-bookworm AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# A C compiler and linker, and what cargo-leptos' own OpenSSL is built with. Not pinned: Debian takes
# the old version away with each security update.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install -y --no-install-recommends build-essential ca-certificates perl \
  && rm -rf /var/lib/apt/lists/*
# Node.js with npm, for wasm-opt; Debian 12 has an older one.
COPY --from=node:22-bookworm-slim /usr/local/ /usr/local/
WORKDIR /src
# The build tools take longest and change least: a layer of their own.
COPY rust-toolchain.toml Cargo.toml Makefile ./
COPY scripts/tools.sh scripts/
COPY end2end/package.json end2end/package-lock.json end2end/
RUN --mount=type=cache,target=/usr/local/cargo/registry make tools
COPY . .
# There is no git in here that could tell.
ARG COMMIT=
# The target folder is kept between builds and is no part of a layer.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
  rm -f target/release/patchbay && make build COMMIT="$COMMIT" \
  && mkdir -p /out/var/lib/patchbay \
  && cp target/release/patchbay /out/patchbay

# Debian 12's C library, and next to nothing else. User 65532 has no name to log in with.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/patchbay /usr/local/bin/patchbay
# SQLite's folder, where that is used: a volume gets the owner of what it covers.
COPY --from=build --chown=65532:65532 /out/var/lib/patchbay /var/lib/patchbay
WORKDIR /var/lib/patchbay
VOLUME /var/lib/patchbay
USER 65532:65532
# The port alone means all addresses.
ENV PORT=3000 LOG_FORMAT=json
EXPOSE 3000
# There is no shell in here: the program asks itself, where PORT or LISTEN_ADDR says that it listens. Not
# whether its database answers: what restarts an unhealthy container (Swarm) would not bring that back. A
# start may wait for the database and migrate it; the first success ends the start's time.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10m --retries=3 \
  CMD ["/usr/local/bin/patchbay", "health", "--started"]
ENTRYPOINT ["/usr/local/bin/patchbay"]
CMD ["serve"]
