"""tests/bench: that benchmarks work, are judged, recorded part by part, and rendered."""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mlm_course.corpora.tinyworld import sentences
from mlm_course.cost import training_flops
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init
from mlm_course.results import HERE
from mlm_course.results.benchmarks import Measurement, number, table, write_part
from mlm_course.results.page import benchmark_section
from mlm_course.tokenization import MASK_ID, PAD_ID, SPECIAL_IDS

sys.path.append(str(Path(__file__).resolve().parent / "bench"))

import bench_encoder
import bench_gpu
import bench_trainer
import on_a_gpu
import run as runner
from products import step_products
from reporting import NotMeasured
from side_by_side import ratio, times_as_fast

BENCH = Path(runner.__file__).parent


def finding(**values):
    return Measurement(**{"what": "a step", "ours": 2.0, "unit": "ms", **values})


@pytest.mark.parametrize(
    ("values", "met"),
    [
        ({}, None),
        ({"at_most": 2.0}, True),
        ({"at_most": 1.9}, False),
        ({"theirs": 4.0, "ratio": 2.0, "at_least": 2.0}, True),
        ({"theirs": 4.0, "ratio": 1.9, "at_least": 2.0}, False),
        ({"theirs": 4.0, "ratio": 3.4, "at_least": 3.1, "at_most": 3.3}, False),
        ({"theirs": 4.0, "ratio": None, "at_most": 0.4}, False),  # never got there
    ],
)
def test_a_finding_is_held_against_its_bar(values, met):
    assert finding(**values).met is met
    assert ("MISSED" in str(finding(**values))) == (met is False)


def test_a_finding_as_a_line_and_as_cells():
    missed = finding(
        peer="theirs", theirs=1234.5, ratio=617.2, low=1.6, high=2.5, at_least=1.5, at_most=2
    )
    assert str(missed) == (
        "a step: 2 ms against theirs 1,234 ms = 617 (1.6 to 2.5); bar 1.5 to 2: MISSED"
    )
    assert missed.cells() == (
        "a step", "2 ms", "theirs 1,234 ms", "617 (1.6 to 2.5)", "1.5 to 2", "**no**",
    )  # fmt: skip
    assert number(0.01234) == "0.0123" and number(-12345.6) == "-12,346"


def test_ratios_are_of_medians_and_spread_over_rounds():
    times = {"ours": [1.0, 2.0, 3.0], "theirs": [3.0, 4.0, 9.0]}
    assert ratio(times, "theirs", "ours") == (2.0, 2.5, 3.0)
    speedup = times_as_fast("a step", times, "theirs", at_least=2)
    assert (speedup.ours, speedup.theirs, speedup.ratio, speedup.met) == (2000, 4000, 2.0, True)


# The record


def test_one_part_is_renewed_and_the_others_stay(tmp_path):
    path = tmp_path / "benchmarks.json"
    for name, value in (("b", 1), ("a", 2), ("b", 3)):
        write_part(path, name, {"findings": [], "value": value})
    record = json.loads(path.read_text("utf-8"))
    assert [(name, part["value"]) for name, part in record.items()] == [("a", 2), ("b", 3)]


def test_what_cannot_be_measured_here_does_not_replace_what_was_measured_elsewhere(tmp_path):
    path = tmp_path / "benchmarks.json"
    write_part(path, "gpu", {"not measured": "no GPU."})
    assert "not measured" in json.loads(path.read_text("utf-8"))["gpu"]
    write_part(path, "gpu", {"findings": []})
    write_part(path, "gpu", {"not measured": "no GPU."})
    assert json.loads(path.read_text("utf-8"))["gpu"] == {"findings": []}
    write_part(path, "gpu", {"failed": "OutOfMemoryError"})
    assert json.loads(path.read_text("utf-8"))["gpu"] == {"failed": "OutOfMemoryError"}


def test_the_record_as_a_page():
    part = {
        "about": "What it is.", "command": "python tests/bench/run.py one", "minutes": 0.5,
        "machine": "a box", "threads": 2, "versions": {"python": "3.11", "transformers": "5.2"},
        "findings": [asdict(finding(what="a | b", at_most=3))],
    }  # fmt: skip
    failed = {"about": "Another.", "command": "run two", "machine": "a box", "failed": "It broke."}
    lines = benchmark_section({"one": part, "two": failed}).splitlines()
    start = lines.index("### one")
    assert lines[start + 2 : start + 9] == [
        "What it is.", "",
        "`python tests/bench/run.py one`; 0.5 minutes; a box; 2 threads; python 3.11; "
        "transformers 5.2", "",
        "| what | ours | peer | ratio (quartiles) | bar | met |", "|---|---|---|---|---|---|",
        "| a \\| b | 2 ms |  |  | at most 3 | yes |",
    ]  # fmt: skip
    assert lines[-1] == "Failed: It broke."
    assert list(table({"not measured": "no GPU."})) == ["Not measured: no GPU."]


