# Every target installs what it needs into .venv first; an installation that is up to date takes a moment.
# On a machine with ROS 2 from apt the same targets use their own .venv beside it.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help install demo test lint bench clean distclean

enter := . ./env.sh &&
export RISE_WAY := wheels

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: ## install everything into .venv
	@scripts/install_wheels.sh

demo: install ## from a ROS 2 bag to a policy that improved itself; writes runs/demo
	@$(enter) python -m rise_learning.demo --out runs/demo $(DEMO_ARGS)

test: install ## all tests; PYTEST_ARGS="-k ensembler" narrows them
	@$(enter) scripts/test.sh $(PYTEST_ARGS)

lint: install ## ruff, mypy on the cores, ament-style checks, shellcheck
	@$(enter) ruff check . && ruff format --check . && mypy && python scripts/lint_packages.py && \
	    shellcheck --external-sources env.sh scripts/*.sh docker/*.sh .ci/run

bench: install ## measurements as JSON
	@$(enter) python -m rise_learning.bench $(BENCH_ARGS)

clean: ## remove what builds (with apt: the workspace) and tests leave behind, keep .venv, runs and bags
	rm -rf build install log .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## remove .venv as well
	rm -rf .venv .venv-apt .venv.lock
