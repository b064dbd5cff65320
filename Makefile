# One word for each thing one does here; `make help` lists them. CI calls the same targets.

.DEFAULT_GOAL := help
SHELL := /bin/bash

export SWIFT ?= swift
# Ours only: SwiftPM silences the packages we use, so their warnings never break this.
STRICT := -Xswiftc -warnings-as-errors
SWIFT_FILES := Sources Tests Benchmarks Package.swift

.PHONY: help demo demo-slurm test churn check build library up down lint format bench quotas faults fuzz setup deps deps-test deps-slurm deps-bench deps-matchers matchers

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build ## play thousands of job events into signed webhooks on this machine, and prove none was lost
	Scripts/demo

demo-slurm: deps-slurm build ## start a real Slurm on loopback, run its jobs, show their notifications, stop it
	examples/slurm/demo

# One test at a time: many of them block on purpose, and the two cores' worth of threads that Swift gives them run out.
test: deps-test ## build everything, our warnings being errors, and run all tests
	$(SWIFT) build --build-tests $(STRICT)
	$(SWIFT) test --skip-build --no-parallel $(STRICT) --skip 'SimulationTests|CrashTests'
	$(SWIFT) test --skip-build --no-parallel $(STRICT) --filter SimulationTests
	$(SWIFT) test --skip-build --no-parallel $(STRICT) --filter CrashTests
	Tests/Fuzz/run short

churn: deps-test ## 100,000 events over Kafka and PostgreSQL while workers, stores and network fail; 4 to 30 minutes
	$(SWIFT) build --build-tests $(STRICT)
	CARILLON_CHURN=full $(SWIFT) test --skip-build --no-parallel $(STRICT) --filter ChurnTests

check: lint test ## what a change must pass: lint and test

build: deps ## build the release binary: .build/release/carillon
	Scripts/release carillon

library: deps ## build libcarillon.so and carillon.h into .build/library, for programs in C and whatever calls C
	Scripts/release CarillonC
	Scripts/make-library

up: ## start docker-compose.yml: Kafka, PostgreSQL, a server, two workers, mail, Prometheus; wait until all are healthy
	docker compose up --build --detach --wait

down: ## stop what `make up` started; the data stays, `docker compose down --volumes` removes it
	docker compose down

lint: ## say where the code strays from .swift-format
	$(SWIFT) format lint --strict --recursive $(SWIFT_FILES)

format: ## rewrite the code as .swift-format has it
	$(SWIFT) format --in-place --recursive $(SWIFT_FILES)

faults: churn quotas ## both long tests: workers, brokers and databases killed, cut off and restarted (some 20 minutes)

quotas: deps-test ## the long test of quotas: 16 processes, 100,000 deliveries, kills, crashes, clock steps (some 15 minutes)
	$(SWIFT) build --build-tests $(STRICT)
	CARILLON_QUOTA_DELIVERIES=100000 CARILLON_QUOTA_WORKERS=16 $(SWIFT) test --skip-build $(STRICT) --filter QuotaProcessTests

bench: deps-bench build ## measure against the limits of this machine, in one run
	Benchmarks/run

matchers: deps-matchers ## measure the matcher side by side with event-ruler and quamina, fetched outside this folder
	Benchmarks/matchers

fuzz: deps ## search for input that breaks a reader, five minutes each; Tests/Fuzz/run has more
	Tests/Fuzz/run long

setup: ## prepare this clone for committing: the commit template
	git config commit.template Scripts/commit.template

deps:
	@Scripts/install-deps

deps-test:
	@Scripts/install-deps test

deps-slurm:
	@Scripts/install-deps slurm

deps-bench:
	@Scripts/install-deps bench

deps-matchers:
	@Scripts/install-deps matchers