def test_every_benchmark_has_its_part_in_the_record():
    path = HERE / "benchmarks.json"
    if not path.exists():
        pytest.skip("nothing is recorded yet: make bench")
    for name, part in json.loads(path.read_text("utf-8")).items():
        assert (BENCH / f"bench_{name}.py").exists()
        assert part["about"] and part["machine"] and part["versions"]["torch"]
        assert part["command"] == f"python tests/bench/run.py {name}"
        assert list(table(part))


# Running them

SCRIPTS = {
    "fine": "print('measuring')\nyield Measurement(what='a', ours=1.0, unit='s', at_most=2)",
    "missed": "yield Measurement(what='a', ours=3.0, unit='s', at_most=2)",
    "lacking": "raise NotMeasured('no such device.')\nyield",
    "broken": "yield Measurement(what='a', ours=1.0, unit='s')\nraise RuntimeError('It is broken.')",
}
FRAME = '''"""Benchmark {name}.

More about it.
"""
import sys
sys.path.insert(0, {bench!r})
from reporting import NotMeasured, main
from mlm_course.results.benchmarks import Measurement

def measure(small):
    assert not small
    {body}

if __name__ == "__main__":
    sys.exit(main(measure))
'''


@pytest.fixture
def scripts(tmp_path, monkeypatch):
    """A folder with benchmarks of all kinds, one of which is killed, and where the record goes."""
    for name, body in SCRIPTS.items():
        body = body.replace("\n", "\n    ")
        text = FRAME.format(name=name, bench=str(BENCH), body=body)
        (tmp_path / f"bench_{name}.py").write_text(text, "utf-8")
    killed = '"""Killed."""\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n'
    (tmp_path / "bench_killed.py").write_text(killed, "utf-8")
    monkeypatch.setattr(runner, "FOLDER", tmp_path)
    monkeypatch.setattr(runner, "RECORD", tmp_path / "benchmarks.json")
    return tmp_path


def run(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["run.py", *map(str, arguments)])
    return runner.main()


