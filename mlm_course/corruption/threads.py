"""How many threads a batch deserves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

WORTH_SHARING = 1 << 18


@contextmanager
def one_thread(size: int = 0) -> Iterator[None]:
    """A stretch of code in which torch uses one thread, unless `size` numbers are worth sharing.

    Torch shares out anything from 32,768 numbers on. A batch that small takes 20 microseconds, but
    waiting for the second thread takes milliseconds whenever that core is busy with something else.
    """
    threads = torch.get_num_threads()
    if threads == 1 or size > WORTH_SHARING:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
