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
# Tests wait more than they compute: more of them at a time than there are cores.
WORKERS ?= 4
PYTEST := $(PYTHON) -m pytest -q
REPORTS := build/reports
# Of the tools that make cluster-tools builds, or any other.
export PATH := $(PATH):$(CURDIR)/build/cluster/bin
KUBECTL ?= $(firstword $(wildcard build/cluster/bin/kubectl) kubectl)
IMAGES := build/images/built
CHART_FILES := $(addprefix deploy/,crd/websocketfunctions.wsf.dev.yaml rbac/roles.yaml \
  components/monitoring/prometheus_rule.yaml components/monitoring/dashboard.json)
# Those in which the programs with threads meet each other.
THREADED := $(addprefix tests/e2e/test_,functions.py handshakes.py sessions.py start_failures.py kubectl.py) \
  $(addprefix tests/fault/test_,api_faults.py report_faults.py herd.py)
.PHONY: help run build test node-modules unit-test e2e-test fault-test renewal-test soak repeat conformance conformance-test fuzz sanitize-unit asan tsan nightly port-abuse \
  lint tidy bench node-bench install packages clean cluster-tools cluster-test real-api-test oldest-test node-test images image-files manifests \
  chart-files resource-page delivery-packages delivery-test

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

run: build ## build, then serve the echo example; Ctrl-C ends everything
	@$(BIN)/wsf dev -p $(PORT) examples/echo-python

build: packages ## build all programs into build/release/bin
	@test -f $(BUILD)/build.ninja || cmake --preset $(PRESET) >/dev/null
	@cmake --build $(BUILD)

test: build node-modules ## unit, end-to-end and fault tests, each tier with a time limit; one closing line
	@status=0; for tier in unit e2e fault; do \
	  tools/ci/tier $$tier $(MAKE) --no-print-directory $$tier-test || status=1; done; \
	  tools/ci/summary unit e2e fault || status=1; exit $$status

node-modules: examples/echo-node/node_modules tests/clients/node_modules

unit-test:
	@$(BIN)/wsf-unit-tests --gtest_brief=1 --gtest_output=xml:$(REPORTS)/unit.xml

fault-test:
	@WSF_BIN=$(abspath $(BIN)) $(PYTEST) -n $(WORKERS) --junitxml=$(REPORTS)/fault.xml tests/fault

soak: build ## 20,000 sessions under random kills of every part; WSF_SOAK_SEED=... replays
	@WSF_SOAK_SESSIONS=$${WSF_SOAK_SESSIONS:-20000} WSF_BIN=$(abspath $(BIN)) \
	  $(PYTEST) -s tests/fault/test_soak.py

renewal-test: build ## sessions while certificates with short lives renew themselves; 12 minutes
	@mkdir -p $(REPORTS)
	@WSF_BIN=$(abspath $(BIN)) $(PYTEST) -n 2 -m nightly --junitxml=$(REPORTS)/renewal.xml tests/fault

e2e-test:
	@WSF_BIN=$(abspath $(BIN)) $(PYTEST) -n $(WORKERS) --junitxml=$(REPORTS)/e2e.xml tests/e2e

repeat: build ## TEST=... N=20: a test N times beside a load on all cores
	@WSF_BIN=$(abspath $(BIN)) tools/repeat $(or $(N),20) $(TEST)

conformance: build build/autobahn/bin/wstest node-modules ## Autobahn's 517 cases, direct and through us
	@WSF_AUTOBAHN=all $(MAKE) --no-print-directory conformance-test

conformance-test: build build/autobahn/bin/wstest node-modules
	@mkdir -p $(REPORTS)
	@WSF_BIN=$(abspath $(BIN)) $(PYTEST) -n $(WORKERS) \
	  --junitxml=$(REPORTS)/conformance.xml tests/conformance

build/autobahn/bin/wstest: tests/conformance/install-autobahn $(wildcard tests/conformance/autobahn*)
	@tests/conformance/install-autobahn build/autobahn

sanitize-unit: packages
	@cmake --preset asan >/dev/null && cmake --build --preset asan --target wsf-unit-tests
	@WSF_SEEDS=20000 tests/sanitize/run sanitize build/asan/bin

asan: packages node-modules ## unit, end-to-end and fault tests under ASan, LSan and UBSan
	@cmake --preset asan >/dev/null && cmake --build --preset asan
	@WSF_SEEDS=20000 tests/sanitize/run asan build/asan/bin tests/e2e tests/fault

tsan: packages node-modules ## what has threads (operator, wsf-report, supervisor) under TSan
	@cmake --preset tsan >/dev/null && cmake --build --preset tsan
	@tests/sanitize/run tsan build/tsan/bin $(THREADED)

fuzz: packages ## every fuzz target for WSF_FUZZ_SECONDS (60)
	@cmake --preset fuzz >/dev/null && cmake --build --preset fuzz
	@tests/fuzz/run build/fuzz/bin

nightly: packages ## what takes longer than CI may: part after part, resumed where it stopped
	@tools/ci/nightly

manifests: ## deploy/default as one file, dist/install.yaml, and what drains it, dist/drain.yaml
	@mkdir -p dist
	@$(KUBECTL) kustomize deploy/default >dist/install.yaml
	@$(KUBECTL) kustomize deploy/drain >dist/drain.yaml

chart-files: ## copy into the chart what it shares with deploy/
	@cp $(CHART_FILES) charts/wsf/files/

resource-page: delivery-packages ## docs/resource.md from the resource's definition
	@tools/resource-page deploy/crd/websocketfunctions.wsf.dev.yaml >docs/resource.md

