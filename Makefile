# Every target installs what it needs by itself; nothing has to be prepared. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help build demo test lint bench simulation chaos chaos-bites fresh-machine docs clean

help: ## this list
	@printf 'make TARGET [NAME=value]\n\n'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

build: ## the release binary, .build/release/campaign-bridge
	@scripts/build

demo: build ## the whole bridge without Kafka, on this terminal; ARGS="--once 200" runs 200 events and ends
	@.build/release/campaign-bridge demo $(ARGS)

test: ## every test; those of a real broker if there is one; PARTS="swift acceptance" runs only these parts
	@PARTS="$(PARTS)" scripts/test

lint: ## format, scripts, YAML, Python, and what may not be committed
	@scripts/lint

bench: build ## one table of throughput, CPU time and memory, measured on a real broker
	@scripts/bench

simulation: ## seeded histories of the core; HISTORIES=20000 SEED=1 TRACE=1; FAULTS=1 then breaks each rule and looks whether it is noticed
	@HISTORIES="$(HISTORIES)" SEED="$(SEED)" TRACE="$(TRACE)" FAULTS="$(FAULTS)" scripts/simulation

chaos: build ## kills, stops and outages on a real broker, and the verdict; MINUTES=10 SEED=1 REPLICAS=3 NODES=3 KILLS=1 REKEY=1
	@MINUTES="$(MINUTES)" SEED="$(SEED)" REPLICAS="$(REPLICAS)" NODES="$(NODES)" GAP="$(GAP)" KILLS="$(KILLS)" \
	  REKEY="$(REKEY)" WITHOUT="$(WITHOUT)" scripts/chaos

chaos-bites: ## the same with a bridge that is broken on purpose: the judge must find it; FAULTS="unknownIsTriedAgain"
	@FAULTS="$(FAULTS)" MINUTES="$(MINUTES)" SEED="$(SEED)" scripts/chaos-bites

fresh-machine: ## a bare Debian 13 that runs the README's commands (root, debootstrap); FRESH_TEST=1 runs make test too
	@scripts/fresh-machine

docs: ## the generated reference pages and schemas under docs
	@scripts/docs

clean: ## what was built; not the test tools under .cache
	@rm -rf .build
