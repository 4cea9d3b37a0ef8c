# Every target is one call of tasks.py, which also runs without make: python tasks.py lab
PYTHON ?= python3
export LAB_ARGS TORCH

TASKS = lab test test-quick test-all notebooks lessons build book book-serve test-colab test-binder test-oldest test-newest bench

.PHONY: $(TASKS)
$(TASKS):
	@$(PYTHON) tasks.py $@