delivery-test: delivery-packages cluster-tools $(IMAGES) ## manifests, chart, alerts and images, by the real tools
	@mkdir -p $(REPORTS)
	@$(PYTEST) -n $(WORKERS) --junitxml=$(REPORTS)/delivery.xml tests/delivery

cluster-tools: packages ## build Kubernetes and its tools into build/cluster/bin (4 minutes, once)
	@tools/install-packages tools/cluster-packages.txt
	@tests/cluster/tools/build build/cluster/bin

cluster-test: build cluster-tools manifests ## the operator and the resource on a real API server
	@mkdir -p $(REPORTS)
	@WSF_BIN=$(abspath $(BIN)) $(PYTEST) -n $(WORKERS) --junitxml=$(REPORTS)/api.xml tests/cluster/api

real-api-test: build cluster-tools ## the suite of `wsf dev` on a real API server
	@mkdir -p $(REPORTS)
	@WSF_BIN=$(abspath $(BIN)) PYTHONPATH=tests/cluster $(PYTEST) -n $(WORKERS) -p real_api -m "api and not nightly" \
	  --junitxml=$(REPORTS)/real-api.xml tests/e2e tests/fault
	@WSF_BIN=$(abspath $(BIN)) $(PYTEST) -m nightly --junitxml=$(REPORTS)/real-api-kills.xml tests/cluster/api

oldest-test: build cluster-tools manifests ## the tests on an API server, on the oldest one that is supported
	@tests/cluster/tools/build-oldest build/cluster/oldest
	@mkdir -p $(REPORTS)
	@WSF_KUBERNETES=$(abspath build/cluster/oldest) WSF_BIN=$(abspath $(BIN)) $(PYTEST) -n $(WORKERS) \
	  --junitxml=$(REPORTS)/oldest.xml tests/cluster/api

port-abuse: build cluster-tools ## the attacks on an operator's PORT (9443, 9444), a minute each
	@mkdir -p $(REPORTS)
	@WSF_ABUSE_SECONDS=60 WSF_BIN=$(abspath $(BIN)) $(PYTEST) -s -k $(or $(PORT),9443) \
	  --junitxml=$(REPORTS)/abuse-$(or $(PORT),9443).xml tests/cluster/api/test_port_abuse.py

node-test: build cluster-tools $(IMAGES) manifests ## sessions on real pods: a kubelet in private namespaces
	@mkdir -p $(REPORTS)
	@WSF_BIN=$(abspath $(BIN)) $(PYTEST) -rs \
	  --junitxml=$(REPORTS)/node.xml tests/cluster/node

%/node_modules: %/package-lock.json
	@cd $* && npm ci --silent --no-audit --no-fund && touch node_modules

image-files: build ## what the programs' images are made of, in build/images/files
	@images/collect $(BUILD) build/images/files

images: image-files delivery-packages ## all images, without a daemon, into build/images/*.tar
	@rm -f $(IMAGES)
	@images/build

# The tests' own: built again when a program or a file that goes in has changed.
$(IMAGES): $(addprefix $(BIN)/,$(PROGRAMS)) $(shell find images examples tests/delivery/root -type f -not -path '*/node_modules/*')
	@$(MAKE) --no-print-directory images
	@touch $@

$(addprefix $(BIN)/,$(PROGRAMS)): build
	@:

lint: build build/lint/bin/clang-tidy ## format, include edges, coroutines, lifetimes, locks, shell scripts
	@clang-format --dry-run -Werror $$(git ls-files '*.h' '*.cc')
	@tools/lint/includes
	@tools/lint/sources
	@tools/lint/json
	@tools/lint/coroutines $$(git ls-files '*.h' '*.cc')
	@shellcheck -x tests/cluster/machine-init tests/cluster/tools/build tests/cluster/tools/build-oldest tests/cluster/tools/common.sh tools/repeat .ci/run tools/install-packages tests/conformance/install-autobahn tests/sanitize/run images/build images/wsf-run
	@tools/lint/tidy $(BUILD) $$(git grep -l co_await -- '*.cc')
	@tools/lint/locks $(BUILD)
	@echo "lint: clean"

tidy: build build/lint/bin/clang-tidy ## clang-tidy over all files
	@tools/lint/tidy $(BUILD) $$(git ls-files '*.cc' ':!tests')

build/lint/bin/clang-tidy: tools/lint/requirements.txt
	@rm -rf build/lint && $(PYTHON) -m venv build/lint
	@build/lint/bin/pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r $<

bench: build ## sidecar and gateway beside their peers, starts, plans in large fleets, whole sessions; prints ratios
	@$(PYTHON) tests/bench/relay_bench.py --bin $(BIN)
	@$(PYTHON) tests/bench/start_bench.py --bin $(BIN)
	@$(BIN)/wsf-plan-bench
	@$(PYTHON) tests/bench/session_bench.py --bin $(BIN)

node-bench: build cluster-tools $(IMAGES) manifests ## connect to 101 on real pods, and with two operators
	@$(PYTHON) tests/bench/node_bench.py --bin $(BIN)
	@$(PYTHON) tests/bench/replica_bench.py --bin $(BIN)

install: build ## copy the programs to PREFIX/bin
	@install -d $(DESTDIR)$(PREFIX)/bin
	@install -s $(addprefix $(BIN)/,$(PROGRAMS)) $(DESTDIR)$(PREFIX)/bin

packages:
	@tools/install-packages

delivery-packages:
	@tools/install-packages tools/delivery-packages.txt

clean: ## remove build/
	@rm -rf build
