"""hub: local files, a hub that cannot be reached, and a small hub on this machine."""

import http.server
import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from mlm_course.corpora import python_docs
from mlm_course.corpora.hub_text import KNOWN, load_text


def manual(n: int) -> list[str]:
    return python_docs.paragraphs(python_docs.manual())[:n]


# Files


@pytest.fixture
def files(tmp_path, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "lines.txt").write_text("one line\n\n   \nanother line\na third\n")
    (tmp_path / "more.txt").write_text("more lines\n")
    table = pyarrow.table({"id": [1, 2, 3], "body": ["a b", None, "c d"], "title": ["x", "y", "z"]})
    parquet.write_table(table, tmp_path / "table.parquet")
    parquet.write_table(table.select(["id", "body"]), tmp_path / "single.parquet")
    return tmp_path


@pytest.mark.parametrize("streaming", [True, False])
def test_text_files(files, streaming):
    path = str(files / "lines.txt")
    read = load_text("text", data_files=path, streaming=streaming)
    assert read == ["one line", "another line", "a third"]
    assert load_text("text", n=2, data_files=path, streaming=streaming) == read[:2]
    both = {"train": path, "test": [str(files / "more.txt")]}
    assert load_text("text", "test", None, data_files=both, streaming=streaming) == ["more lines"]


@pytest.mark.parametrize("streaming", [True, False])
def test_parquet_files(files, streaming):
    path = str(files / "table.parquet")
    read = load_text("parquet", data_files=path, column="body", streaming=streaming)
    assert read == ["a b", "c d"]
    single = str(files / "single.parquet")
    assert load_text("parquet", data_files=single, streaming=streaming) == read


def test_wrong_requests_end_in_one_sentence(files):
    path = str(files / "table.parquet")
    with pytest.raises(ValueError, match="Say which column.*id, body, title"):  # noqa: RUF043
        load_text("parquet", data_files=path)
    with pytest.raises(ValueError, match="no column 'text'; there are id, body, title"):
        load_text("parquet", data_files=path, column="text")
    with pytest.raises(ValueError, match="'id' holds int, not text"):
        load_text("parquet", data_files=path, column="id")
    with pytest.raises(FileNotFoundError):
        load_text("text", data_files=str(files / "missing.txt"))
    with pytest.raises(ValueError, match="data_files goes together"):
        load_text("tinystories", data_files=path)
    with pytest.raises(ValueError, match="data_files goes together"):
        load_text("text")
    with pytest.raises(ValueError, match="n must be at least 1"):
        load_text("tinystories", n=0)


# A hub that does not answer


