"""hint, solution, quiz and progress: always an answer, never an exception, nothing lost."""

import builtins
import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlm_course import exercises
from mlm_course.practice import check, hint, hints, progress, quiz, record, solution
from mlm_course.practice import exercise as catalogue
from mlm_course.practice.exercise import find_exercise
from mlm_course.practice.progress_report import ids_of_passport, passport
from mlm_course.practice.quiz_widget import QuizWidget


@pytest.fixture(autouse=True)
def file(tmp_path, monkeypatch):
    """The progress file of one test, with the lesson for tests in the course."""
    lessons = str(Path(__file__).parent / "practice_lessons")
    monkeypatch.setattr(exercises, "__path__", [*exercises.__path__, lessons])
    monkeypatch.setattr(hints, "_shown", {})
    monkeypatch.setattr(record, "_unsaved", record.Record())
    monkeypatch.delenv(record.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / record.FILE_NAME


def solve(exercise_id="90.1"):
    return check(exercise_id, find_exercise(exercise_id).reference)


def on_disk(file):
    return json.loads(file.read_text(encoding="utf-8"))


# --- hint and solution


def test_hints_come_one_after_the_other():
    assert [hint("90.1").text for _ in range(3)] == [
        "A nudge.",
        "A `shape`.",
        "The body of a right answer.",
    ]
    assert hint("90.1").code == "return q @ k.mT / math.sqrt(q.shape[-1])"
    hint("90.10")
    assert "hint 1 of 1" in repr(hint("90.10"))


def test_a_hint_says_what_comes_next():
    assert '2 more: `hint("90.1")`' in repr(hint("90.1"))
    assert "<code>shape</code>" in hint("90.1")._repr_html_()
    assert '`solution("90.1")`' in repr(hint("90.1"))
    assert "<code>return q @ k.mT" in hint("90.1")._repr_html_()


def test_a_certain_hint():
    assert hint("90.1", 2).text == "A `shape`."
    assert hint("90.1").code.startswith("return")  # the next one
    assert hint("90.1", 1).text == "A nudge."


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("90.1", 4), "numbered from 1 to 3"),
        (("90.1", 0), "numbered from 1 to 3"),
        (("90.1", "two"), "numbered from 1 to 3"),
        (("90.1", 1.0), "numbered from 1 to 3"),
        (("90.1", True), "numbered from 1 to 3"),
        (("90.1", [1, 2]), "numbered from 1 to 3"),
        (("90.q1",), "90.q1 is a quiz question"),
        (("90.2",), 'solution("90.2")'),
        (("90.99",), "no exercise"),
        ((), "The id is missing"),
        ((90.1,), "in quotes"),
    ],
)
def test_hints_that_do_not_exist(arguments, words):
    assert words in repr(hint(*arguments))


def test_the_solution_waits_for_an_attempt():
    first = solution("90.1")
    assert not first.code and 'solution("90.1", now=True)' in first.text
    assert "math.sqrt" in solution("90.1", now=True).code
    check("90.1", lambda q, k: q)
    assert solution("90.1").code.startswith("def scores(q, k):")


def test_a_stub_is_no_attempt():
    def stub(q, k):
        raise NotImplementedError

    check("90.1", stub)
    check("90.1", None)
    assert not solution("90.10").code
    assert record.read().tried <= {"90.1"}
    check("90.10", stub)
    assert not solution("90.10").code


@pytest.fixture
def answers(tmp_path, monkeypatch):
    """The builder's file, still missing, and nothing remembered of what it said."""
    monkeypatch.setattr(catalogue, "ANSWERS", tmp_path / "answers.json")
    monkeypatch.setattr(catalogue, "exercises", catalogue.exercises.__wrapped__)
    return tmp_path / "answers.json"


def average(weights, values):
    return weights @ values


def test_the_right_answer_comes_from_the_builders_file(answers):
    answers.write_text('{"1.1": "def f(weights, values):\\n    return weights @ values * (1 < 2)"}')
    shown = solution("1.1", now=True)
    assert shown.code == "def f(weights, values):\n    return weights @ values * (1 < 2)"
    assert "(1 &lt; 2)" in shown._repr_html_()
    assert check("1.1", average).status == "passed"
    answers.write_text('{"1.1": "def f(weights, values):\\n    return 2 * weights @ values"}')
    assert check("1.1", average).status == "failed"


