# A fresh machine needs two commands: `make demo` and `make test`.
PYTHON ?= python3
PY := .venv/bin/python
DEMO := data/demo
RUNS := outputs/demo_actvae outputs/demo_p2i

.PHONY: demo photo app logs test torture lint bench gpu-check clean

# The small pose network is faster on one thread.
demo: .venv/installed
	$(PY) -m dataset.synthetic --out $(DEMO) --people 2
	$(PY) train_actvae_p2inetwork.py --config pretrain/people/config.yaml --name _demo --test --pretrain pretrain/people \
	    --image $(DEMO)/frames/0041/000001.jpg --action jumping_jacks --loop --out outputs/demo_photo
	@echo
	@echo "A drawn person set in motion by the shipped weights; open this while small networks are trained from scratch:"
	@echo "  clips             file://$(CURDIR)/outputs/demo_photo/index.html"
	@echo
	$(PY) -m dataset.penn_action --root $(DEMO) --out $(DEMO)/lists
	rm -rf $(RUNS) $(RUNS:outputs/%=logs/%)
	OMP_NUM_THREADS=1 $(PY) train_actvae.py --config config/demo_actvae.yaml
	$(PY) train_actvae.py --config config/demo_actvae.yaml --test --resume --limit 252
	$(PY) train_actvae_p2inetwork.py --config config/demo_p2i.yaml --vae_path outputs/demo_actvae
	$(PY) train_actvae_p2inetwork.py --config config/demo_p2i.yaml --test --resume --limit 108
	@echo
	@echo "Open these in a browser:"
	@echo "  clips of a photo  file://$(CURDIR)/outputs/demo_photo/index.html"
	@echo "  predicted motion  file://$(CURDIR)/outputs/demo_actvae/test/index.html"
	@echo "  predicted videos  file://$(CURDIR)/outputs/demo_p2i/test/index.html"

# make photo IMAGE=me.jpg ACTION=golf_swing [POSE=me.json] [MASK=me_mask.png] [OPTIONS="--smooth --loop"], or MOTION=dance.mp4;
# ACTION=list prints the names
quoted = '$(subst ','\'',$(1))'
photo: .venv/installed
	@$(if $(IMAGE)$(filter list,$(ACTION)),,echo "no photo is given: make photo IMAGE=me.jpg ACTION=golf_swing" >&2; exit 2)
	$(PY) train_actvae_p2inetwork.py --config pretrain/people/config.yaml --name _photo --test --pretrain pretrain/people \
	    $(if $(filter list,$(ACTION)),,--image $(call quoted,$(IMAGE))) \
	    $(if $(MOTION),--motion $(call quoted,$(MOTION))) $(if $(ACTION)$(if $(MOTION),,x),--action $(call quoted,$(or $(ACTION),all))) \
	    $(if $(POSE),--pose $(call quoted,$(POSE))) $(if $(MASK),--mask $(call quoted,$(MASK))) $(OPTIONS)

# The curves and sample sheets of all runs. TensorBoard is not among the requirements.
logs:
	@if $(PY) -c "import tensorboard" 2>/dev/null; then exec $(PY) -m tensorboard.main --logdir logs; \
	elif command -v tensorboard >/dev/null; then exec tensorboard --logdir logs; \
	else echo "TensorBoard is not installed: $(PY) -m pip install tensorboard, then make logs again" >&2; exit 2; fi

# make app [HOST=0.0.0.0] [PORT=8000]
app: .venv/app
	$(PY) app.py $(if $(HOST),--host $(HOST)) $(if $(PORT),--port $(PORT))

# On all cores; the tests of a file stay together, because they share what they prepare.
test: .venv/installed
	$(PY) -m pytest -n auto --maxprocesses 8 --dist loadfile

# Many kills, signals and starts of jobs, full outputs and disks, and 10,000 examples in every test of arbitrary input.
torture: .venv/installed
	$(PY) -m pytest -s --kills 50 --starts 200 --hypothesis-profile=torture \
		-k "killed_again or test_any_ or signals_to_the_whole_group or output_that_cannot or disk_that_fills_up or busy_machine"

lint: .venv/installed
	$(PY) -m ruff check .

bench: .venv/installed
	$(PY) -m tools.benchmark pose
	$(PY) -m tools.benchmark p2i
	$(PY) -m tools.benchmark processes

# On a machine with a CUDA GPU, about five minutes; the report is gpu_check.txt.
gpu-check: .venv/installed
	$(PY) -m tools.gpu_check

.venv/installed: requirements.txt
	$(PYTHON) -m venv .venv
	@echo "installing into .venv: a few minutes, about 6 GB on Linux (PyTorch with its CUDA libraries) ..."
	$(PY) -m pip install --quiet --requirement requirements.txt
	$(PY) -m pose.blazepose_weights
	touch $@

.venv/app: requirements-app.txt .venv/installed
	$(PY) -m pip install --quiet --requirement requirements.txt --requirement requirements-app.txt
	touch $@

clean:
	rm -rf .venv $(DEMO) outputs logs
