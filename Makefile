# What a person does with a checkout. `make` builds ./proctracer.

CARGO ?= cargo

all:
	$(CARGO) build --release
	cp target/release/proctracer proctracer

# The tests; nothing else is needed than Rust.
test:
	$(CARGO) test

# What is asked of every change.
check:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --all-targets -- -D warnings

# Speed, side by side with jq, DuckDB and ripgrep, those of them that are installed.
bench:
	$(CARGO) bench --bench recording -- --compare

# Writes what the tests expect anew: fixtures' outputs, doc/EVENTS.md, the examples in README.md. Read the difference!
expected:
	UPDATE_EXPECTED=1 $(CARGO) test

clean:
	$(CARGO) clean
	rm -f proctracer

.PHONY: all test check bench expected clean
