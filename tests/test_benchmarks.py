"""tests/bench: that benchmarks work, are judged, recorded part by part, and rendered."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mlm_course.models import MaskedLM, seeded_init
from mlm_course.results import HERE
from mlm_course.results.benchmarks import Measurement, number, table, write_part
from mlm_course.results.page import benchmark_section

sys.path.append(str(Path(__file__).resolve().parent / "bench"))

import bench_gpu
import run as runner
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
    [(["encodr"], "no benchmark encodr; there are corruption, "), (["--small"], "--into")],
)
def test_a_wrong_command_says_what_is_wrong(arguments, said, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(monkeypatch, *arguments)
    assert said in capsys.readouterr().err


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
