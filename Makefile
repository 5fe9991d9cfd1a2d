# One command each; `make help` lists them. Nothing here needs root.
GO      ?= go
BIN     := bin/reconcile
ARGS    ?=

.PHONY: help build nvml install man apply plan test lint crash fuzz bench catalog cross clean

help: ## list the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

build: ## build bin/reconcile: static, so that it starts at once and runs on every Linux
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN) ./cmd/reconcile

# Bound lazily, whatever the compiler's default: NVML is not there when the program
# starts, and with -z now each of its functions would have to be.
nvml: ## build bin/reconcile-nvml: with cgo, asks NVIDIA's library instead of nvidia-smi
	CGO_ENABLED=1 $(GO) build -trimpath -ldflags '-extldflags=-Wl,-z,lazy' -o $(BIN)-nvml ./cmd/reconcile

install: ## put reconcile on the search path of Go programs ($(go env GOPATH)/bin)
	$(GO) install -trimpath ./cmd/reconcile

man: ## write the manual pages into bin/man/man1 (MANPATH=bin/man: man reconcile)
	$(GO) run ./internal/manpages bin/man/man1

plan: build ## show how this machine differs from manifest.yaml
	$(BIN) plan $(ARGS)

apply: build ## bring this machine to manifest.yaml (ARGS=-y does not ask)
	$(BIN) apply $(ARGS)

test: lint cross ## all checks and tests: vet, format, cross builds, race detector, failpoints
	$(GO) test -race -timeout 18m $$($(GO) list ./... | grep -v /internal/cli$$)
	$(GO) test -race -timeout 18m -run TestStories ./internal/cli
	$(GO) test -timeout 18m -skip TestStories ./internal/cli # thousands of processes, each slow with the race detector
	$(MAKE) --no-print-directory crash

crash: ## kill apply at every named point and converge again
	$(GO) test -tags failpoints -run 'Crash' ./internal/cli/...

lint: ## gofmt, go vet (linux and darwin); staticcheck and shellcheck where they are installed
	@test -z "$$(gofmt -l cmd pkg internal)" || { gofmt -l cmd pkg internal; echo "run gofmt -w on these"; exit 1; }
	$(GO) vet ./...
	GOOS=darwin GOARCH=arm64 CGO_ENABLED=0 $(GO) vet ./...
	@if command -v staticcheck >/dev/null; then staticcheck ./...; else echo "staticcheck is not installed: skipped (go install honnef.co/go/tools/cmd/staticcheck@v0.8.2)"; fi
	@if command -v shellcheck >/dev/null; then shellcheck -x setup_local.sh setup_remote.sh scripts/setup.sh; else echo "shellcheck is not installed: skipped (brew install shellcheck, apt-get install shellcheck)"; fi

cross: ## build for every supported platform, without cgo and, where there is a C compiler, with it
	GOOS=darwin GOARCH=arm64 CGO_ENABLED=0 $(GO) build ./...
	GOOS=linux GOARCH=arm64 CGO_ENABLED=0 $(GO) build ./...
	CGO_ENABLED=0 $(GO) build ./...
	@if command -v cc >/dev/null; then echo "CGO_ENABLED=1 $(GO) build ./..."; CGO_ENABLED=1 $(GO) build ./...; else echo "no C compiler: the build with cgo is skipped"; fi

FUZZTIME ?= 10s
fuzz: ## every fuzz target for FUZZTIME (10s)
	@for p in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p | grep ^Fuzz); do \
	    echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p || exit 1; \
	  done; done

bench: ## the benchmarks, as pairs against bare programs
	$(GO) test -run '^$$' -bench . -benchmem ./...

catalog: ## read new releases of torch and bitsandbytes from their wheels; review the difference
	$(GO) run ./internal/catalog/generate
	$(GO) test ./internal/catalog -run TestDocs -update

clean: ## remove what this Makefile built; environments stay
	rm -rf bin