LOST = {
    "missing": None,
    "empty": b"",
    "broken off": b'{"1.1": "def f',
    "a list": b"[]",
    "no text": b'{"1.1": 5}',
    "not in UTF-8": b"\xff\xfe",
    "too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("content", LOST.values(), ids=LOST)
def test_a_lost_answer_is_a_sentence_and_the_way_back(answers, content):
    if content is not None:
        answers.write_bytes(content)
    verdict = check("1.1", average)
    assert verdict.status == "not checked"
    for card in (solution("1.1"), solution("1.1", now=True), verdict.card):
        text = repr(card)
        assert f"answer to 1.1 is lost: {answers} is missing or damaged" in text
        assert "`git restore mlm_course/exercises/answers.json`" in text
        assert "\n" not in text
    assert record.read().tried == set()
    assert "hint 1 of" in repr(hint("1.1")) and "1.1" in repr(progress("1"))
    assert solve().status == "passed"  # other exercises are as they were


@pytest.mark.parametrize("ask", [hint, quiz, progress])
def test_an_id_that_turns_the_line_is_shown_by_its_numbers(ask):
    message = repr(ask("</b>\u202e\u200b"))
    assert r"</b>\u202e\u200b" in message and "\u202e" not in message


def test_an_answer_that_came_back_needs_a_new_kernel(answers, monkeypatch):
    without = catalogue.exercises(1)
    monkeypatch.setattr(catalogue, "exercises", lambda lesson: without)  # as a kernel remembers
    answers.write_text('{"1.1": "def f(weights, values):\\n    return weights @ values"}')
    for text in (repr(solution("1.1", now=True)), repr(check("1.1", average))):
        assert "now it is. Restart the kernel." in text


def test_an_exercise_that_was_never_built_says_so(answers):
    answers.write_text('{"2.1": "def f(): pass"}')
    for text in (repr(solution("1.1", now=True)), repr(check("1.1", average))):
        assert "no answer to 1.1 yet: `python -m mlm_course build 1` takes it" in text


# --- quiz


class Details(HTMLParser):
    """Counts what opens without a kernel."""

    def __init__(self, html):
        super().__init__()
        self.opened = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.opened.append(tag)


def test_a_quiz_opens_without_a_kernel():
    html = quiz("90")._repr_html_()
    tags = Details(html).opened
    assert tags.count("details") == tags.count("summary") == 2
    assert "✓ Right.</strong> One is less." in html and "✗ Not it.</strong> Count again." in html
    assert "Yes, &lt;b&gt;always&lt;/b&gt;." in html and "b" not in tags


def test_the_text_of_a_quiz_keeps_the_answers():
    text = repr(quiz("90"))
    assert "90.q1  Is 1 < 2?\n  a) Yes, <b>always</b>.\n  b) Not yet." in text
    assert 'quiz("90.q1", "a")' in text
    assert "One is less" not in text and "Count again" not in text
    assert text == repr(quiz(90)) == repr(quiz("90.q1"))


def test_the_twin_of_a_quiz_is_all_there_is_without_a_kernel(monkeypatch):
    assert quiz("90")._repr_mimebundle_() == quiz("90").twin()  # nbconvert, a terminal
    monkeypatch.setattr("mlm_course.practice.questions.shell", lambda: SimpleNamespace(kernel=1))
    monkeypatch.setitem(sys.modules, "mlm_course.practice.quiz_widget", None)
    assert quiz("90")._repr_mimebundle_() == quiz("90").twin()  # no widgets in this environment


def test_a_click_is_judged_and_remembered_like_a_typed_answer(file):
    widget = QuizWidget(quiz("90"))
    widget.chosen = {"90.q1": "b"}
    assert on_disk(file) == {"solved": [], "tried": ["90.q1"]}
    widget.chosen = {"90.q1": "a"}
    assert on_disk(file)["solved"] == ["90.q1"] and widget.saved == {"90.q1": ["a", ""]}
    bundle, _ = widget._repr_mimebundle_()
    assert quiz("90").twin().items() <= bundle.items()  # which never changes


@pytest.mark.parametrize(
    "chosen", [{"90.q1": "z"}, {"90.q1": ["a"]}, {"90.q1": None}, {"1.q1": "a"}, {"x": {}}]
)
def test_a_page_that_sends_nonsense_changes_nothing(file, chosen):
    widget = QuizWidget(quiz("90"))
    widget.chosen = chosen
    assert widget.saved == {} and not file.exists()


def test_a_click_that_cannot_be_saved_says_so(file):
    file.mkdir()
    widget = QuizWidget(quiz("90"))
    widget.chosen = {"90.q1": "a"}
    assert "could not be saved" in widget.saved["90.q1"][1]


def test_dollars_are_not_typeset():
    for shown in (quiz("90"), hint("90.1"), progress(), check("90.1", print)):
        assert shown._repr_html_().startswith('<div class="mathjax_ignore" ')


def test_a_status_stays_in_one_line():
    table = progress("90")._repr_html_()
    assert '<td style="text-align:left;white-space:nowrap">○ not yet</td>' in table
    assert '<td style="text-align:left;white-space:normal">Scale the scores</td>' in table


def test_answers_are_judged_and_remembered(file):
    assert repr(quiz("90.q1", "b")) == "✗ 90.q1 b is not it: Count again."
    assert on_disk(file) == {"solved": [], "tried": ["90.q1"]}
    assert repr(quiz("90.Q1", " A ")) == "✓ 90.q1 a is right: One is less."
    assert on_disk(file)["solved"] == ["90.q1"]
    quiz("90.q1", "b")
    assert on_disk(file)["solved"] == ["90.q1"]  # nothing is taken away


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("90.q1", "c"), "no option 'c'; choose one of a, b. Nothing was recorded."),
        (("90.q1", 0), "choose one of a, b"),
        (("90.q1", "ab"), "choose one of a, b"),
        (("90.q1", ["a"]), "choose one of a, b"),
        (("90.q1", "a", "b"), "more than one option; choose one of a, b"),
        (("90.q9", "a"), 'no question "90.q9". Lesson 90 has only 90.q1.'),
        (("99",), 'no lesson "99". Lessons with exercises: 1, 2, '),
        (("90.1",), '90.1 is not the number of a lesson, like "90".'),
        (("90.1", "a"), "not the number of a lesson"),
        (
            ("90", "a"),
            'Which question of lesson 90 is this the answer to? Like `quiz("90.q1", "a")`.',
        ),
        ((), "Which lesson"),
        ((["q"],), "this is a list of 1"),
        ((True,), "this is True"),
    ],
)
def test_quizzes_that_do_not_exist(file, arguments, words):
    assert words in repr(quiz(*arguments))
    assert not file.exists()


