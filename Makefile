# SPDX-License-Identifier: Apache-2.0
# The front of the build. Each target installs what it needs (tools/install-packages).

PRESET ?= release
BUILD := build/$(PRESET)
BIN := $(BUILD)/bin
PREFIX ?= /usr/local
PORT ?= 8080
PROGRAMS := wsf wsf-operator wsf-gateway wsf-sidecar wsf-report
# Debian's own: its packages (websockets, pytest) belong to it.
PYTHON := /usr/bin/python3
REPORTS := build/reports
# The end-to-end tests of what hostile peers reach.
SANITIZED := $(addprefix tests/e2e/test_,ends.py limits.py smuggling.py gateway_door.py handshakes.py relay_port.py functions.py)

.PHONY: help run build test unit-test e2e-test fault-test soak conformance conformance-test fuzz sanitize \
  lint bench install packages clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

run: build ## build, then serve the echo example; Ctrl-C ends everything
	@$(BIN)/wsf dev -p $(PORT) examples/echo-python

build: packages ## build all programs into build/release/bin
	@test -f $(BUILD)/build.ninja || cmake --preset $(PRESET) >/dev/null
	@cmake --build $(BUILD)

test: build examples/echo-node/node_modules tests/clients/node_modules ## unit and end-to-end tests, one closing line
	@rm -rf $(REPORTS) && mkdir -p $(REPORTS)
	@status=0; $(MAKE) --no-print-directory -k unit-test e2e-test fault-test || status=1; \
	  tools/summary || status=1; exit $$status

unit-test:
	@$(BIN)/wsf-unit-tests --gtest_brief=1 --gtest_output=xml:$(REPORTS)/unit.xml

fault-test:
	@WSF_BIN=$(abspath $(BIN)) $(PYTHON) -m pytest -q -p no:cacheprovider \
	  --junitxml=$(REPORTS)/fault.xml tests/fault

soak: build ## 20,000 sessions under random kills of every part; WSF_SOAK_SEED=... replays
	@WSF_SOAK_SESSIONS=$${WSF_SOAK_SESSIONS:-20000} WSF_BIN=$(abspath $(BIN)) \
	  $(PYTHON) -m pytest -q -s -p no:cacheprovider tests/fault/test_soak.py

e2e-test:
	@WSF_BIN=$(abspath $(BIN)) $(PYTHON) -m pytest -q -p no:cacheprovider \
	  --junitxml=$(REPORTS)/e2e.xml tests/e2e

conformance: build build/autobahn/bin/wstest tests/clients/node_modules ## Autobahn's 517 cases, direct and through us
	@WSF_AUTOBAHN=all $(MAKE) --no-print-directory conformance-test

conformance-test: build/autobahn/bin/wstest tests/clients/node_modules
	@mkdir -p $(REPORTS)
	@WSF_BIN=$(abspath $(BIN)) $(PYTHON) -m pytest -q -p no:cacheprovider \
	  --junitxml=$(REPORTS)/conformance.xml tests/conformance

build/autobahn/bin/wstest: tests/conformance/install-autobahn $(wildcard tests/conformance/autobahn*)
	@tests/conformance/install-autobahn build/autobahn

sanitize: packages examples/echo-node/node_modules tests/clients/node_modules ## unit and end-to-end tests under ASan and UBSan
	@$(MAKE) --no-print-directory sanitize-build
	@mkdir -p $(REPORTS)
	@status=0; export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1; \
	  build/asan/bin/wsf-unit-tests --gtest_brief=1 --gtest_output=xml:$(REPORTS)/unit-asan.xml \
	    || status=1; \
	  WSF_BIN=$(abspath build/asan/bin) $(PYTHON) -m pytest -q -p no:cacheprovider \
	    --junitxml=$(REPORTS)/e2e-asan.xml $(SANITIZED) || status=1; exit $$status

sanitize-build: packages
	@cmake --preset asan >/dev/null && cmake --build --preset asan

fuzz: packages ## every fuzz target for WSF_FUZZ_SECONDS (60)
	@cmake --preset fuzz >/dev/null && cmake --build --preset fuzz
	@tests/fuzz/run build/fuzz/bin

%/node_modules: %/package-lock.json
	@cd $* && npm ci --silent --no-audit --no-fund && touch node_modules

lint: packages ## format, include edges, coroutine rules, shell scripts
	@clang-format --dry-run -Werror $$(git ls-files '*.h' '*.cc')
	@tools/lint/includes
	@tools/lint/coroutines $$(git ls-files '*.h' '*.cc')
	@shellcheck .ci/run tools/install-packages tests/conformance/install-autobahn
	@echo "lint: clean"

bench: build ## compare sidecar and gateway with a bare relay in one run; prints ratios
	@$(PYTHON) tests/bench/relay_bench.py --bin $(BIN)
	@$(PYTHON) tests/bench/start_bench.py --bin $(BIN)

install: build ## copy the programs to PREFIX/bin
	@install -d $(DESTDIR)$(PREFIX)/bin
	@install -s $(addprefix $(BIN)/,$(PROGRAMS)) $(DESTDIR)$(PREFIX)/bin

packages:
	@tools/install-packages

clean: ## remove build/
	@rm -rf build
