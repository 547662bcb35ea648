GO ?= go
TESTFLAGS ?= -timeout 10m
FUZZTIME ?= 10s
BREAKINGTIME ?= 10m
NONSENSETIME ?= 1m
SOAK ?= 10m

# The packages that a fuzz target is in, and the target, as package:Target.
FUZZ_TARGETS = $(shell grep -rlE '^func Fuzz' --include='*_test.go' . | while read -r f; do \
	sed -n "s|^func \(Fuzz[A-Za-z0-9_]*\).*|$$(dirname "$$f"):\1|p" "$$f"; done)

# The package whose tests take longest begins first, and all others run beside it.
PACKAGES = ./ftpfs ./...

.PHONY: help build demo dist fuse3 setup test test-faults test-packages race lint modules check vulnerabilities breaking soak hostile nonsense fuzz bench peers clean

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

build: ## bin/ftpfs, one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ftpfs ./cmd/ftpfs

dist: ## packages in bin/dist: .deb, .rpm, and their bills of materials; ARCHS="amd64 arm64" for other machines
	@rm -rf bin/dist
	@GO="$(GO)" ARCHS="$(ARCHS)" internal/packaging/dist bin/dist

demo: fuse3 build ## mount an FTP server of its own and show what it does
	@bin/ftpfs demo

# What a mount needs besides the binary.
fuse3:
	@command -v fusermount3 >/dev/null && exit 0; \
	if [ "$$(id -u)" -eq 0 ]; then as_root=; else as_root=sudo; fi; \
	if command -v apt-get >/dev/null; then \
		echo "fusermount3 is missing: installing fuse3 by apt-get"; \
		$$as_root apt-get -qq update && $$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y install fuse3; \
	elif command -v dnf >/dev/null; then \
		echo "fusermount3 is missing: installing fuse3 by dnf"; \
		$$as_root dnf -q -y install fuse3; \
	elif command -v apk >/dev/null; then \
		echo "fusermount3 is missing: installing fuse3 by apk"; \
		$$as_root apk add -q fuse3; \
	else \
		echo "fusermount3 is missing, and there is no apt-get, dnf or apk to install it: please install fuse3" >&2; exit 1; \
	fi >&2 && command -v fusermount3 >/dev/null

setup: ## install what the tests need: packages, and FTP servers into .servers/
	@.ci/setup

test: setup ## set up, then run all tests; they need root for the FTP servers
	$(GO) test $(TESTFLAGS) $(PACKAGES)

test-packages: ## build the packages, and install, use and remove them in a bare Debian; needs root
	@missing=; for p in debootstrap rpm man-db fuse3; do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
		echo "installing$$missing by apt-get"; \
		apt-get -qq update >/dev/null; \
		DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $$missing >/dev/null; \
	fi
	$(GO) test -tags packages -count 1 -timeout 20m ./internal/packaging

race: setup ## the tests under the race detector
	CGO_ENABLED=1 $(GO) test -race -timeout 20m $(PACKAGES)

lint: ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "gofmt would change:" $$unformatted >&2; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

modules: ## the modules are what go.sum and go.mod say
	$(GO) mod verify
	$(GO) mod tidy -diff

check: lint modules race ## lint, modules and race

vulnerabilities: ## what is known against the modules that ftpfs uses; asks vuln.go.dev
	@GO="$(GO)" .ci/vulnerabilities

breaking: setup ## read for BREAKINGTIME over data connections that break, fio too, and compare every byte
	FTPFS_TEST_BREAKING=$(BREAKINGTIME) $(GO) test -count 1 -v -timeout 0 -run OverBreakingConnections ./ftpfs

hostile: build ## bin/ftpfs takes a bounded amount of memory, whatever a server tells it
	FTPFS_TEST_BUILT=$(CURDIR)/bin/ftpfs $(GO) test $(TESTFLAGS) -count 1 -run '^Test(EndlessTalkers|HostileListings|EndlessDirectories)$$' ./cmd/ftpfs

nonsense: ## use a mount for NONSENSETIME whose server talks nonsense
	FTPFS_TEST_NONSENSE=$(NONSENSETIME) $(GO) test -race -count 1 -v -timeout 0 -run TestNonsense ./ftpfs

soak: setup ## 64 programs at work over a link that loses packets, for SOAK=10m; then 100,000 operations
	FTPFS_TEST_SOAK=$(SOAK) $(GO) test -count 1 -v -timeout 0 -run TestSoak ./cmd/ftpfs

test-faults: setup ## every operation with every fault at every stage; writes docs/faults.md
	@bash -o pipefail -c "$(GO) test -count 1 -timeout 60m -run TestMatrix -v ./internal/faults -all -report ../../docs/faults.md | grep -vE '^ *(=== |--- PASS)'"
	@cat docs/faults.md

fuzz: ## every fuzz target for FUZZTIME
	@set -e; for t in $(FUZZ_TARGETS); do \
		echo "$$t"; $(GO) test -run '^$$' -fuzz "^$${t##*:}$$" -fuzztime $(FUZZTIME) "./$${t%%:*}"; done

# Without BENCH everything is measured, and the published result is written.
bench: setup peers build ## measure beside other programs; BENCH="ls cat" measures only these
	@$(GO) build -o bin/bench ./internal/bench
	@bin/bench $(BENCHFLAGS) $(or $(BENCH),--output docs/bench --readme README.md)

# What ftpfs is compared with; what cannot be installed is absent from the result.
peers:
	@if [ "$$(id -u)" -eq 0 ]; then as_root=; else as_root="sudo -n"; fi; \
	for p in rclone lftp curl curlftpfs; do \
		command -v $$p >/dev/null && continue; \
		command -v apt-cache >/dev/null && apt-cache madison $$p | grep -q . || continue; \
		echo "installing $$p by apt-get, to compare with" >&2; \
		$$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $$p >/dev/null || true; \
	done

clean: ## remove what was built, and the unpacked servers
	rm -rf bin .servers
