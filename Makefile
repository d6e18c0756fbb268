# The commands of the project. `make` alone lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
# The project's own Node, whatever the machine has.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
# Stripped and compiled sources are kept: the second start is quicker and needs 30 MB less.
export NODE_COMPILE_CACHE := $(CURDIR)/node_modules/.cache/node-compile
# A small box: give memory back early, yet not so early that an event waits for it (docs/decisions/0011-memory-and-pauses.md).
# The same words stand in package.json for those who have no make.
NODE_FLAGS := --max-semi-space-size=4 --max-old-space-size=256 --disable-warning=ExperimentalWarning
INSTALLED := node_modules/.package-lock.json
TESTS := 'shared/test/**/*.test.ts' 'broker/test/**/*.test.ts' 'services/*/test/**/*.test.ts' 'docs/test/**/*.test.ts'

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

$(INSTALLED): package.json package-lock.json shared/package.json broker/package.json $(wildcard services/*/package.json)
	@.ci/install-node-modules
	@touch $(INSTALLED)

.PHONY: install
install: $(INSTALLED) ## the packages of the project, from the npm registry

.PHONY: start
start: $(INSTALLED) ## broker and services in one process, data in ./data
	@exec node $(NODE_FLAGS) services/embedded/src/main.ts

.PHONY: demo
demo: $(INSTALLED) ## the same with a simulated house, data in ./demo-data
	@exec node $(NODE_FLAGS) services/embedded/src/demo.ts

.PHONY: credentials
credentials: $(INSTALLED) ## user, password and token of the first login
	@mesh credentials

.PHONY: import-legacy
import-legacy: $(INSTALLED) ## takes over the old site: FROM=dump.sql or mysql://…, CONNECT=connect.py
	@mesh import-legacy $(if $(FROM),'$(FROM)') $(if $(CONNECT),--connect '$(CONNECT)')

.PHONY: check
check: $(INSTALLED) ## types, style, generated documents, and the tests that need neither root nor services
	tsc -p .
	biome check --error-on-warnings .
	node docs/generate/main.ts --check
	node --test --test-reporter=dot --test-concurrency=2 $(TESTS)

.PHONY: test
test: $(INSTALLED) ## everything: make check, then other people's clients, a real browser, containers
	@.ci/install-test-programs
	$(MAKE) --no-print-directory check
	TZ=Pacific/Auckland node --test --test-reporter=dot 'shared/test/**/*.test.ts' 'services/db-writer/test/*.test.ts' 'services/sse-gateway/test/*.test.ts'
	node --test --test-concurrency=1 'e2e/*.test.ts'

.PHONY: format
format: $(INSTALLED) ## rewrite the sources in the project's style
	biome check --write .

.PHONY: docs
docs: $(INSTALLED) ## rewrite the generated documents
	node docs/generate/main.ts

.PHONY: bench
bench: $(INSTALLED) ## what the mesh costs, beside bare peers in the same run
	node bench/main.ts

.PHONY: bench-broker
bench-broker: $(INSTALLED) ## the broker beside mosquitto
	@.ci/install-test-programs mosquitto
	node bench/broker/main.ts

.PHONY: bench-db
bench-db: $(INSTALLED) ## from MQTT to SQL on both databases, beside a bare insert
	@.ci/install-test-programs
	node bench/db/main.ts

.PHONY: bench-sse
bench-sse: $(INSTALLED) ## event streams beside nginx with nchan
	@.ci/install-test-programs nginx
	node bench/sse/main.ts

.PHONY: chaos
chaos: $(INSTALLED) ## kills broker and database service over and over, and counts what is lost
	node broker/test/chaos/main.ts

.PHONY: fuzz
fuzz: $(INSTALLED) ## a million broken packets against the broker
	node broker/test/hostile/main.ts
