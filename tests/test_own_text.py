"""Text files as people have them: read as passages, or refused in one sentence; the page that uses them."""

import itertools
import json
import os
import re
import signal
import sys
import tracemalloc
import warnings
from pathlib import Path

import pytest
import torch

from mlm_course import __main__ as command
from mlm_course import tokenization
from mlm_course.corpora import own_text
from mlm_course.corpora.own_text import packed_rows, split_passages, texts_of, vocab_size_for
from mlm_course.models.storage import load_model
from mlm_course.text_files import decode_text
from mlm_course.tokenization import PAD_ID, SEP_ID, UNK_ID

ROOT = Path(__file__).resolve().parents[1]
not_on_windows = pytest.mark.skipif(os.name == "nt", reason="other paths")
few = pytest.mark.filterwarnings("ignore:These are")  # these texts are short
CHINESE = "第一回 甄士隐梦幻识通灵。\n\n此开卷第一回也。\n"
DAMAGED = "Bücher \x96 schön, Füße".encode().replace(b"\xc2\x96", b"\x96")
READ_AS_CHINESE = ["第一回 甄士隐梦幻识通灵。", "此开卷第一回也。"]


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


@few
@pytest.mark.parametrize(
    ("name", "content", "texts"),
    [
        ("utf8.txt", "One\nline.\n\n\nTwo.", ["One line.", "Two."]),
        ("bom.txt", "Zoë".encode("utf-8-sig"), ["Zoë"]),
        ("excel.txt", "Name\tOrt\nZoë\tKöln\n".encode("utf-16"), ["Name Ort Zoë Köln"]),
        ("utf32.txt", "Zoë".encode("utf-32"), ["Zoë"]),
        ("windows.txt", "a b\r\nc\r\n\r\nd\r\n", ["a b c", "d"]),
        ("old_mac.txt", "a b\rc\r\rd", ["a b c", "d"]),
        ("twice.txt", "Same.\n\nOther.\n\nSame.", ["Same.", "Other."]),
        ("rules.md", "# Head\n\n-----\n\n* * *\n\nText.", ["# Head", "Text."]),
        ("marks.txt", "Zoe\u0308", ["Zoë"]),
        ("emoji.txt", "ok 👍🏽\n\n👍🏽", ["ok 👍🏽"]),
        ("ширина.txt", "Привет, мир.", ["Привет, мир."]),
        ("code.py", 'def f():\n    """Adds two given numbers."""\n', ["Adds two given numbers."]),
        ("code.c", "int x;\nint y;", ["int x; int y;"]),
        ("table.csv", "a,b\n" * 1000, ["a,b"]),
        ("line.txt", "ab" * 2000, ["ab" * 1000]),
        ("words.txt", "word " * 1000, [("word " * 400).strip(), ("word " * 200).strip()]),
    ],
)
def test_a_file_becomes_passages(tmp_path, name, content, texts):
    assert texts_of(write(tmp_path, {name: content}) / name) == texts


