# The developer's menu. Every target calls a script that also runs without make.
.DEFAULT_GOAL := help
PY = .venv/bin/python
ID ?= services/no-such-lab

.PHONY: help start test demo bench fmt lint types unit kernel kubectl labs lab notebooks packages clean
help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' Makefile
start: ## install what is missing, start a cluster, open JupyterLab
	./start
test: ## everything that CI runs
	./test
demo: ## one lab from ticket to full marks, in the terminal
	./demo
bench: ## measure: start, Pods, Services, labs, memory
	$(PY) scripts/bench.py
fmt: ## format
	.venv/bin/ruff format . && .venv/bin/ruff check --fix .
lint: ## lint, import direction, spelling
	.venv/bin/ruff check . && .venv/bin/lint-imports && .venv/bin/codespell src docs labs solutions checkers tests scripts README.md
types: ## mypy
	.venv/bin/mypy
unit: ## tests that need neither root nor Linux namespaces
	$(PY) -m pytest tests/unit
kernel: ## tests of the data plane in fresh namespaces
	$(PY) -m pytest tests/kernel
kubectl: ## tests with real kubectl
	$(PY) -m pytest tests/kubectl
labs: ## every lab proves itself
	$(PY) -m pytest tests/labs
lab: ## one lab proves itself: make lab ID=services/…
	$(PY) -m pytest tests/labs -k "$(notdir $(ID))"
notebooks: ## every chapter runs from top to bottom
	$(PY) -m pytest tests/notebooks
packages: ## the system packages that podwalk installs
	@. scripts/setup.sh; echo $$PODWALK_PACKAGES
clean: ## remove the virtual environment and caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
