# What a person does with a checkout. `make` builds ./proctracer.

CARGO ?= cargo
PREFIX ?= /usr/local
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)

# Who signs: "Developer ID Application: ..."; - is ad hoc, for a Mac whose System Integrity Protection is off.
IDENTITY ?= -
CODESIGN = codesign --force --sign "$(IDENTITY)" $(if $(filter-out -,$(IDENTITY)),--options runtime --timestamp) \
	--entitlements entitlements.plist

ifeq ($(shell uname),Darwin)
all: sign
else
all: build
endif

# A new file each time: macOS remembers the signature of the old one.
build:
	$(CARGO) build --release
	rm -f proctracer
	cp $(TARGET_DIR)/release/proctracer proctracer

# With the entitlement that a client of EndpointSecurity needs.
sign: build
	$(CODESIGN) proctracer

# As root: sudo make install. Builds nothing if that was done.
install: $(if $(wildcard proctracer),,all)
	install -d "$(DESTDIR)$(PREFIX)/bin"
	install -m 755 proctracer "$(DESTDIR)$(PREFIX)/bin/proctracer"

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

.PHONY: all build sign install test check bench expected clean