@few
@pytest.mark.parametrize("encoding", ["gb18030", "big5", "utf-16-le"])
def test_an_encoding_can_be_named(tmp_path, encoding):
    content = (
        CHINESE.replace("隐", "通").replace("梦", "大").replace("识", "大").replace("灵", "大")
    )
    content = content.replace("开", "大")  # characters that all of them have
    write(tmp_path, {"a.txt": content.encode(encoding), "b.txt": "Zoë"})
    texts = texts_of(tmp_path, encoding=encoding)
    assert texts == [*(line for line in content.split("\n") if line), "Zoë"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("novel.txt", CHINESE.encode("gb18030"), r'"第一回 甄士隐梦" with encoding="gb18030"'),
        (
            "latin.txt",
            "aß Köln".encode("latin-1"),
            r'byte 1 on it reads .*"ß Köln" with .*"cp1252"',
        ),
        ("damaged.txt", DAMAGED, r"UTF-8 but for 1 byte, at 8, as if damaged .*: mend it"),
        (
            "damaged.txt",
            DAMAGED,
            r'editor.*; or from byte 1 on it reads "Ã¼cher .*" with .*"cp1252"',
        ),
        ("cut.txt", "Füße, Köln: “so”".encode()[:-1], "UTF-8 but for 2 bytes, from 20 on"),
        (
            "private.txt",
            "Grüße aus Köln".encode("latin-1"),
            r'on it reads "üße aus " with .*"cp1252"',
        ),
        ("control.txt", b"ab\x01\x02\xff\xfe\xfd", "is not UTF-8 text: it is binary"),
        ("no_bom.txt", "a line".encode("utf-16-le"), "it looks like UTF-16 without a BOM"),
        ("odd.txt", "a line".encode("utf-16")[:-1], "begins as UTF-16 does, and is damaged"),
        ("bytes.txt", bytes(range(256)), "is not UTF-8 text: it is binary"),
        ("a.pdf", b"%PDF-1.7\n", "a.pdf is a PDF: save its text as a .txt file"),
        ("a.docx", b"PK\x03\x04\x14", "is a ZIP archive, as .docx, "),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1", "is an old Word or Excel file"),
        ("a.rtf", rb"{\rtf1 text}", "is RTF"),
        ("a.txt.gz", b"\x1f\x8b\x08", "is compressed by gzip"),
        (
            "inbox",
            b"From a@b Sat Jan  3 01:05:34 1996\nFrom: a@b\n\nHi",
            "is a mailbox: course/your",
        ),
        ("empty.txt", b"", "There is no text in .*: it is empty"),
        ("emoji.txt", "👍🏽\n\n - \n".encode(), "There is no text in .* needs a letter or a digit"),
        ("no_docstring.py", b"x = 1\n", r"There is no text in .*: of a \.py file, docstrings are"),
        ("large.py", b"x = 1\n" * 400_000, "has more than 2 MB"),
    ],
)
def test_what_is_no_text_is_named(tmp_path, name, content, sentence):
    path = write(tmp_path, {name: content}) / name
    with pytest.raises(ValueError, match=sentence) as error:
        texts_of(path)
    assert str(path) in str(error.value) and str(error.value).endswith(".")


@pytest.mark.parametrize(
    ("path", "error", "sentence"),
    [
        ("missing.txt", FileNotFoundError, r"no file or folder 'missing\.txt'\.$"),
        ("C:\new\texts", FileNotFoundError, "write an r before it"),
        ("https://a.org/b.txt", FileNotFoundError, "It is an address: download"),
        (" ", TypeError, "paths must be files or folders"),
        (5, TypeError, "paths must be files or folders.*not 5"),
        (["a\0b"], ValueError, "cannot hold the character NUL"),
        ([], ValueError, "The list of files and folders is empty: paths must be"),
        pytest.param("/dev/zero", OSError, "a device or pipe", marks=not_on_windows),
        pytest.param(r"C:\Users\me", FileNotFoundError, "how Windows writes", marks=not_on_windows),
    ],
)
def test_a_path_that_names_no_text_is_told_in_a_sentence(
    tmp_path, monkeypatch, path, error, sentence
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=sentence):
        texts_of(path)


@pytest.mark.parametrize("encoding", ["no_such", "rot13", "hex"])
def test_an_encoding_that_is_none(tmp_path, encoding):
    with pytest.raises(ValueError, match=f"one that Python knows.*not '{encoding}'"):
        texts_of(tmp_path, encoding=encoding)


@few
def test_a_folder_is_read_in_order_and_once_and_hides_what_is_hidden(tmp_path, monkeypatch):
    files = ["b.txt", "a/z.MD", "c.rst", ".git/x.txt", ".secret.txt", "d.log", "a/code.py"]
    write(tmp_path / "home/notes", {name: f'"""Text of {name} here."""' for name in files})
    (tmp_path / "home/notes/a/loop").symlink_to(tmp_path / "home/notes", target_is_directory=True)
    (tmp_path / "home/notes/again.txt").symlink_to(tmp_path / "home/notes/b.txt")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    order = ['"""Text of b.txt here."""', '"""Text of c.rst here."""', "Text of a/code.py here."]
    texts = texts_of("~/notes")
    assert texts == [order[0], order[1], order[2], '"""Text of a/z.MD here."""']
    named = [tmp_path / "home/notes/d.log", str(tmp_path / "home/notes/a")]
    assert texts_of(named) == ['"""Text of d.log here."""', order[2], '"""Text of a/z.MD here."""']


