# The commands of this repository. `make` alone lists them.

.DEFAULT_GOAL := help
.PHONY: help setup run test services clean-data fmt lint sqlx sqlx-check

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing: PostgreSQL's programs, a NATS server, a C compiler (run and test do it, too)
	@scripts/setup.sh

# A worker's answer is paced like someone typing; 0 would be as fast as it can.
run: ## Start everything on this machine: http://localhost:8000/, Ctrl-C stops it and keeps the data
	@echo "Installs what is missing, builds (some 5 minutes the first time, then seconds), starts Frontdesk."
	@scripts/setup.sh
	@cargo build --package local
	@OFFLINE_TOKEN_DELAY_MS=$${OFFLINE_TOKEN_DELAY_MS:-15} exec cargo run --quiet --package local -- run

test: setup ## Run all tests (ARGS="--package api" for some)
	@cargo test $(or $(ARGS),--workspace)

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
