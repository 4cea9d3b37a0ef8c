# Every target is one call of tasks.py, which also runs without make: python tasks.py lab
PYTHON ?= python3
export LAB_ARGS TORCH

.PHONY: lab test notebooks build test-colab bench
lab test notebooks build test-colab bench:
	@$(PYTHON) tasks.py $@