@pytest.mark.parametrize("typed", [90, 90.0, " 90 ", "090", "Lesson 90"])
def test_a_lesson_may_be_typed_in_other_ways(typed):
    assert repr(quiz(typed)) == repr(quiz("90"))


@pytest.mark.parametrize("typed", ["a", "A", " a ", "a)", "(a)", "a.", "'a'"])
def test_a_letter_may_be_typed_in_other_ways(typed):
    for question in ("90.q1", "90.Q01", "90q1"):
        assert repr(quiz(question, typed)) == "✓ 90.q1 a is right: One is less."


# --- progress: what it shows


def test_progress_of_a_lesson():
    solve()
    quiz("90.q1", "a")
    report = progress("90")
    assert "✓ yes      90.1      Scale the scores" in repr(report)
    assert "○ not yet  90.10     Count <letters>" in repr(report)
    assert "1 of 9 exercises solved, 1 of 1 quiz questions" in repr(report)
    assert "Count &lt;letters&gt;" in report._repr_html_()
    assert repr(progress("90")) == repr(report) == repr(progress(90))


def test_progress_of_a_lesson_is_the_same_everywhere(tmp_path, monkeypatch):
    solve()
    here = repr(progress("90")), progress("90")._repr_html_()
    monkeypatch.setenv(record.VARIABLE, str(tmp_path / "elsewhere.json"))
    solve()
    assert (repr(progress("90")), progress("90")._repr_html_()) == here
    assert str(tmp_path) not in here[0] + here[1]


