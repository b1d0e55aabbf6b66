# The developer's menu. Every target calls a script that also runs without make.
.DEFAULT_GOAL := help
PY = .venv/bin/python
ID ?= services/no-such-lab

.PHONY: help start test demo bench fmt lint types unit kernel kubectl conformance class labs context-labs kind-labs lab notebooks browser book dist packages fuzz policy-fuzz clean
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-11s %s\n", $$1, $$2}' Makefile
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
	.venv/bin/ruff check . && .venv/bin/lint-imports && .venv/bin/codespell src docs labs solutions checkers tests scripts container *.md
types: ## mypy
	.venv/bin/mypy
unit: ## tests that need neither root nor Linux namespaces
	$(PY) -m pytest tests/unit
kernel: ## tests of the data plane in fresh namespaces
	$(PY) -m pytest tests/kernel
kubectl: ## tests with real kubectl
	$(PY) -m pytest tests/kubectl
conformance: ## the promises of Kubernetes' conformance specs; PODWALK_E2E_TEST=e2e.test runs the original's too
	$(PY) -m pytest tests/conformance
recordings: ## compare with recordings of a real Kubernetes: make recordings PODWALK_RECORDINGS=folder
	PODWALK_RECORDINGS_ALL=1 PODWALK_RECORDINGS="$(PODWALK_RECORDINGS)" $(PY) -m pytest tests/recordings
class: ## thirty learners do a lab at once, each on a cluster of their own; PODWALK_LEARNERS=8 for fewer
	PODWALK_LEARNERS=$${PODWALK_LEARNERS:-30} $(PY) -m pytest tests/kernel/classroom/test_all_at_once.py
labs: ## every lab proves itself
	$(PY) -m pytest tests/labs
context-labs: ## labs on a cluster that several learners share, with every answer
	PODWALK_CONTEXT_LABS=all $(PY) -m pytest tests/contract/test_context_labs.py
kind-labs: ## every lab that runs on kind, through --backend kind
	PODWALK_KIND_LABS=each $(PY) -m pytest tests/kind
lab: ## one lab proves itself: make lab ID=services/…
	$(PY) -m pytest tests/labs -k "$(notdir $(ID))"
fuzz: ## ten minutes of bad input for the API server, other than yesterday's
	PODWALK_FUZZ_EXAMPLES=4000 $(PY) -m pytest tests/robustness/test_fuzz.py --timeout 900
policy-fuzz: ## ten minutes of random policies: do packets and evaluator agree?
	$(PY) tests/kernel/policy/policy_random.py 600
notebooks: ## every chapter runs from top to bottom
	$(PY) -m pytest tests/notebooks
browser: ## JupyterLab in a headless Chromium; the pictures go to build/screenshots
	$(PY) -m pytest tests/browser
book: ## all chapters, executed, as HTML pages in build/book
	$(PY) scripts/book.py
dist: ## sdist and wheel, in dist
	$(PY) -m hatchling build
packages: ## the system packages that podwalk installs
	@. scripts/setup.sh; echo $$PODWALK_PACKAGES
clean: ## remove the virtual environment and caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