@few
def test_bad_files_in_a_folder_are_left_out_with_a_warning_that_names_five(tmp_path):
    write(tmp_path, {"a.txt": b"Z\xeb", "b.txt": "Text."})
    with pytest.warns(UserWarning, match=r"1 file or folder was left out\. .*a\.txt is not UTF-8"):
        assert texts_of(tmp_path) == ["Text."]
    write(tmp_path, {f"c{i}.txt": b"%PDF" for i in range(5)})
    with pytest.warns(UserWarning, match=r"6 files or folders were left out\.") as said:
        texts_of(tmp_path)
    assert re.findall(r"(\w+)\.txt is ", str(said[0].message)) == ["a", "c0", "c1", "c2", "c3"]
    assert str(said[0].message).endswith("first. (1 more.)")
    with pytest.raises(ValueError, match=r"There is no text in .*: of a folder, \.txt, \.md"):
        texts_of(write(tmp_path / "none", {"a.jpg": b"\xff"}))


def test_all_places_without_text_are_named(tmp_path):
    write(tmp_path, {"a.txt": "", "b/c.jpg": "", "b/d.txt": b"%PDF"})
    with pytest.raises(ValueError, match=r"a\.txt: it is .*no text in .*b: of a.*d\.txt is a PDF"):
        texts_of([tmp_path / "a.txt", tmp_path / "b"])


@few
def test_what_cannot_be_read_is_told(tmp_path, monkeypatch):
    files = ("a.txt", "locked/b.txt", "closed.txt", "unentered/c.txt")
    write(tmp_path, dict.fromkeys(files, "Text."))

    def forbidden(before, *names):
        def instead(path, *args, **options):
            if Path(path).name in names:
                raise PermissionError(13, "Permission denied", str(path))
            return before(path, *args, **options)

        return instead

    monkeypatch.setattr(os, "scandir", forbidden(os.scandir, "locked"))
    monkeypatch.setattr(Path, "open", forbidden(Path.open, "closed.txt"))
    monkeypatch.setattr(Path, "is_file", forbidden(Path.is_file, "c.txt"))
    with pytest.warns(UserWarning, match="3 files or folders were left out") as said:
        assert texts_of(tmp_path) == ["Text."]
    for name in ("locked", "closed.txt", "c.txt"):
        assert f"{name}: permission denied." in str(said[0].message)
    for name in ("locked", "closed.txt"):
        with pytest.raises(PermissionError, match=rf"^[^\[]*{name}: permission denied\.$"):
            texts_of(tmp_path / name)
    monkeypatch.setattr(Path, "exists", forbidden(Path.exists, "a.txt"))
    with pytest.raises(PermissionError, match=r"^[^\[]*a\.txt: permission denied\.$"):
        texts_of(tmp_path / "a.txt")


@few
@pytest.mark.parametrize(
    ("content", "encoding", "sentence"),
    [
        (
            "Grüße aus Köln".encode("latin-1"),
            "gb18030",
            r"read as gb18030, though it has .* U\+E3EA",
        ),
        (DAMAGED, "cp1252", r"read as cp1252, though it is UTF-8 but for 1 byte, at 8"),
    ],
)
def test_a_wrong_encoding_is_told_where_it_shows(tmp_path, content, encoding, sentence):
    with pytest.warns(UserWarning, match=sentence):
        texts_of(write(tmp_path, {"a.txt": content}), encoding=encoding)
    with pytest.raises(ValueError, match=r"neither UTF-8 nor ascii text: it is UTF-8 but for 1"):
        texts_of(write(tmp_path, {"a.txt": DAMAGED}) / "a.txt", encoding="ascii")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("encoding", ["gb18030", "utf-16-le"])