def test_progress_of_the_course(file):
    solve()
    text = repr(progress())
    assert "90 A lesson for tests 1 of 9 0 of 1" in " ".join(text.split())
    assert f"File: {file}" in text and passport({"90.1"}) in text


def test_progress_of_no_lesson():
    assert 'no lesson "91"' in repr(progress("91"))


# --- progress: the passport


def test_a_passport_line_is_readable():
    line = passport({"1.q1", "1.10", "1.2", "1.1", "10.1", "2.1"})
    assert line.startswith("mlm1 1.1 1.2 1.10 1.q1 2.1 10.1 #") and len(line.split("#")[1]) == 4
    assert line == passport({"2.1", "10.1", "1.1", "1.2", "1.10", "1.q1"})


@pytest.mark.parametrize("ids", [set(), {"1.1"}, {"1.1", "77.3", "4.q2"}])
def test_a_passport_comes_back_as_it_went(ids):
    line = passport(ids)
    for carried in (line, f" `{line}` ", line.upper(), line.replace(" ", "\n"), f'"{line}"'):
        assert ids_of_passport(carried) == ids


def test_restoring_adds_and_takes_nothing_away(file):
    solve()
    assert "1 of 9" in repr(progress(restore=passport({"77.1", "90.1"})))
    assert on_disk(file)["solved"] == ["77.1", "90.1"]
    assert passport({"77.1", "90.1"}) in repr(progress())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "begins with"),
        ("hello", "begins with"),
        ("mlm1", "end of the passport line is missing"),
        (passport({"1.1", "1.2"})[:-6], "is missing"),
        (passport({"1.1", "1.2"}).replace("1.2", "1.3"), "damaged on its way"),
        (passport({"1.1", "1.2"}).replace(" 1.2", ""), "damaged on its way"),
        (["mlm1"], "a list of 1"),
        (7, "the int 7"),
    ],
)
def test_a_damaged_passport_changes_nothing(file, line, words):
    solve()
    before = file.read_bytes()
    answer = repr(progress(restore=line))
    assert words in answer and "Nothing was changed" in answer and "\n" not in answer
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "arguments", [{"forget": "no"}, {"lesson": "90", "forget": True}, {"restore": "", "forget": 1}]
)
def test_only_a_plain_wish_to_forget_everything_forgets(file, arguments):
    solve()
    assert "Nothing was forgotten." in repr(progress(**arguments))
    assert on_disk(file)["solved"] == ["90.1"]


def test_forgetting_can_be_undone(file):
    solve()
    answer = repr(progress(forget=True))
    assert not file.exists()
    assert passport({"90.1"}) in answer
    progress(restore=answer.split('"')[1])
    assert on_disk(file)["solved"] == ["90.1"]


# --- progress: the file


def test_the_file_is_small_sorted_and_readable(file):
    solve("90.10")
    solve()
    assert file.read_text() == (
        '{\n  "solved": [\n    "90.1",\n    "90.10"\n  ],\n'
        '  "tried": [\n    "90.1",\n    "90.10"\n  ]\n}\n'
    )
    assert os.listdir(file.parent) == [file.name]  # no temporary file is left


def test_the_environment_variable_moves_the_file(tmp_path, monkeypatch, file):
    monkeypatch.setenv(record.VARIABLE, str(tmp_path / "mine.json"))
    solve()
    assert on_disk(tmp_path / "mine.json")["solved"] == ["90.1"] and not file.exists()


def test_deleting_the_file_forgets(file):
    solve()
    file.unlink()
    assert "0 of 9" in repr(progress("90"))
    assert not file.exists()  # looking does not write


def test_another_kernels_news_are_kept(file):
    solve()
    code = "from mlm_course.practice import record; print(record.add(solved={'7.7'}))"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=file.parent)
    solve("90.10")
    assert on_disk(file)["solved"] == ["7.7", "90.1", "90.10"]


