# Each line is what you could type yourself with the environment active: source .venv/bin/activate

SHELL := /bin/bash -o pipefail
PYTHON ?= python3
VENV ?= .venv
CORES ?= 2
INSTALLED := $(VENV)/.installed

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Snakemake and DVC need a home and a name, which a user without an entry in the system, as in a container, has not.
export HOME ?= /tmp
export USER ?= user$(shell id -u)
# One thread a process: the workflow runs as many processes as there are cores.
export OMP_NUM_THREADS := 1

.PHONY: help install replicate record status prune paper test test-all lint lock schema bench clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

install: $(INSTALLED)  ## create .venv with the versions of requirements.lock, and compile layers

$(INSTALLED): pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[test,lint,deploy,explain]'
	lowparam build
	@touch $@

replicate: $(INSTALLED)  ## run every experiment that params.yaml lists under `replicate`
	lowparam run all overview --cores $(CORES) 2>&1 | lowparam progress

record: $(INSTALLED)  ## record results with DVC: those of replicate, or make record EXPERIMENT=fashion_mnist
	lowparam dvc-files $(EXPERIMENT)
	dvc repro $(if $(EXPERIMENT),results/$(EXPERIMENT)/dvc.yaml)
	lowparam run overview

paper: $(INSTALLED)  ## compile paper/paper.pdf from the results that are there; needs LaTeX
	lowparam paper

status: $(INSTALLED)  ## show runs, disk, and what dvc repro would do
	@lowparam status

prune: $(INSTALLED)  ## delete results that params.yaml no longer requires, after confirmation
	@lowparam prune

test: $(INSTALLED)  ## run the fast tests, as many files at a time as there are cores
	pytest -n auto --maxprocesses 8 --dist loadfile

test-all: $(INSTALLED)  ## run all tests, the slow ones too
	pytest -m '' -n auto --maxprocesses 8 --dist loadfile

lint: $(INSTALLED)  ## check code, types, spelling and workflow, as .pre-commit-config.yaml lists it
	pre-commit run --all-files --show-diff-on-failure

lock: $(INSTALLED)  ## write the versions of the present environment into requirements.lock
	{ sed -n '/^#/p' requirements.lock; pip freeze --exclude-editable; } > .requirements.lock && mv .requirements.lock requirements.lock

schema: $(INSTALLED)  ## write the JSON schema of params.yaml for editors
	lowparam schema > docs/params.schema.json
	lowparam schema recipes.yaml > docs/recipes.schema.json

bench: $(INSTALLED)  ## measure speed against ten lines and a textbook loop; needs a quiet machine
	python benchmarks/throughput.py --size 8
	python benchmarks/throughput.py --size 28
	python benchmarks/throughput.py --size 32
	python benchmarks/runs_per_hour.py
	python benchmarks/roofline.py
	python benchmarks/overhead.py digits

clean:  ## remove the environment and the logs, no results
	rm -rf $(VENV) logs .pytest_cache .ruff_cache
