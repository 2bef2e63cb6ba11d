# make demo    run the demo catalogue and say where its report lies
# make test    ruff, mypy --strict, pytest
# make serve   Prefect server, worker and deployments on localhost:4200
# make lint    only ruff and mypy
# make train   train the embedded editor anew (a GPU, or a night)
# make setup   only what all of them do first; instant when nothing has changed
SHELL := /bin/bash
.DEFAULT_GOAL := demo
.PHONY: demo test serve lint train setup

PYTHON := .venv/bin/python
# processes that the tests run in, each with its own servers
JOBS ?= 2
LOCK := requirements.lock pyproject.toml .ci/setup

setup: .venv/.ready

.venv/.ready: $(LOCK)
	@.ci/setup run
	@touch $@

.venv/.ready-test: $(LOCK)
	@.ci/setup test
	@touch $@ .venv/.ready

# exit code 1 means flags, and the demo has some on purpose: the closing table says which
demo: setup
	@.venv/bin/packline run catalogs/demo.csv; code=$$?; [ $$code -le 1 ] || exit $$code

serve: setup
	@.venv/bin/packline serve

train: setup
	$(PYTHON) -m training

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

test: .venv/.ready-test lint
	.venv/bin/pytest -n $(JOBS) --dist loadgroup
