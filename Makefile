# Everything a person or CI does with Patchbay. Each target installs what it needs, says what it
# does, and may be run again at any time.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

export PATH := $(CURDIR)/end2end/node_modules/.bin:$(HOME)/.cargo/bin:$(PATH)

# cargo-leptos sets other flags than cargo: each keeps a target folder of its own, or they would
# build each other's work again.
CHECK := CARGO_TARGET_DIR=target/check
BINARY := target/release/patchbay
# What `patchbay --version` says beside the version; empty where there is no git.
COMMIT ?= $(shell git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null)
# What the release build is made of.
SOURCES := $(shell find src style public manifests migrations Cargo.toml Cargo.lock build.rs rust-toolchain.toml -type f 2>/dev/null)

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

.PHONY: run
run: $(BINARY) ## Build if needed, then serve http://127.0.0.1:3000 with SQLite and the sandbox
	exec $(BINARY) serve

.PHONY: dev
dev: tools ## Serve a debug build and rebuild on every change
	cargo leptos watch -- serve

.PHONY: build
build: $(BINARY) ## Build the release: one binary with the site inside

$(BINARY): $(SOURCES)
	@scripts/tools.sh build
	PATCHBAY_COMMIT="$(COMMIT)" CARGO_TARGET_DIR=target cargo leptos build --release --precompress
	@touch $(BINARY)

.PHONY: tools
tools: ## Install what a build needs
	@scripts/tools.sh build

.PHONY: test
test: ## Format, clippy, unit, API and conformance tests on both databases, browser tests
	@scripts/test.sh

.PHONY: soak
soak: ## 10,000 attempts against a Nango that loses, doubles and refuses; SOAK_DATABASE=postgres too
	SOAK_DATABASE=$${SOAK_DATABASE:-sqlite}; \
	if [ "$$SOAK_DATABASE" = postgres ]; then \
	  export TEST_POSTGRES_URL=$${TEST_POSTGRES_URL:-$$(scripts/postgres.sh start)}; \
	fi; \
	export SOAK_DATABASE SOAK_ATTEMPTS=$${SOAK_ATTEMPTS:-10000} SOAK_SAMPLES=$${SOAK_SAMPLES:-300}; \
	$(CHECK) cargo test --locked --features ssr --test soak -- --nocapture $$SOAK_DATABASE

.PHONY: bench
bench: $(BINARY) ## How fast it answers, beside a bare axum route with the same bytes; BENCH_SECONDS, BENCH_ROWS
	@scripts/bench.sh $(BINARY)

.PHONY: chaos
chaos: ## Three servers and 200 people for ten minutes, while everything breaks; CHAOS_SEED="1 2" for others
	@scripts/postgres.sh binaries
	for seed in $${CHAOS_SEED:-20261127}; do \
	  CHAOS_SEED=$$seed CHAOS_SECONDS=$${CHAOS_SECONDS:-600} $(CHECK) \
	    cargo test --locked --features ssr --test chaos -- --nocapture; \
	done

.PHONY: kill
kill: $(BINARY) ## kill -9 of the release build over SQLite, a hundred times while it writes; KILLS for more
	PATCHBAY_BINARY=$(CURDIR)/$(BINARY) KILLS=$${KILLS:-100} $(CHECK) \
	  cargo test --locked --features ssr --test kill -- --nocapture

.PHONY: fuzz
fuzz: ## Ten million made-up webhooks, callbacks, tokens, headers, settings and manifests; FUZZ_CASES more
	FUZZ_CASES=$${FUZZ_CASES:-10000000} $(CHECK) \
	  cargo test --locked --features ssr --test fuzz -- --nocapture

.PHONY: browser
browser: $(BINARY) ## The browser tests alone
	@scripts/tools.sh test
	cd end2end && npx playwright test

.PHONY: advisories
advisories: ## Known holes in what Patchbay is made of; fetches a database from the network
	@scripts/tools.sh test
	cargo deny --locked check advisories

.PHONY: contract
contract: $(BINARY) ## Made-up requests to the API: it answers as its OpenAPI document says
	@scripts/tools.sh test
	@scripts/schemathesis.sh

.PHONY: proxies
proxies: $(BINARY) ## Behind the real nginx and Caddy, with the configurations of deploy/
	@scripts/proxies.sh $(BINARY)

.PHONY: bare
bare: $(BINARY) ## On a machine with nothing on it but the C library
	@scripts/bare.sh $(BINARY)

.PHONY: pooler
pooler: $(BINARY) ## Behind the real PgBouncer in transaction mode, as behind Supabase's pooler
	@scripts/pooler.sh $(BINARY)

.PHONY: budget
budget: $(BINARY) ## What the catalogue page makes a browser load
	@node scripts/budget.mjs

.PHONY: fmt
fmt: ## Format the code
	cargo fmt
