# Skyway's commands. `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help run build test lint bench compose-test tools

help: ## lists these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## builds Skyway and runs all of it on this machine: http://localhost:8080
	cargo run --release --bin skyway -- up

build: ## builds the release binary, target/release/skyway
	cargo build --release --bin skyway

test: tools ## runs every test, against the real binary and the real grpcurl and buf
	cargo test --workspace --doc
	cargo test --workspace --lib --bins --tests --no-fail-fast

lint: tools ## format, clippy, documentation, contracts, dependencies; no warning passes
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps
	target/tools/buf lint
	tests/breaking.sh
	target/tools/cargo-deny --log-level error check bans licenses sources

bench: ## side-by-side benchmarks, as ratios; writes target/bench/*.md
	bench/tools.sh
	cargo build --profile dist --package skyway --package bench
	target/dist/bench gateway target/dist/skyway target/tools/envoy
	target/dist/bench booking target/dist/skyway
	target/dist/bench mail target/dist/skyway
	target/dist/bench queue
	cargo bench --profile dist --package contracts --package search --package gateway

compose-test: ## brings compose.yaml up for real, on stand-in images, and stops replicas under load
	tests/compose.sh

tools: # what lint and test use besides Rust, into target/tools
	@tests/tools.sh
