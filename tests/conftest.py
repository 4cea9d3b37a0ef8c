"""Fixtures that several test files ask for."""

import pytest
import torch


@pytest.fixture
def on_one_cpu_thread(monkeypatch):
    """No GPU, and one thread: results to the last bit."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