@pytest.mark.slow
def test_each_ends_in_the_record_whatever_becomes_of_the_others(scripts, monkeypatch, capfd):
    assert run(monkeypatch) == 1
    record = json.loads((scripts / "benchmarks.json").read_text("utf-8"))
    assert list(record) == ["broken", "fine", "killed", "lacking", "missed"]
    assert record["broken"]["failed"] == "RuntimeError: It is broken."
    assert (
        "findings" not in record["broken"] and record["killed"]["failed"] == "ended with status -9"
    )
    assert record["lacking"]["not measured"] == "no such device."
    assert Measurement(**record["fine"]["findings"][0]).met is True
    assert Measurement(**record["missed"]["findings"][0]).met is False
    assert record["fine"]["about"] == "Benchmark fine." and record["fine"]["versions"]["torch"]
    printed = capfd.readouterr()
    assert "measuring\na: 1 s; bar at most 2\n" in printed.out
    assert "a: 3 s; bar at most 2: MISSED" in printed.out and "It is broken." in printed.err
    before = record.pop("fine")
    assert run(monkeypatch, "fine") == 0
    after = json.loads((scripts / "benchmarks.json").read_text("utf-8"))
    assert after.pop("fine").keys() == before.keys() and after == record


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["encodr"], "no benchmark encodr; there are blocks, corruption, "), (["--small"], "--into")],
)
def test_a_wrong_command_says_what_is_wrong(arguments, said, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(monkeypatch, *arguments)
    assert said in capsys.readouterr().err


# Our own step


@pytest.mark.parametrize("rows", [1, 3])
def test_the_products_of_a_step_are_those_whose_flops_are_counted(rows):
    config = EncoderConfig(90, 16, d_model=32, n_layers=2, n_heads=2)
    products = step_products(config, rows, 16, 5)
    with FlopCounterMode(display=False) as counter:
        products()
    assert counter.get_total_flops() == training_flops(config, rows, 16, 5)


def test_a_share_is_of_the_step_and_has_a_bar_where_the_optimiser_counts():
    times = {
        "products": [3.0] * 3,
        "forward and backward": [4.0] * 3,
        "fit's whole step": [5.0] * 3,
    }
    size = bench_encoder.Size(90, 32, 4, 16)
    without, counted = bench_encoder.shares(size, times, 1)
    assert (without.ratio, without.met) == (0.75, None)
    assert (counted.ratio, counted.at_least, counted.met) == (0.6, 0.85, False)
    assert "V=90, d=32, batch 4 x 16, 1 thread: " in counted.what


def test_the_parts_of_a_step_work_on_the_same_masked_rows():
    size = bench_encoder.Size(90, 32, 4, 16)
    data = bench_encoder.masked_rows(size)
    batch = data(torch.arange(4), 0)
    assert batch.masked.sum(1).tolist() == [2] * 4  # 15 % of 16
    for run_part in (
        bench_encoder.parts(size, data, batch) | bench_encoder.peers(size, batch)
    ).values():
        run_part()


# Learning speed


def ended(*seconds, gap=0.05):
    return [bench_trainer.Ended(s, 10, gap) for s in seconds]


def test_the_time_to_the_same_loss_is_compared_run_by_run():
    ends = {"ours": ended(1.0, 2.0, 1.0, 2.0, 1.0), "Trainer": ended(4.0, 6.0, 3.0, 6.0, 5.0)}
    rates = {"ours": 1e-3, "Trainer": 2e-3}
    said = bench_trainer.comparison(ends, rates, bench_trainer.RECIPE)
    assert (said.ours, said.theirs, said.ratio, said.met) == (1.0, 5.0, 3.0, True)
    assert "mean 3.60 (2.49 to 4.71) at 95 %" in said.what and "not there" not in said.what
    late = ends | {"ours": ended(1.0, 1.0, 1.0, 1.0, 1.0, gap=0.2)}
    said = bench_trainer.comparison(late, rates, bench_trainer.RECIPE)
    assert said.met is False and "ours not there after 800 steps in 5 of 5" in said.what


def test_rivals_choose_from_the_same_grid(monkeypatch):
    ends = {("ours", 1e-3): (9, 0.05), ("ours", 2e-3): (5, 0.09), ("ours", 4e-3): (1, 0.5)}
    ends |= {("Trainer", lr): (9, gap) for lr, gap in ((1e-3, 0.6), (2e-3, 0.3), (4e-3, 0.2))}

    def told(name, recipe, lr, seed):
        assert seed == 0  # the five that count have others
        seconds, gap = ends[name, lr]
        return bench_trainer.Ended(seconds, 1, gap)

    monkeypatch.setattr(bench_trainer, "told", told)
    rates = bench_trainer.best_rates(bench_trainer.RECIPE)
    assert rates == {"ours": 2e-3, "Trainer": 4e-3}


def test_looking_stops_the_clock_and_says_when_it_is_reached(monkeypatch):
    moments = iter([0.0, 10.0, 13.0, 20.0, 21.0])
    losses = iter([1.0, 0.3])
    monkeypatch.setattr(bench_trainer.world, "masked_test_set", lambda n: (None, 0.25))
    monkeypatch.setattr(bench_trainer.time, "perf_counter", lambda: next(moments))
    score = type("Score", (), {})
    monkeypatch.setattr(
        bench_trainer, "score_masked", lambda *_: setattr(score, "loss", next(losses)) or score
    )
    watch = bench_trainer.Watch()
    assert watch.look(None, 10) is False and watch.ended == (10.0, 10, 0.75)
    assert watch.look(None, 20) is True and watch.ended[:2] == (17.0, 20)


def test_their_collator_hides_behind_masks_alone():
    rows = [{"input_ids": row[row != PAD_ID].tolist()} for row in sentences(50, 0)]
    torch.manual_seed(0)
    batch = bench_trainer.their_collator()(rows)
    asked = batch["labels"] != -100
    assert (batch["input_ids"][asked] == MASK_ID).all()
    assert 0.3 < asked.sum() / (batch["input_ids"] > max(SPECIAL_IDS)).sum().add(asked.sum()) < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("name", bench_trainer.RUNS)
def test_both_trainings_end_when_they_are_there(name, monkeypatch, on_one_cpu_thread):
    monkeypatch.setattr(bench_trainer.world, "SENTENCES", 100)
    monkeypatch.setattr(bench_trainer, "LOOK_EVERY", 2)
    recipe = replace(bench_trainer.RECIPE, steps=5, batch_size=8)
    run_it = bench_trainer.RUNS[name]
    assert run_it(recipe, 1e-3, 0).steps == 5
    monkeypatch.setattr(bench_trainer, "GAP", 100.0)
    assert run_it(recipe, 1e-3, 0).steps == 2


# The GPU's, small and on a CPU


@pytest.mark.slow
def test_the_gpu_benchmark_works_small():
    torch._dynamo.reset()
    findings = list(bench_gpu.measure(small=True))
    assert [f.at_least for f in findings] == [None, 0.45, 1.5, 1.5, 1.2, 1.2]
    assert [f.peer for f in findings] == ["product"] * 2 + [
        f"transformers, {how}" for how in ("eager", "compiled")
    ] * 2
    assert all(f.ours > 0 and f.theirs > 0 and 0 < f.low <= f.high for f in findings)
    rate = findings[1]
    assert rate.ratio == pytest.approx(rate.ours / rate.theirs)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so():
    with pytest.raises(NotMeasured, match="no GPU"):
        next(iter(bench_gpu.measure(small=False)))


def half_measured(small):
    yield finding(what="first")
    part = json.loads(runner.RECORD.read_text("utf-8"))["gpu"]  # what a kill leaves behind
    assert [f["what"] for f in part["findings"]] == ["first"] and part["cut short"]
    raise KeyboardInterrupt


def test_each_finding_of_the_gpu_benchmark_is_recorded_at_once(tmp_path, monkeypatch):
    for module in (runner, on_a_gpu):
        monkeypatch.setattr(module, "RECORD", tmp_path / "benchmarks.json")
    with pytest.raises(KeyboardInterrupt):
        on_a_gpu.benchmark(half_measured)
    assert not on_a_gpu.was_run()
    on_a_gpu.benchmark(lambda small: iter([finding(what="first"), finding(what="second")]))
    part = json.loads(runner.RECORD.read_text("utf-8"))["gpu"]
    assert len(part["findings"]) == 2 and on_a_gpu.was_run()
    assert part["command"] == "python tests/bench/run.py gpu" and list(table(part))


@pytest.mark.parametrize("is_over", [False, True])
def test_one_command_does_both_within_its_time(is_over, tmp_path, monkeypatch, capsys):
    done = []
    for module in (runner, on_a_gpu):
        monkeypatch.setattr(module, "RECORD", tmp_path / "benchmarks.json")
    monkeypatch.setattr(on_a_gpu.gpu, "run", lambda limit: done.append(limit.minutes) or {})
    monkeypatch.setattr(on_a_gpu, "write_record", lambda name, *_: done.append(name))
    monkeypatch.setattr(on_a_gpu.bench_gpu, "measure", lambda small: iter([finding()]))
    monkeypatch.setattr("sys.argv", ["on_a_gpu.py", "--minutes", "3"])
    if is_over:

        def over(small):
            monkeypatch.setattr(on_a_gpu.TimeLimit, "left", -1.0)
            raise KeyboardInterrupt
            yield

        monkeypatch.setattr(on_a_gpu.bench_gpu, "measure", over)
    assert on_a_gpu.main() == 0
    assert done == ([] if is_over else [3.0, "gpu"])
    assert ("The time is over" in capsys.readouterr().out) == is_over


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_the_one_command_says_so_without_a_gpu(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["on_a_gpu.py"])
    monkeypatch.setattr(on_a_gpu, "was_run", lambda: False)
    assert on_a_gpu.main() == 1
    assert capsys.readouterr().out == "Nothing measured: no GPU.\n"


def test_the_flops_it_counts_are_those_of_the_matrix_products():
    sizes = bench_gpu.TINY
    shown, labels, masked = bench_gpu.masked_rows(sizes, torch.device("cpu"))
    model = seeded_init(MaskedLM, sizes.text)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        torch.nn.functional.cross_entropy(model(shown, None, masked), labels[masked]).backward()
    assert masked.sum(1).tolist() == [2] * sizes.rows  # 15 % of 16
    expected = bench_gpu.training_flops(sizes.text, *masked.shape, int(masked.sum()))
    assert counter.get_total_flops() == expected


def test_the_big_sizes_are_those_of_bert_base_and_vit_b():
    from transformers import BertConfig, ViTMAEConfig

    bert, text = BertConfig(), bench_gpu.BASE.text
    assert (bert.vocab_size, bert.hidden_size) == (text.vocab_size, text.d_model)
    assert (bert.num_hidden_layers, bert.intermediate_size) == (text.n_layers, text.d_ff)
    theirs, image = ViTMAEConfig(), bench_gpu.BASE.image
    encoder, decoder = image.encoder, image.decoder
    assert (theirs.hidden_size, theirs.num_hidden_layers) == (encoder.d_model, encoder.n_layers)
    assert (theirs.num_attention_heads, theirs.intermediate_size) == (encoder.n_heads, encoder.d_ff)
    assert theirs.decoder_hidden_size == decoder.d_model
    assert theirs.decoder_num_hidden_layers == decoder.n_layers
    assert theirs.decoder_num_attention_heads == decoder.n_heads
    assert theirs.decoder_intermediate_size == decoder.d_ff
