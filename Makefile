# Tasks of Andmerada. "make help" lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help

BIN  := bin/andmerada
LINT := bin/golangci-lint
# The race detector needs a C compiler; without one the tests run without it.
RACE := $(if $(shell command -v gcc),-race)

.PHONY: help
help: ## list the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: engine
engine: ## fetch the ClickHouse engine that demo and tests run (once; 570 MB on disk)
	@.ci/fetch-engine

.PHONY: build
build: ## build bin/andmerada
	CGO_ENABLED=0 go build -trimpath -o $(BIN) ./cmd/andmerada

.PHONY: demo
demo: engine build ## everything on this machine: Kafka, ClickHouse, ingest, server, two years of history
	@$(BIN) demo $(ARGS)

.PHONY: test
test: engine ## install what the tests need, and run them all
	go vet ./...
	go test $(RACE) -timeout 15m ./...

.PHONY: check
check: test lint ## what CI runs

.PHONY: lint
lint: $(LINT) ## formatting and lint
	$(LINT) run ./...

$(LINT): .ci/tools/go.mod .ci/tools/go.sum
	go build -modfile=.ci/tools/go.mod -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: format
format: $(LINT) ## format all Go files
	$(LINT) fmt ./...

.PHONY: generate
generate: ## make the generated files anew: pages, OpenAPI
	go tool templ generate -path internal/server
	go run ./cmd/andmerada openapi > schemas/openapi.yaml

FUZZTIME ?= 30s

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (30s)
	@set -e; for pkg in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "$$pkg $$target"; go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5x $$pkg; \
		done; \
	done

.PHONY: bench
bench: engine build ## measure on this machine: ingest against ClickHouse's own Kafka engine, verdicts, bytes, answers
	@go run ./cmd/bench $(ARGS)

.PHONY: clean
clean: ## remove what was built, and the demo's data
	rm -rf bin data