@pytest.mark.parametrize("name", ["tinystories", "WikiText-2", "some/thing"])
def test_no_hub_at_this_address(name, monkeypatch, capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        start = time.monotonic()
        assert load_text(name, n=5) == manual(5)
        assert time.monotonic() - start < 15
    out = capsys.readouterr()
    assert out.out == (
        f"{name!r} is not available (the hub cannot be reached): "
        "Python's own manual takes its place.\n"
    )
    assert out.err == ""


def test_a_hub_that_never_answers(monkeypatch, capsys):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()  # takes connections, says nothing
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        start = time.monotonic()
        assert load_text("tinystories", n=3, timeout=0.5) == manual(3)
        assert 0.4 < time.monotonic() - start < 15
    assert capsys.readouterr().out.count("\n") == 1


def test_a_name_server_that_never_answers(monkeypatch, capsys):
    """No time limit of an HTTP client covers the name look-up; ours must."""
    stuck = threading.Event()
    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", lambda *_, **__: stuck.wait(30))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    start = time.monotonic()
    assert load_text("tinystories", n=3, timeout=0.3) == manual(3)
    assert time.monotonic() - start < 15
    assert "the hub does not answer" in capsys.readouterr().out
    stuck.set()


# A small hub on this machine

TALES = b"a first tale\n\nanother tale here\nthird\n"
COMMIT = "1" * 40


class SmallHub(http.server.BaseHTTPRequestHandler):
    """The part of the hub's interface that loading one text file needs."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer_json(self, value) -> None:
        self.answer(json.dumps(value).encode(), Content_Type="application/json")

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = self.path.partition("?")[0]
        if "/resolve/" in path:
            if path.endswith("train.txt"):
                self.answer(TALES, ETag='"2"', X_Repo_Commit=COMMIT)
            else:
                self.answer(b"", 404, X_Error_Code="EntryNotFound", X_Repo_Commit=COMMIT)
        elif "/busy/" in path + "/":
            self.answer(b"", 503)
        elif "/portal/" in path + "/":  # a login page instead of an answer
            self.answer(b"<html>please log in</html>", Content_Type="text/html")
        elif "/tree/" in path:
            entry = {"type": "file", "path": "train.txt", "size": len(TALES), "oid": "2" * 40}
            self.answer_json([entry])
        elif path.startswith("/api/datasets/me/tales"):
            files = [{"rfilename": "train.txt"}]
            self.answer_json({"id": "me/tales", "sha": COMMIT, "tags": [], "siblings": files})
        else:
            self.answer(b"{}", 401, X_Error_Code="RepoNotFound")


@pytest.fixture(scope="module")
def small_hub(tmp_path_factory):
    """Runs Python code against the small hub, in a process of its own, and returns its output."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), SmallHub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    home = tmp_path_factory.mktemp("hub")
    address = f"http://127.0.0.1:{server.server_port}"

    def run(code: str, offline: bool = False) -> list[str]:
        drop = ("HF_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        env = {k: v for k, v in os.environ.items() if not k.upper().startswith(drop)}
        env |= {"HF_ENDPOINT": address, "HF_HOME": str(home), "HF_HUB_OFFLINE": str(int(offline))}
        code = "from mlm_course.corpora.hub_text import load_text\n" + textwrap.dedent(code)
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    yield run
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_loading_from_a_hub(small_hub):
    lines = small_hub("""
        def attempt(*args, **kwargs):
            try:
                print(load_text(*args, **kwargs))
            except Exception as error:
                print(type(error).__name__, error)

        attempt("me/tales")
        attempt("me/tales", n=1)
        attempt("me/tales", "test")
        attempt("me/tales", column="body")
        attempt("me/nothing")
        attempt("not a/valid/name")
        attempt("me/busy", n=1)
        attempt("me/portal", n=1)
        attempt("me/tales", streaming=False)
        from datasets import config
        names = "STREAMING_READ_MAX_RETRIES", "STREAMING_OPEN_MAX_RETRIES"  # datasets 4.0: the first
        print(*(getattr(config, name, 20) > 1 for name in names))
    """)
    tales = "['a first tale', 'another tale here', 'third']"
    assert lines[:2] == [tales, "['a first tale']"]
    assert lines[2].startswith("ValueError") and "test" in lines[2]
    assert lines[3] == "ValueError There is no column 'body'; there are text."
    assert lines[4].startswith("ValueError The hub has no open data set 'me/nothing'")
    assert lines[5].startswith("ValueError The hub has no open data set 'not a/valid/name'")
    for name, said, read in (("busy", *lines[6:8]), ("portal", *lines[8:10])):
        assert said.startswith(f"'me/{name}' is not available (the hub cannot be reached)")
        assert read == str(manual(1))
    assert lines[10:] == [tales, "True True"]  # the retry settings are put back


@pytest.mark.slow
def test_offline_mode_uses_what_was_downloaded(small_hub):
    small_hub("load_text('me/tales', streaming=False)")
    lines = small_hub(
        """
        print(load_text("me/tales"))
        print(load_text("tinystories", n=1))
        """,
        offline=True,
    )
    assert lines == [
        "['a first tale', 'another tale here', 'third']",
        "'tinystories' is not available (offline, and never downloaded): "
        "Python's own manual takes its place.",
        str(manual(1)),
    ]


def test_datasets_is_imported_only_when_needed():
    code = "import sys, mlm_course.corpora.hub_text; assert not {'datasets', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_known_names_are_full_addresses():
    for name, known in KNOWN.items():
        assert name == name.lower() and known.hub_id.count("/") == 1 and known.column
