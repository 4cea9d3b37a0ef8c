"""A training that is interrupted in a notebook: one sentence, and its history is there afterwards."""

import re

import pytest
from jupyter_client.manager import start_new_kernel

pytestmark = pytest.mark.slow

START = """
import os, signal, torch
from mlm_course.corruption import DynamicMasking, Masker
from mlm_course.models import EncoderConfig, MaskedLM
from mlm_course.tokenization import MASK_ID, SPECIAL_IDS
from mlm_course.training import Recipe, fit, masked_lm_loss
ids = torch.randint(5, 30, (48, 10))
given = DynamicMasking(Masker(30, SPECIAL_IDS, MASK_ID), ids, 1), masked_lm_loss, Recipe(9, 8)

def stopping(at, times=1):
    calls, model = [], MaskedLM(EncoderConfig(30, 10, d_model=16, n_layers=1, n_heads=2))
    def press(*inputs):
        calls.append(1)
        for _ in range(times * (len(calls) == at)):
            os.kill(os.getpid(), signal.SIGINT)
    model.register_forward_pre_hook(press)
    return model
"""
INTERRUPTED = {  # a cell, the steps that are done, the sentence
    "history = fit(stopping(3), *given)": (3, "Stopped after step 3: .* not saved"),
    "%%time\nhistory = fit(stopping(2), *given)": (2, "Stopped after step 2"),
    "for _ in 'ab':\n    other = history = fit(\n        stopping(4), *given)": (4, "after step 4"),
    "history = fit(stopping(3, times=2), *given)": (2, "at once, in step 3: .* half changed"),
    "history = fit(stopping(5), *given, folder='run')": (5, "saved in run, fit goes on from there"),
}


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """Asks a real kernel to run a cell: (reply, what it printed)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCELERATE_USE_CPU", "1")
        folder = tmp_path_factory.mktemp("kernel")
        manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder))

    def run(code):
        said = []

        def note(message):
            said.append(message["content"])

        reply = client.execute_interactive(code, timeout=120, output_hook=note, stop_on_error=False)
        run.errors = [content["traceback"] for content in said if "traceback" in content]
        return reply["content"], "".join(content.get("text", "") for content in said)

    run.client = client
    assert run(START)[0]["status"] == "ok"
    yield run
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("cell", INTERRUPTED, ids=range(len(INTERRUPTED)))
def test_history_is_there_after_an_interruption(kernel, cell):
    steps, sentence = INTERRUPTED[cell]
    kernel("history = other = None")
    kernel(cell)
    [[line]] = kernel.errors  # what is shown; IPython 7's %%time replies "ok"
    assert re.search(sentence, line) and "history has the steps done." in line
    assert "\n" not in line and len(line) < 200
    _, said = kernel("print(len(history), history.interrupted, other is history or other)")
    assert said == f"{steps} True {'other' in cell or None}\n"


def test_cells_that_wait_do_not_run(kernel):
    """As after Run all: the kernel has got every cell before the first one ends."""
    cells = ["history = fit(stopping(3), *given)", "went_on = True", "went_on_too = True"]
    asked = [kernel.client.execute(cell) for cell in cells]
    replies = {}
    while len(replies) < len(cells):
        reply = kernel.client.get_shell_msg(timeout=60)
        replies[reply["parent_header"]["msg_id"]] = reply["content"]["status"]
    assert [replies[one] for one in asked] == ["error", "aborted", "aborted"]
    _, said = kernel("print(len(history), 'went_on' in globals())")
    assert said == "3 False\n"


def test_in_a_function_of_ones_own_the_exception_has_the_history(kernel):
    code = """
def train():
    result = fit(stopping(3), *given)
try:
    train()
except KeyboardInterrupt as stop:
    print(len(stop.history), 'result' in globals())
"""
    assert kernel(code)[1] == "3 False\n"