def test_a_right_encoding_brings_no_warning(encoding):
    content = f"{CHINESE}\f".encode(encoding)
    assert decode_text(content, "a.txt", encoding) == f"{CHINESE}\f"


@few
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030"])
def test_what_is_too_large_is_read_up_to_a_limit(tmp_path, encoding):
    write(tmp_path, {"a.txt": "第一回\n\n第二回".encode(encoding), "b.txt": "Unread."})
    with pytest.warns(
        UserWarning, match=r"Only the first 7e-06 MB were read, up to a part of .*a\.txt"
    ):
        texts = texts_of(tmp_path / "a.txt", most_bytes=7, encoding="gb18030")
    assert "第一回".startswith(texts[0]) and len(texts) == 1


def test_little_text_is_told(tmp_path):
    with pytest.warns(
        UserWarning, match=r"These are 5 .* 100,000 .* from one that knows their language"
    ):
        texts_of(write(tmp_path, {"a.txt": "Text."}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write(tmp_path, {"b.txt": "\n\n".join(f"This is line {i}." for i in range(6000))})
        assert len(texts_of(tmp_path / "b.txt")) == 6000


@pytest.mark.parametrize("n", [2, 9, 10, 95, 150, 1234])
def test_the_split_keeps_every_passage_and_holds_out_stretches(n):
    texts = [str(i) for i in range(n)]
    train, held_out = split_passages(texts)
    assert sorted([*train, *held_out], key=int) == texts and held_out
    assert n < 10 or 0.05 < len(held_out) / n < 0.11
    breaks = sum(int(b) - int(a) > 1 for a, b in itertools.pairwise(held_out))
    assert breaks < 20


def test_one_passage_cannot_be_split():
    with pytest.raises(
        ValueError, match="at least two passages, not 1: separate passages by an empty"
    ):
        split_passages(["a"])


@pytest.mark.parametrize(
    ("texts", "size"),
    [(["a b"], 1000), (["ab" * 500_000], 5000), (["ab" * 9_000_000], 8000)],
)
def test_the_vocabulary_follows_the_text(texts, size):
    assert vocab_size_for(texts) == size


def test_the_vocabulary_has_room_for_the_characters():
    texts = ["".join(map(chr, range(0x4E00, 0x4E00 + 3000)))]
    tokenization.train_wordpiece(texts, vocab_size_for(texts))


def test_rows_are_full_and_the_last_is_padded():
    texts = ["the cat sat", "the [MASK] [SEP] mat [PAD]"] * 700
    tokenizer = tokenization.train_wordpiece(texts, 100)
    rows = packed_rows(tokenizer, texts, 64)
    assert rows.dtype == torch.int64 and rows.shape == (77, 64)
    ids = rows.flatten()[:8].tolist()
    assert [tokenizer.id_to_token(i) for i in ids] == "the cat sat [SEP] the mat [SEP] the".split()
    assert (rows == SEP_ID).sum() == 1399 and (rows[:-1] != PAD_ID).all()
    assert packed_rows(tokenizer, ["the cat"], 8).tolist()[0][2:] == [PAD_ID] * 6


def test_what_the_tokenizer_cannot_spell_is_told():
    tokenizer = tokenization.train_wordpiece(["the cat sat on the mat"], 60)
    with pytest.raises(ValueError, match=r"All tokens of these texts are \[UNK\]"):
        packed_rows(tokenizer, ["第一回", "x" * 101])
    with pytest.warns(UserWarning, match=r"50% of the tokens are \[UNK\].*train_bpe"):
        assert UNK_ID in packed_rows(tokenizer, ["the 一"])
    bpe = tokenization.train_bpe(["第一回"], 300)
    assert UNK_ID not in packed_rows(bpe, ["第一回", "x" * 101])


# --- A large file, and the page


@few
def test_of_a_file_of_two_gigabytes_no_more_is_read_than_the_limit(tmp_path):
    path = tmp_path / "large.log"
    with path.open("wb") as file:
        file.write(b"a line of text, and a number\n" * 40_000)
        file.truncate(2_000_000_000)  # a hole of zeros, which takes no room on the disk
    tracemalloc.start()
    with pytest.warns(UserWarning, match="Only the first 1 MB were read, up to a part of"):
        assert texts_of(path, most_bytes=1_000_000)[0] == "a line of text, and a number"
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


PAGE = ROOT / "course/your_own_text.md"


def blocks(title: str = "") -> list[str]:
    """Blocks of the page, all or those of the section whose title begins so."""
    page = PAGE.read_text("utf-8")
    if title:
        page = page.split(f"\n## {title}", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^```python\n(.+?)^```$", page, re.M | re.S)


def run_blocks(names: dict, home: Path, *titles: str) -> dict:
    """The names after the blocks of these sections, for two steps, on the notes in a folder."""
    for block in [block for title in titles for block in blocks(title)]:
        code = re.sub(r'"~/([\w./]+)"', rf'"{home.as_posix()}/\1"', block)
        exec(re.sub(r"steps=\d+", "steps=2", code), names)
    return names


def sentences() -> str:
    things, places = ("a cat", "the dog", "my house", "one tree"), ("hill", "river", "town")
    lines = [
        f"{a} stands near the {b} number {i}." for i in range(4) for a in things for b in places
    ]
    return "\n\n".join(lines)


@few
@pytest.mark.usefixtures("on_one_cpu_thread")
def test_the_page_runs_from_files_to_search(tmp_path, monkeypatch, capsys):
    """Every block in order, in a folder with some generated text, for a few steps."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"notes/a.txt": sentences(), "notes/inbox.mbox": MAILBOX})
    names = run_blocks({}, tmp_path, "")
    said = capsys.readouterr().out
    assert "44 passages to train on, 4 held out" in said and "passage 47 one tree stands" in said
    assert (tmp_path / "runs/notes/model.safetensors").exists()
    assert names["mails"] == ["Hello there, this is a letter.", "Größe"]


@pytest.fixture
def notes_at_home(tmp_path, monkeypatch):
    """A folder of notes in a working directory of its own."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"notes/a.txt": sentences()})


@few
@pytest.mark.usefixtures("on_one_cpu_thread", "notes_at_home")
def test_sections_of_the_page_run_in_a_fresh_kernel(tmp_path):
    run_blocks({}, tmp_path, "1.", "2.", "4.")
    folder = {"FOLDER": "runs/notes_continued"}
    run_blocks(folder, tmp_path, "5.")
    exec(blocks("6.")[0], folder)  # the next asks about a passage
    names = run_blocks({}, tmp_path, "1.")
    run_blocks(names | folder, tmp_path, "5.", "6.", "7.")


@few
@pytest.mark.usefixtures("on_one_cpu_thread", "notes_at_home")
def test_a_folder_of_other_texts_keeps_its_model_and_a_stop_is_kept(tmp_path):
    run_blocks({}, tmp_path, "1.", "2.", "3.")
    kept = {p.name: p.read_bytes() for p in (tmp_path / "runs/notes").iterdir()}
    (tmp_path / "notes/a.txt").write_text(sentences().replace("cat", "goat"), "utf-8")
    with pytest.raises(ValueError, match="holds another training run"):
        run_blocks({}, tmp_path, "1.", "2.", "3.")
    assert kept == {p.name: p.read_bytes() for p in (tmp_path / "runs/notes").iterdir()}

    names = run_blocks({}, tmp_path, "1.", "2.")
    names["FOLDER"] = "runs/stopped"
    step = names["masked_lm_loss"]

    def stopped(model, batch):
        os.kill(os.getpid(), signal.SIGINT)
        return step(model, batch)

    names["masked_lm_loss"] = stopped
    run_blocks(names, tmp_path, "3.", "5.")
    assert names["history"].interrupted and len(names["history"]) == 1


@few
@pytest.mark.usefixtures("on_one_cpu_thread")
@pytest.mark.parametrize("tokenizer", ["train_wordpiece(train, 1000)", "train_bpe(train, 400)"])
def test_the_page_works_without_spaces_between_words(tmp_path, monkeypatch, tokenizer):
    monkeypatch.chdir(tmp_path)
    lines = [
        f"{a}在{b}看书第{i}天C++。" for i in range(9) for a in "我你他" for b in ("家", "山上")
    ]
    write(tmp_path, {"notes/a.txt": "\n\n".join(["长" * 600, *lines])})
    names = run_blocks({}, tmp_path, "1.", "2.")
    for block in blocks("3."):
        code = re.sub(r"train_wordpiece\(.+\)", tokenizer, re.sub(r"steps=\d+", "steps=2", block))
        exec(code, names)
    run_blocks(names, tmp_path, "5.", "6.")
    (guesses,) = names["fill"]("我在" + "山" * 200 + "[MASK]" + "山" * 200)
    assert len(guesses) == 5 and all(" " not in piece for piece, _ in guesses)
    signs = set("".join(lines)) | set("长#�")
    assert all(set(piece) <= signs or piece.isascii() for piece, _ in guesses)
    with pytest.raises(ValueError, match=r"Write \[MASK\] where"):
        names["fill"]("")
    run_blocks(names, tmp_path, "7.")
    by_characters = names["WordIndex"](names["some"], 2, words=list)
    for index in (by_characters, *([names["by_words"]] if "wordpiece" in tokenizer else [])):
        (hit,) = names["best_passages"](index, names["passages"], "山上看", n=1)
        assert "山上看" in hit.text


@few
@pytest.mark.usefixtures("on_one_cpu_thread")
def test_the_command_trains_on_files_and_leaves_model_and_tokenizer(tmp_path, monkeypatch, capsys):
    texts = "\n\n".join(f"The cat number {i} sat on the mat." for i in range(300))
    write(tmp_path, {"notes/a.txt": texts, "old.txt": "Köln".encode("cp1252")})
    words = (
        f"train own --texts {tmp_path}/notes {tmp_path}/old.txt --folder {tmp_path}/run --steps 2"
    )
    monkeypatch.setattr(sys, "argv", ["mlm_course", *words.split()])
    assert command.main() == 1
    assert "old.txt is not UTF-8 text" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr(sys, "argv", ["mlm_course", *words.split(), "--encoding", "cp1252"])
    assert command.main() == 0
    model = load_model(tmp_path / "run/model.safetensors")
    tokenizer = tokenization.load(tmp_path / "run/tokenizer.json")
    assert model.config.vocab_size == tokenizer.get_vocab_size()
    assert "validation_accuracy" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "sentence"), [("", "own needs --texts"), ("--texts a --rows 9", "--rows is")]
)
def test_the_command_says_what_own_texts_need(tmp_path, monkeypatch, capsys, more, sentence):
    words = f"train own --folder {tmp_path}/run {more}"
    monkeypatch.setattr(sys, "argv", ["mlm_course", *words.split()])
    assert command.main() == 1
    assert capsys.readouterr().err.startswith(sentence)


MAILBOX = """From a@b.org Sat Jan  3 01:05:34 1996
From: a@b.org
Subject: greetings

Hello there, this is a letter.

From a@b.org Sat Jan  3 01:05:35 1996
From: a@b.org
Content-Type: text/plain; charset=unknown-8bit
Content-Transfer-Encoding: 8bit

Größe

"""


def test_the_page_says_the_numbers_that_hold():
    page = (ROOT / "course/your_own_text.md").read_text("utf-8")
    assert f"{own_text.MOST_BYTES // 1_000_000} MB" in page
    assert f"{own_text.LONGEST:,} characters" in page and f"{own_text.LITTLE:,} characters" in page
    for suffix in own_text.SUFFIXES:
        assert f"`{suffix}`" in page
    curve = json.loads((ROOT / "mlm_course/results/python_docs.json").read_text("utf-8"))["curve"]
    for row in (curve[0], curve[1], curve[-1]):
        assert f"{100 * row['word_accuracy']:.0f} % after {row['step']:,}" in page, "of the record"
