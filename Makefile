# The commands of this repository. `make` alone lists them.

.DEFAULT_GOAL := help
.PHONY: help setup setup-browser run test dialogues chaos services clean-data fmt lint sqlx sqlx-check

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing: PostgreSQL's programs, a NATS server, a C compiler (run and test do it, too)
	@scripts/setup.sh

setup-browser: ## The same, and what the browser tests need: Chromium, Node.js, a library (test does it, too)
	@scripts/setup.sh --browser

# A worker's answer is paced like someone typing; 0 would be as fast as it can. WHATSAPP=sim comes with a phone.
run: ## Start everything on this machine: http://localhost:8000/, Ctrl-C stops it and keeps the data (WHATSAPP=sim)
	@echo "Installs what is missing, builds (some 5 minutes the first time, then seconds), starts Frontdesk."
	@scripts/setup.sh
	@cargo build --package local
	@OFFLINE_TOKEN_DELAY_MS=$${OFFLINE_TOKEN_DELAY_MS:-15} $(if $(WHATSAPP),WHATSAPP=$(WHATSAPP)) exec cargo run --quiet --package local -- run

test: setup-browser ## Run all tests (ARGS="--package api" for some)
	@cargo test $(or $(ARGS),--workspace)

dialogues: ## Play the dialogues against the language model that LLM_BASE_URL, LLM_API_KEY and LLM_MODEL name (DIALOGUE="one by one" ARGS=--help)
	@cargo run --quiet --bin dialogues -- $(ARGS)

chaos: setup ## Break everything at random, and check what must hold (SECONDS=60 SEED=1 ARGS="--cluster")
	@cargo build --quiet --workspace --bins
	@cargo run --quiet --package e2e --bin chaos -- --seconds $(or $(SECONDS),60) $(if $(SEED),--seed $(SEED)) $(ARGS)

services: setup ## Start only PostgreSQL and NATS, and print their addresses
	@exec cargo run --quiet --package local -- services

clean-data: ## Remove the data and logs of run and services
	@cargo run --quiet --package local -- clean

fmt: ## Format the code
	@cargo fmt --all

lint: ## Check format and lints, as CI does
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

sqlx: setup ## Write .sqlx anew, after a query or a migration has changed
	@scripts/sqlx.sh

sqlx-check: setup ## Check that .sqlx is up to date
	@scripts/sqlx.sh --check
