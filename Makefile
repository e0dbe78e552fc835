# Needs Go, git and make. `make` alone lists the targets.

GO       ?= go
PREFIX   ?=
FUZZTIME ?= 10s
# Flags of internal/tools/bench; see go run ./internal/tools/bench -help.
BENCHFLAGS ?=
# Flags of internal/tools/soak; see go run ./internal/tools/soak -help.
SOAKFLAGS ?=
DIST     ?= dist
# Key that signs a release: of AWS KMS, in a file, or env://NAME; empty is none.
KEY      ?=

# The race detector needs cgo, which Go disables without a C compiler.
# It makes code that works in one goroutine, such as scrypt, elliptic curves, compressors and the parser of the command line, up to ten times as slow,
# and finds nothing in it.
COMPUTE := golang.org/x/crypto/... crypto/internal/fips140/... regexp/... github.com/klauspost/... compress/... github.com/spf13/... github.com/ecrkit/ecrkit/delta/internal/...
RACE  := $(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race $(COMPUTE:%=-gcflags=%=-race=false))
# At its end each program with the race detector sleeps for so many milliseconds, 1,000 if nobody sets it.
export GORACE := atexit_sleep_ms=50 $(GORACE)
# `make lint` vets all packages; no debugger reads the tests. With -trimpath, a clone in another directory
# compiles only what differs.
TESTFLAGS := $(RACE) -trimpath -vet=off -ldflags=-w
TOOLS := bin/tools

.DEFAULT_GOAL := help
.PHONY: build demo test trial interop interop-engines interop-windows bench fuzz soak lint release image install clean help

build: ## build bin/ecrkit and bin/docker-credential-ecrkit (static)
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ ./cmd/...

demo: ## show the main features: push, sign, verify and pull a multi-platform image with a local ECR
	@CGO_ENABLED=0 $(GO) run -trimpath ./internal/tools/demo

# Each client that a test makes would parse the certificates of AWS_CA_BUNDLE.
test: ## run the tests, with the race detector
	@$(if $(RACE),,echo "no C compiler (go env CGO_ENABLED is 0): the tests run without the race detector")
	unset AWS_CA_BUNDLE; sh internal/test/inmemory.sh $(GO) test $(TESTFLAGS) ./...
	$(GO) test -C internal/test/jobs ./...
	$(GO) test -C internal/test/stack ./...

# Trials are in files *_trial_test.go, with the build tag trial, and are named TestTrial…
TRIALFLAGS := -tags trial -run '^TestTrial' -timeout 40m
# The longest are first, so that the others run beside them.
LONGEST := ./internal/test/transfertrial ./localecr
# Trials on which the race detector would spend most of the time: one computes in one goroutine, one puts in 100,000 images.
WITHOUTRACE := ./localecr/internal/policy
trial: ## run the long tests: kills, fault matrices, random cases by the hundred thousand
	@packages=$$(find . -path ./bench -prune -o -name '*_trial_test.go' -print | sed 's,/[^/]*$$,,' | grep -vxF $(WITHOUTRACE:%=-e %) | sort -u); \
	test -n "$$packages" || { echo "no package has a trial"; exit 1; }; \
	set -x; $(GO) test $(TESTFLAGS) $(TRIALFLAGS) $(LONGEST) $$packages && \
	$(GO) test -trimpath -vet=off -ldflags=-w $(TRIALFLAGS) $(WITHOUTRACE) && \
	$(GO) test -trimpath -vet=off -ldflags=-w -tags trial -run '^TestTrialMirrorScale$$' -timeout 40m ./internal/test/transfertrial

# TLS=1 has all clients of the local ECR use HTTPS, at addresses that this adds to the loopback interface while it runs.
TLS ?=
interop: ## test the binaries with docker, podman, containerd, skopeo, aws CLI, cosign, crane and regctl (as root on Debian; installs what is missing); TLS=1: by HTTPS
	@sh internal/test/interop/peers.sh
	$(GO) test -tags interop -count=1 -timeout 40m ./internal/test/interop/ -args $(if $(TLS),-tls)
	$(GO) run ./internal/tools/image -o bin/image
	$(GO) test -C internal/test/stack -tags interop -run '^TestImage$$' -count=1 . -args -image "$(abspath bin/image)"

interop-engines: ## pull and push through the proxy with the newest containerd, BuildKit and Docker, and nerdctl (as root; builds them first, in many minutes)
	$(GO) test -tags interop,trial -count=1 -timeout 60m -run '^TestTrialEngines$$' ./internal/test/interop/

