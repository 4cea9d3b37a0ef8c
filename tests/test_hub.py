"""hub: local files, a hub that cannot be reached, and a small hub on this machine."""

import http.server
import json
import os
import re
import socket
import subprocess
import sys
import textwrap
import threading
import time
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from mlm_course.corpora import python_docs
from mlm_course.corpora.hub_text import KNOWN, load_text
from mlm_course.hub import HUGGING_FACE, HubUnreachable, ask_about, why
from mlm_course.text_files import read_json, read_text, write_text


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
    with pytest.raises(FileNotFoundError, match=r"no such file: .*missing\.txt"):
        load_text("text", data_files=str(files / "missing.txt"))
    with pytest.raises(ValueError, match="test"):
        load_text("text", "test", data_files=str(files / "lines.txt"))
    with pytest.raises(ValueError, match="data_files goes together"):
        load_text("tinystories", data_files=path)
    with pytest.raises(ValueError, match="data_files goes together"):
        load_text("text")
    for n in (0, -1, "5", 2.0, True):
        with pytest.raises(ValueError, match=f"n must be at least 1, or None .*, not {n!r}"):
            load_text("tinystories", n=n)


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize(
    ("kind", "content", "sentence"),
    [
        ("text", "Zoë".encode("latin-1"), "is not UTF-8 text: it may be Latin-1 or Windows-1252"),
        ("text", "Zoë".encode("utf-16"), "is not UTF-8 text: it begins as UTF-16 does"),
        ("text", "Zoë".encode("utf-32"), "is not UTF-8 text: it begins as UTF-32 does"),
        ("text", "a line".encode("utf-16-le"), "is not UTF-8 text: it looks like UTF-16"),
        ("text", bytes(range(256)), "is not UTF-8 text: it is binary"),
        ("text", b"", "There is no text in"),
        ("text", b"\n  \n", "There is no text in"),
        ("csv", "a\nZoë".encode("latin-1"), "is not UTF-8 text"),
        ("json", b"{", "cannot be read as json"),
        ("json", '{"text": "a"}'.encode("utf-16"), "is not UTF-8 text"),
        ("parquet", b"no", "cannot be read as parquet"),
        ("parquet", b"", "There is no text in"),
    ],
)
def test_files_that_are_no_text_are_named(files, streaming, kind, content, sentence):
    path = files / "mine"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=sentence) as error:
        load_text(kind, data_files=path, streaming=streaming)
    assert str(path) in str(error.value) and str(error.value).endswith(".")


@pytest.mark.parametrize("streaming", [True, False])
def test_a_bom_is_no_part_of_the_text(files, streaming):
    (files / "bom.txt").write_bytes("\ufeffone\r\ntwo\n".encode())
    assert load_text("text", data_files=files / "bom.txt", streaming=streaming) == ["one", "two"]
    assert read_text(files / "bom.txt") == "one\ntwo\n"


def test_json_that_is_none_is_named(tmp_path):
    for content, sentence in (("[1,\n", "not JSON: .*line 2"), ("[" * 10_000, "nested too deeply")):
        (tmp_path / "x.json").write_text(content)
        with pytest.raises(ValueError, match=sentence) as error:
            read_json(tmp_path / "x.json")
        assert "x.json" in str(error.value)


def test_a_write_that_fails_leaves_the_old_text(tmp_path, monkeypatch):
    write_text(tmp_path / "x", "old")
    monkeypatch.setattr("pathlib.Path.replace", Mock(side_effect=OSError(28, "No space left")))
    with pytest.raises(OSError):
        write_text(tmp_path / "x", "new")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("x", "old")]


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
        f"{name!r} is not available (the hub at {address} cannot be reached): "
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


NETWORK = type("ConnectError", (Exception,), {})  # named as in httpx
TIMEOUT = type("TimeoutException", (Exception,), {})


def answered(status: int, *sent: str) -> Exception:
    """An error as huggingface_hub raises it after an answer with this status."""
    error = Exception(f"{status} Client Error")
    request = SimpleNamespace(headers=dict.fromkeys(sent, "x"))
    error.response = SimpleNamespace(status_code=status, request=request)
    return error


