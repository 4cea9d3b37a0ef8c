"""Every exercise of the course can be solved, and each mistake it knows is told from the others.

Nothing here names a lesson: what the catalogue finds is what is tested.
"""

import ast
import importlib
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from mlm_course.practice import check
from mlm_course.practice.exercise import edited, exercises, find_exercise, lesson_numbers, questions
from mlm_course.practice.sandbox import alike, behave, reference_behaviour

PACKAGE = Path(__file__).resolve().parents[1] / "mlm_course"
EXERCISES = [exercise for number in lesson_numbers() for exercise in exercises(number)]
QUESTIONS = [question for number in lesson_numbers() for question in questions(number)]
SLOW = set("5.8 6.2 6.3 6.5 9.5 9.6 9.7 10.4".split())  # a model in every trial
MISTAKES = [  # quickly the first of each exercise
    pytest.param(
        exercise,
        mistake,
        n,
        id=f"{exercise.id}-{index}{'abcdefgh'[n]}",
        marks=pytest.mark.slow if exercise.id in SLOW or (index, n) != (1, 0) else (),
    )
    for exercise in EXERCISES
    for index, mistake in enumerate(exercise.mistakes, 1)
    for n in range(len(mistake.ways))
]
each_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
each_mistake = pytest.mark.parametrize(("exercise", "mistake", "n"), MISTAKES)
each_question = pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.id)
each_lesson = pytest.mark.parametrize("lesson", lesson_numbers())


@pytest.fixture(autouse=True)
def own_progress_file(tmp_path, monkeypatch):
    monkeypatch.setenv("MLM_COURSE_PROGRESS", str(tmp_path / "progress.json"))


@each_exercise
def test_the_reference_passes(exercise):
    verdict = check(exercise.id, exercise.reference)
    assert verdict.status == "passed", verdict


@each_exercise
def test_the_stub_is_not_attempted(exercise):
    def stub(*arguments):
        raise NotImplementedError

    assert check(exercise.id, stub).status == "not attempted"


@each_mistake
def test_each_mistake_gets_its_own_sentence(exercise, mistake, n):
    verdict = check(exercise.id, exercise.functions(mistake)[n])
    assert (verdict.status, verdict.message) == ("failed", mistake.sentence)


@each_mistake
def test_a_mistake_is_not_that_an_import_is_missing(exercise, mistake, n):
    """Its function would be told from others by its NameError, and recognise nobody."""
    function = exercise.functions(mistake)[n]
    assert not isinstance(behave(exercise, function, 1, 5).outcome.error, NameError)


@each_exercise
def test_no_two_mistakes_say_the_same(exercise):
    sentences = [mistake.sentence for mistake in exercise.mistakes]
    assert len(set(sentences)) == len(sentences)


@each_exercise
def test_inputs_are_the_same_at_every_call(exercise):
    for trial in range(1, exercise.trials + 1):
        twice = [reference_behaviour(exercise, trial, 5) for _ in range(2)]
        assert alike(*twice)


@each_exercise
def test_there_is_enough_help(exercise):
    assert len(exercise.hints) >= 3
    assert len(exercise.mistakes) >= 3
    texts = (exercise.prompt, *exercise.hints, *(mistake.sentence for mistake in exercise.mistakes))
    assert all(text.strip() for text in texts)
    assert all(text.count("`") % 2 == 0 for text in texts), "a backtick without its partner"


@each_lesson
def test_a_lesson_has_exercises_in_order(lesson):
    ids = [exercise.id for exercise in exercises(lesson)]
    assert ids == [f"{lesson}.{number}" for number in range(1, len(ids) + 1)]
    assert all(find_exercise(exercise_id).id == exercise_id for exercise_id in ids)


@each_lesson
def test_a_lesson_has_questions_in_order(lesson):
    ids = [question.id for question in questions(lesson)]
    assert ids and ids == [f"{lesson}.q{number}" for number in range(1, len(ids) + 1)]


