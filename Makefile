# A fresh machine needs two commands: `make demo` and `make test`.
PYTHON ?= python3
PY := .venv/bin/python
DEMO := data/demo
RUN := outputs/demo_actvae

.PHONY: demo test lint bench clean

demo: .venv/installed
	$(PY) -m dataset.synthetic --out $(DEMO)
	$(PY) -m dataset.penn_action --root $(DEMO) --out $(DEMO)/lists
	rm -rf $(RUN) logs/demo_actvae
	$(PY) train_actvae.py --config config/demo_actvae.yaml
	$(PY) train_actvae.py --config config/demo_actvae.yaml --test --resume
	@echo
	@echo "Open the gallery in a browser:  $(CURDIR)/$(RUN)/test/index.html"

test: .venv/installed
	$(PY) -m pytest

lint: .venv/installed
	$(PY) -m ruff check .

bench: .venv/installed
	$(PY) -m utils.benchmark pose

.venv/installed: requirements.txt
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --requirement requirements.txt
	touch $@

clean:
	rm -rf .venv $(DEMO) outputs logs
