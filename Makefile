# Tasks of Andmerada. "make help" lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help

BIN  := bin/andmerada
LINT := bin/golangci-lint
PROM := bin/promtool
# The race detector needs a C compiler; without one the tests run without it.
RACE := $(if $(shell command -v gcc),-race)

.PHONY: help
help: ## list the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

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
	go test $(RACE) -timeout 20m ./...

.PHONY: chaos
chaos: engine ## break everything, on three brokers: all faults of docs/reliability.md (20 minutes)
	go test -tags chaos -timeout 30m $(ARGS) ./internal/chaos

.PHONY: check
check: test lint rules ## what CI runs

.PHONY: lint
lint: $(LINT) ## formatting and lint
	$(LINT) run ./...

$(LINT): .ci/tools/go.mod .ci/tools/go.sum
	go build -modfile=.ci/tools/go.mod -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: rules
rules: $(PROM) ## the alerts and the queries of the dashboards, by Prometheus' own tool
	$(PROM) check rules deploy/prometheus/*.rules.yaml deploy/prometheus/alerts.yaml
	$(PROM) test rules deploy/prometheus/alerts_test.yaml deploy/prometheus/dashboards_test.yaml

# Without the ways of finding hosts in clouds, which are most of it.
$(PROM): .ci/tools/promtool.mod .ci/tools/promtool.sum
	go build -modfile=.ci/tools/promtool.mod -tags remove_all_sd -o $@ github.com/prometheus/prometheus/cmd/promtool

.PHONY: format
format: $(LINT) ## format all Go files
	$(LINT) fmt ./...

.PHONY: generate
generate: ## make the generated files anew: pages, OpenAPI
	go tool templ generate -path internal/server
	go run ./cmd/andmerada openapi > schemas/openapi.yaml

# Reports are looked at, too: no test sees a word that is cut.
IMAGES ?= bin/report-images

.PHONY: report-images
report-images: ## draw each report in each language, to be looked at, into IMAGES (bin/report-images)
	@command -v pdftoppm >/dev/null || { echo "pdftoppm is not installed (Debian: apt-get install poppler-utils)" >&2; exit 1; }
	@rm -rf $(IMAGES) && mkdir -p $(IMAGES)
	REPORTS_TO=$(abspath $(IMAGES)) go test -count=1 -run '^TestReports$$' ./internal/report
	@for f in $(IMAGES)/*.pdf; do pdftoppm -r 80 -png "$$f" "$${f%.pdf}"; done; ls $(IMAGES)/*.png | wc -l

FUZZTIME ?= 30s

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (30s)
	@set -e; for pkg in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "$$pkg $$target"; go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5x $$pkg; \
		done; \
	done

.PHONY: bench
bench: engine build ## measure on this machine, against others, into docs/performance.md (ARGS=--quick: three minutes)
	-@.ci/build-collector
	@go run ./cmd/bench --doc docs/performance.md $(ARGS)

.PHONY: bench-answers
bench-answers: engine ## ask a hundred million events, into docs/performance.md (plants them once: ten minutes, 10 GB)
	@go run ./cmd/bench --only asked --doc docs/performance.md $(ARGS)

.PHONY: clean
clean: ## remove what was built, and the demo's data
	rm -rf bin data