@each_question
def test_a_question_is_well_formed(question):
    assert question.prompt.strip()
    options = (question.right, *question.wrong)
    assert 2 <= len(options) <= 6
    texts = [text for text, _ in options]
    assert len(set(texts)) == len(texts)
    assert all(text.strip() and feedback.strip() for text, feedback in options)
    assert not re.match(r"\w\)", texts[0]), "letters are added when it is shown"


# --- How the files of the exercises are written


def edits(exercise):
    """The ways to make a mistake that are edits of the right answer."""
    ways = [way for mistake in exercise.mistakes for way in mistake.ways]
    return [way for way in ways if isinstance(way, Mapping)]


@each_exercise
def test_what_an_edit_replaces_stands_in_the_answer_exactly_once(exercise):
    for way in edits(exercise):
        for old in way:
            count = exercise.answer.count(old)
            assert count == 1, f"{exercise.id}: {old!r} stands in the answer {count} times."
        edited(exercise.answer, way)  # raises where an edit adds what another replaces


@each_lesson
def test_the_file_of_an_exercise_says_nothing_twice(lesson):
    """The id stands in its name, the prompt in its docstring, the answer in the lesson's source."""
    folder = PACKAGE / "exercises" / f"lesson_{lesson:02d}"
    names = [path.stem for path in folder.glob("ex[0-9]*.py")]
    for name in names:
        assert re.fullmatch(r"ex[1-9]\d*_[a-z0-9_]+", name), f"{name}: write ex2_words.py"
        written = importlib.import_module(f"mlm_course.exercises.{folder.name}.{name}").EXERCISE
        assert (written.id, written.prompt, written.answer, written.names) == ("", "", "", {}), name
    ids = [f"{lesson}.{re.search('[0-9]+', name)[0]}" for name in names]
    assert sorted(ids) == sorted(exercise.id for exercise in exercises(lesson))


@each_exercise
def test_an_exercise_imports_what_it_or_an_answer_uses(exercise):
    """Also where `noqa: F401` stands."""
    text = Path(exercise.names["__file__"]).read_text(encoding="utf-8")
    imported = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imported |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    answers = [exercise.answer, *(edited(exercise.answer, way) for way in edits(exercise))]
    used = {
        node.id
        for source in (text, *answers)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Name)
    }
    assert imported - used == set()


FILES = {
    path.relative_to(PACKAGE).as_posix(): path
    for part in ("exercises", "practice")
    for path in sorted((PACKAGE / part).rglob("*.py"))
}
each_file = pytest.mark.parametrize("path", FILES.values(), ids=FILES)
FLAGS = 2  # of a function: parameters that are False or True by default
LINES = 200  # of a file with an exercise


@each_file
def test_a_function_has_few_flags(path):
    for node in functions(path):
        defaults = [*node.args.defaults, *node.args.kw_defaults]
        flags = [d for d in defaults if isinstance(d, ast.Constant) and isinstance(d.value, bool)]
        assert len(flags) <= FLAGS, f"line {node.lineno}: {len(flags)} flags"


@each_file
def test_a_lambda_has_a_parameter_with_a_name(path):
    for node in functions(path):
        if isinstance(node, ast.Lambda):
            names = [arg.arg for arg in ast.walk(node.args) if isinstance(arg, ast.arg)]
            letters = [name for name in names if len(name) == 1 and name.isalpha()]
            assert not names or names != letters, f"line {node.lineno}: {', '.join(names)}"


def functions(path):
    """Every function in a file, lambdas and methods included."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    return [node for node in nodes if isinstance(node, kinds)]


def test_files_with_exercises_are_short():
    lengths = {name: len(path.read_text("utf-8").splitlines()) for name, path in FILES.items()}
    long = {name: n for name, n in lengths.items() if n > LINES and name.startswith("exercises")}
    assert long == {}