def test_what_a_later_version_wrote_is_kept(file):
    file.write_text('{"solved": ["1.99"], "tried": [], "streak": {"days": 3}}')
    solve()
    assert on_disk(file) == {"solved": ["1.99", "90.1"], "tried": ["90.1"], "streak": {"days": 3}}


DAMAGED = [b"", b"{", b"[]", b'{"solved": 3}', b'{"solved": [1]}', b"\xff\xfe", b"[" * 100_000]


@pytest.mark.parametrize("content", DAMAGED, ids=lambda content: repr(content[:12]))
def test_a_damaged_file_is_set_aside(file, content):
    file.write_bytes(content)
    verdict = solve()
    assert verdict.status == "passed" and "was damaged" in verdict.details[-1]
    assert (file.parent / "course_progress.json.damaged-1").read_bytes() == content
    assert on_disk(file)["solved"] == ["90.1"]
    assert "damaged" not in repr(solve())  # said once


def test_a_damaged_file_is_not_deleted(file):
    file.write_text("all I had")
    assert "was damaged" in repr(progress(forget=True)) and not file.exists()
    assert file.with_name(f"{file.name}.damaged-1").read_text() == "all I had"


def test_a_second_damaged_file_does_not_replace_the_first(file):
    for content in ("first", "second"):
        file.write_text(content)
        assert "was damaged" in repr(progress())
    aside = [file.with_name(f"{file.name}.damaged-{number}").read_text() for number in (1, 2)]
    assert aside == ["first", "second"]


def no_room(*_, **__):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("broken", ["tempfile.mkstemp", "os.replace"])
def test_a_full_disk_costs_one_sentence(file, monkeypatch, broken):
    solve("90.10")
    before = file.read_bytes()
    with monkeypatch.context() as full:
        full.setattr(broken, no_room)
        verdict = solve()
        assert verdict.status == "passed"
        assert verdict.details == (
            "Your progress could not be saved (No space left on device); "
            "it is kept until this kernel ends.",
        )
        assert "2 of 9" in repr(progress("90"))  # known all the same
        assert file.read_bytes() == before
    assert os.listdir(file.parent) == [file.name]
    progress("90")  # there is room again
    assert on_disk(file)["solved"] == ["90.1", "90.10"]


def test_a_write_that_breaks_off_leaves_the_old_file(file, monkeypatch):
    solve()
    before = file.read_bytes()
    real_open = builtins.open

    def half(handle, *arguments, **named):
        stream = real_open(handle, *arguments, **named)
        if arguments[:1] == ("w",):
            stream.write("{")
            stream.close()
            no_room()
        return stream

    with monkeypatch.context() as broken:
        broken.setattr(builtins, "open", half)
        assert "could not be saved" in repr(solve("90.10"))
    assert file.read_bytes() == before and os.listdir(file.parent) == [file.name]


@pytest.mark.parametrize("kind", ["a folder in its place", "no such folder"])
def test_a_place_where_nothing_can_be_written(tmp_path, monkeypatch, kind):
    target = tmp_path / "there"
    if kind == "a folder in its place":
        target.mkdir()
    else:
        target = target / "course_progress.json"
    monkeypatch.setenv(record.VARIABLE, str(target))
    verdict = solve()
    assert verdict.status == "passed" and "could not be saved" in verdict.details[-1]
    assert "1 of 9" in repr(progress("90")) and "could not be saved" in repr(progress("90"))
    assert repr(progress(forget=True))


