"""Text through `datasets`: local files for real; the hub reachable, unreachable and half-way."""

import os
import subprocess
import sys
import time

import pytest

from mlm_course.corpora import hub, python_docs


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("first line\n\nsecond line\nthird line\n", encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("streaming", [True, False])
def test_lines_of_a_file_are_texts(lines, streaming, tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    assert hub.load_text("text", data_files=lines, streaming=streaming) == [
        "first line",
        "second line",
        "third line",
    ]
    assert hub.load_text("text", data_files=lines, n=1, streaming=streaming) == ["first line"]


def test_a_column_of_a_parquet_file(tmp_path):
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table({"title": ["a", "b"], "body": ["one", None], "stars": [1, 2]})
    path = str(tmp_path / "reviews.parquet")
    parquet.write_table(table, path)
    assert hub.load_text("parquet", data_files=path, column="body") == ["one"]
    with pytest.raises(ValueError, match="Say which column holds the text"):
        hub.load_text("parquet", data_files=path)
    with pytest.raises(ValueError, match="There is no column 'text'"):
        hub.load_text("parquet", data_files=path, column="text")
    with pytest.raises(ValueError, match="holds int, not text"):
        hub.load_text("parquet", data_files=path, column="stars")


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        ({"name": "text"}, ValueError, "data_files goes together"),
        ({"name": "tinystories", "data_files": "x"}, ValueError, "data_files goes together"),
        ({"name": "text", "data_files": "x", "n": 0}, ValueError, "n must be at least 1"),
        ({"name": "text", "data_files": "/no/such/file.txt"}, FileNotFoundError, "file.txt"),
    ],
)
def test_wrong_calls_get_a_sentence(call, error, words):
    with pytest.raises(error, match=words):
        hub.load_text(**call)


def test_a_hub_that_never_answers_is_given_up_on(monkeypatch, capsys):
    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", lambda *_, **__: time.sleep(5))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    start = time.monotonic()
    texts = hub.load_text("tinystories", n=3, timeout=0.2)
    assert time.monotonic() - start < 4
    assert texts == python_docs.paragraphs(python_docs.manual())[:3]
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "does not answer" in said and "manual takes its place" in said


def test_a_download_that_breaks_off_ends_in_the_default(monkeypatch, capsys):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "_ask_hub", lambda *_: None)

    def breaks(*_, **__):
        yield {"text": "one"}
        raise ConnectionError("gone")

    monkeypatch.setattr(hub, "_open", breaks)
    assert hub.load_text("tinystories", n=2) == python_docs.paragraphs(python_docs.manual())[:2]
    assert "the download broke off" in capsys.readouterr().out


def test_what_the_hub_sends_is_used(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "_ask_hub", lambda *_: None)
    asked = []

    def rows(name, config, split, streaming):
        asked.append((name, config, split, streaming))
        return [{"text": "  "}, {"text": "one"}, {"text": "two"}]

    monkeypatch.setattr(hub, "_open", rows)
    assert hub.load_text("wikitext-2", split="validation", n=1) == ["one"]
    assert asked == [("Salesforce/wikitext", "wikitext-2-raw-v1", "validation", True)]


def test_a_misspelt_name_is_an_error_and_not_the_default(monkeypatch):
    import httpx
    from huggingface_hub.errors import RepositoryNotFoundError

    def unknown(*_, **__):
        response = httpx.Response(404, request=httpx.Request("GET", "https://example.invalid"))
        raise RepositoryNotFoundError("404", response=response)

    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", unknown)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with pytest.raises(ValueError, match="no open data set 'roneneldan/TinyStory'"):
        hub.load_text("roneneldan/TinyStory")


def test_without_a_network_it_takes_seconds_and_one_sentence(tmp_path):
    """For real: a process told to be offline, with an empty cache."""
    code = "from mlm_course.corpora.hub import load_text; print(len(load_text('tinystories', n=7)))"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60
    )
    sentence, count = result.stdout.splitlines()
    assert "offline, and never downloaded" in sentence and count == "7"