# ZIP is the archive to test, as `make release` writes it. Without it, the programs are built in the same way.
ZIP ?=
interop-windows: ## test the released binaries for Windows under Wine (on Debian for amd64; installs what is missing as root)
	@sh internal/test/wine/peers.sh
	$(if $(ZIP),,GOOS=windows GOARCH=amd64 CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w -buildid=' -o bin/windows/ ./cmd/...)
	$(GO) test -tags interop_windows -count=1 -timeout 10m ./internal/test/wine/ -args $(if $(ZIP),-archive '$(abspath $(ZIP))',-bin '$(abspath bin/windows)')

bench: build ## compare with crane, regctl, regsync, oras, skopeo and Amazon's helper, and as root engines with and without the proxy, in half an hour; write docs/benchmarks.md
	@mkdir -p $(TOOLS)
	CGO_ENABLED=0 $(GO) build -C bench -trimpath -o ../$(TOOLS)/ github.com/awslabs/amazon-ecr-credential-helper/ecr-login/cli/docker-credential-ecr-login github.com/regclient/regclient/cmd/regsync
	-CGO_ENABLED=0 $(GO) build -C bench/ko -trimpath -o ../../$(TOOLS)/ github.com/google/ko
	-CGO_ENABLED=0 $(GO) build -C bench/engines -trimpath -ldflags "-X github.com/moby/buildkit/version.Version=$$($(GO) list -C bench/engines -m -f '{{.Version}}' github.com/moby/buildkit)" -o ../../$(TOOLS)/ github.com/moby/buildkit/cmd/buildkitd github.com/moby/buildkit/cmd/buildctl
	@set -e; { echo "# Benchmarks"; echo; \
	echo "Written by \`make bench\`: all programs in one run on one machine, against a local ECR and a fake AWS on loopback."; echo; \
	$(GO) run ./internal/tools/bench -tools $(TOOLS) -chart docs/benchmarks.svg -save bin/bench.json $(BENCHFLAGS); echo; \
	$(GO) run ./internal/tools/mirrorbench -tools $(TOOLS); echo; \
	$(GO) run ./internal/tools/deltabench -tools $(TOOLS); echo; \
	echo "## The credential helper"; echo; \
	$(GO) run ./internal/tools/helperbench amazon-ecr-credential-helper=$(TOOLS)/docker-credential-ecr-login ecrkit=bin/docker-credential-ecrkit; \
	if [ "$$(id -u)" -eq 0 ]; then echo; $(GO) run ./internal/tools/proxybench; fi; \
	} > docs/benchmarks.md.new
	@mv docs/benchmarks.md.new docs/benchmarks.md
	@cat docs/benchmarks.md

fuzz: ## run every fuzz target for FUZZTIME (10s)
	@for pkg in $$($(GO) list ./...); do \
		names=$$($(GO) test -list '^Fuzz' "$$pkg") || { echo "$$names"; exit 1; }; \
		for name in $$(echo "$$names" | grep '^Fuzz'); do \
			echo "$$pkg $$name"; \
			$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$pkg" || exit 1; \
		done; \
	done

soak: ## kill the programs, make the local ECR fail, fill disks, set clocks, for hours, on Linux; see docs/reliability.md
	@mkdir -p bin
	$(GO) run ./internal/tools/soak -o bin/soak.json $(SOAKFLAGS)

# With these, everything is compiled once for lint, demo, build, release and the programs that tests run.
lint: export CGO_ENABLED := 0
lint: export GOFLAGS := -trimpath $(GOFLAGS)
lint: ## run gofmt, go vet, go mod verify, staticcheck, actionlint and govulncheck (pinned in bench/go.mod)
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not formatted by gofmt:"; echo "$$unformatted"; exit 1; }
	$(GO) vet -tags interop,interop_windows,trial ./...
	@for target in darwin/amd64 darwin/arm64 windows/amd64; do \
		echo "GOOS=$${target%/*} GOARCH=$${target#*/} $(GO) vet -tags trial ./..."; \
		GOOS=$${target%/*} GOARCH=$${target#*/} $(GO) vet -tags trial ./... || exit 1; \
	done
	$(GO) vet -C bench ./...
	$(GO) vet -C internal/test/jobs ./...
	$(GO) vet -C internal/test/stack -tags interop ./...
	$(GO) vet -C localecr/testcontainers ./...
	$(GO) mod verify
	@mkdir -p $(TOOLS)
	$(GO) build -C bench -o ../$(TOOLS)/ honnef.co/go/tools/cmd/staticcheck github.com/rhysd/actionlint/cmd/actionlint golang.org/x/vuln/cmd/govulncheck
	$(TOOLS)/staticcheck -tags interop,interop_windows,trial ./...
	@echo "actionlint, on the jobs of docs/ci.md"; \
	awk '/^## /{p=/^## GitHub Actions/} /^```/{y=/^```yaml/; next} p&&y' docs/ci.md | $(TOOLS)/actionlint -
	$(TOOLS)/actionlint mirror/job/testdata/github*.yaml
	@echo $(TOOLS)/govulncheck ./...; \
	report=$$($(TOOLS)/govulncheck ./... 2>&1); code=$$?; echo "$$report"; \
	case "$$code $$report" in \
	"0 "*) ;; \
	"1 govulncheck: fetching vulnerabilities: "*) echo "the vulnerability database cannot be reached: govulncheck is left out" ;; \
	*) exit 1 ;; \
	esac

release: ## build archives for linux, darwin and windows on amd64 and arm64 in DIST (dist), with SBOMs, provenance and SHA256SUMS; sign them with KEY
	$(GO) run ./internal/tools/release -o $(DIST) $(if $(KEY),-key '$(KEY)')

image: ## build an OCI image of the local ECR for linux/amd64 and linux/arm64 in DIST/image, without docker; see docs/local-ecr.md
	$(GO) run ./internal/tools/image -o $(DIST)/image

install: ## install into PREFIX (default: /usr/local if you can write to it, otherwise ~/.local)
	sh install.sh $(if $(PREFIX),--prefix '$(PREFIX)')

clean: ## remove what was built
	rm -rf bin dist

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