def stands_in_the_way(kind: str, place: Path) -> None:
    if kind == "a folder":
        place.mkdir()
    elif kind == "a pipe":
        os.mkfifo(place)
    elif kind == "a link to a pipe":
        os.mkfifo(place.with_name("pipe"))
        place.symlink_to("pipe")
    elif kind == "a huge file":
        with place.open("wb") as huge:
            huge.truncate(record.MOST_BYTES + 1)  # takes no room
    elif kind == "a newer version":
        place.write_text('{"format": 2, "solved": {"1.1": "2027-01-01"}}')


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("a folder", "is a folder, device or pipe"),
        ("a pipe", "is a folder, device or pipe"),
        ("a link to a pipe", "pipe is a folder, device or pipe"),
        ("a huge file", "is too large to be a progress file"),
        ("a newer version", "was written by a newer version of the course"),
    ],
)
def test_what_is_no_file_of_ours_stays_as_it_is(file, kind, words):
    stands_in_the_way(kind, file)
    before = os.lstat(file)
    assert words in solve().details[-1] and words in repr(progress())
    assert "1 of 9" in repr(progress("90"))  # known all the same
    assert "could not be deleted" in repr(progress(forget=True))
    after = os.lstat(file)
    assert set(os.listdir(file.parent)) <= {file.name, "pipe"}
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_device_counts_as_none_of_ours(monkeypatch):
    """Only looked at: as root, renaming or deleting it would succeed, for everybody on the machine."""
    monkeypatch.setenv(record.VARIABLE, os.devnull)
    with pytest.raises(OSError, match="is a folder, device or pipe"):
        record._content()


def test_a_file_that_may_not_be_changed_is_not(file, monkeypatch):
    solve()
    before = file.read_bytes()
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "may not be changed" in repr(solve("90.10")) and file.read_bytes() == before


@pytest.mark.parametrize("target_is_there", [True, False])
def test_a_link_stays_a_link(file, tmp_path, target_is_there):
    target = tmp_path / "elsewhere.json"
    if target_is_there:
        target.write_text('{"solved": ["1.1"]}')
    file.symlink_to(target)
    solve()
    assert file.is_symlink() and on_disk(target)["solved"][-1] == "90.1"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_another_encoding_of_the_file_is_no_damage(file, encoding):
    file.write_bytes('{"solved": ["1.1"], "name": "Zoë"}'.encode(encoding))
    assert "damaged" not in repr(solve())
    assert on_disk(file) == {"name": "Zoë", "solved": ["1.1", "90.1"], "tried": ["90.1"]}


@pytest.mark.parametrize("some_id", ["\ud800", "1." + "9" * 5000, "", "\n", "1.²"])
def test_an_odd_id_does_not_stop_later_saves(file, some_id):
    file.write_text(json.dumps({"solved": [some_id]}))
    assert "saved" not in repr(solve()) and "saved" not in repr(progress())
    assert set(on_disk(file)["solved"]) == {some_id, "90.1"}
    assert "Nothing was changed" in repr(progress(restore=f"mlm1 {some_id} \ud800 #0000"))


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_who_may_read_the_file_stays_as_it_was(file):
    solve()
    file.chmod(0o664)
    solve("90.10")
    assert file.stat().st_mode & 0o777 == 0o664


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(file):
    file.parent.chmod(0o500)
    try:
        assert "could not be saved" in repr(solve())
    finally:
        file.parent.chmod(0o700)


def test_a_working_directory_that_is_gone(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert solve().status == "passed"
    assert "1 of 9" in repr(progress("90"))
    assert repr(progress()) and repr(progress(forget=True)) and repr(solution("90.10"))


@pytest.mark.slow
def test_kernels_that_save_at_once_lose_nothing(file):
    """Four processes, twenty ids each, one file."""
    code = (
        "import sys\n"
        "from mlm_course.practice import record\n"
        "for i in range(20):\n"
        "    assert record.add({f'{sys.argv[1]}.{i}'}) == ''\n"
    )
    kernels = [subprocess.Popen([sys.executable, "-c", code, str(k)]) for k in range(4)]
    assert [kernel.wait(timeout=120) for kernel in kernels] == [0] * 4
    assert len(on_disk(file)["solved"]) == 80


def test_the_lock_of_a_killed_kernel_does_not_stop_the_next(file, monkeypatch):
    monkeypatch.setattr(record, "LOCK_SECONDS", 0.05)
    file.with_name(f".{file.name}.lock").touch()
    assert record.add({"1.1"}) == ""
    assert on_disk(file)["solved"] == ["1.1"]
    assert not list(file.parent.glob(".*lock"))