@pytest.mark.parametrize(
    ("error", "reason", "advice"),
    [
        (answered(401, "authorization"), "the hub does not accept this machine's token", "logout"),
        (answered(401), "the hub refuses access (401)", "token"),
        (answered(403), "the hub refuses access (403)", "token"),
        (answered(407), "a proxy on the way to the hub wants a login (407)", ""),
        (answered(418), "the hub answers with an error (418)", ""),
        (answered(429), "the hub has been asked too often from here (429)", "Wait"),
        (answered(502), "the hub has a fault of its own (502)", "later"),
        (TIMEOUT(), "the hub does not answer", ""),
        (TimeoutError(), "the hub does not answer", ""),
        (NETWORK("Name or service not known"), "the hub cannot be reached", ""),
        (
            NETWORK("CERTIFICATE_VERIFY_FAILED"),
            "the certificate of the hub is not trusted",
            "clock",
        ),
        (OSError(28, "No space left", "/c"), "what it sends cannot be kept (No space left)", "/c"),
        (json.JSONDecodeError("x", "<html>", 0), "what answers is not the hub", "login page"),
        (HubUnreachable("so", "do"), "so", "do"),
    ],
)
def test_each_failure_has_its_own_reason(error, reason, advice, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", HUGGING_FACE)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    told = why(error)
    assert reason in str(told) and advice in told.advice and bool(advice) == bool(told.advice)


@pytest.mark.parametrize("endpoint", ["mirror.example", "", "ftp://mirror.example"])
def test_an_address_that_is_none(endpoint, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with pytest.raises(HubUnreachable, match="no address that can be asked") as told:
        ask_about("dataset", "me/tales")
    assert "HF_ENDPOINT" in told.value.advice


def test_a_token_with_a_line_break(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_ä")
    with pytest.raises(HubUnreachable, match="token for the hub is damaged") as told:
        ask_about("dataset", "me/tales")
    assert "HF_TOKEN" in told.value.advice


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
        elif status := re.search("/status([0-9]+)/", path + "/"):
            self.answer(b"", int(status[1]))
        elif self.headers.get("Authorization") == "Bearer stale":  # as huggingface.co has it
            self.answer(b"{}", 401, X_Error_Message="Invalid username or password.")
        elif "/gated/" in path + "/":
            self.answer(b"{}", 401, X_Error_Code="GatedRepo")
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

    run.address = address
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
        attempt("me/gated")
        attempt("me/status503", n=1)
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
    assert lines[6].startswith("ValueError The data set 'me/gated' is only for those who accept")
    busy, portal = "the hub at {} has a fault of its own (503)", "what answers is not the hub at {}"
    for name, said, read, reason in (
        ("status503", *lines[7:9], busy),
        ("portal", *lines[9:11], portal),
    ):
        assert said.startswith(f"'me/{name}' is not available ({reason.format(small_hub.address)})")
        assert read == str(manual(1))
    assert lines[11:] == [tales, "True True"]  # the retry settings are put back


@pytest.mark.slow
def test_a_stale_token_is_named_wherever_the_hub_is_asked(small_hub):
    lines = small_hub("""
        import os
        os.environ["HF_TOKEN"] = "stale"
        from mlm_course.doctor import hub
        from mlm_course.hub import HubUnreachable
        from mlm_course.models.bert import bert_from_hub

        print(*next(hub())[1:3])
        load_text("me/tales", n=1)
        try:
            bert_from_hub("me/bert")
        except HubUnreachable as reason:
            print(reason)
    """)
    told = f"the hub at {small_hub.address} does not accept this machine's token"
    assert lines[0] == f"{small_hub.address}: {told} note"
    fix = "Remove the environment variable HF_TOKEN, or give it a new token."
    assert lines[1] == (
        f"'me/tales' is not available ({told}): Python's own manual takes its place. {fix}"
    )
    assert lines[2] == f"'me/bert' is not available: {told}, and it was never downloaded. {fix}"


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
