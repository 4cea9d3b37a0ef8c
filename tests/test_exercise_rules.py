"""What the exercises of each lesson keep to: none copies a cell, some are hard, the hints run."""

import ast
import builtins
import copy
import re
from collections.abc import Iterator

import pytest
from answered import LESSONS, cell_of, lesson_of, names_above, run

from mlm_course.authoring.checks import names_bound
from mlm_course.practice import check
from mlm_course.practice.exercise import Exercise, exercises, lesson_numbers, questions
from mlm_course.practice.questions import options
from mlm_course.practice.sandbox import alike, behave, reference_behaviour

EXERCISES = [exercise for number in lesson_numbers() for exercise in exercises(number)]
QUESTIONS = [question for number in lesson_numbers() for question in questions(number)]
each_lesson = pytest.mark.parametrize("lesson", LESSONS.values(), ids=lambda source: source.name)
each_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)


@pytest.fixture(autouse=True)
def own_progress_file(tmp_path, monkeypatch):
    monkeypatch.setenv("MLM_COURSE_PROGRESS", str(tmp_path / "progress.json"))


# --- How many, and of which kind


@each_lesson
def test_five_to_eight_of_which_two_are_hard_and_one_is_no_formula(lesson):
    own = exercises(lesson.number)
    assert 5 <= len(own) <= 8
    assert sum(exercise.hard for exercise in own) >= 2
    assert any(exercise.kind != "code" for exercise in own)


# --- No answer above its exercise

FEWEST_NODES = 14  # of an expression that counts as an answer; smaller ones are idioms


def unnamed(node: ast.AST) -> str:
    """An expression in which the learner's own names do not matter."""
    names: dict[str, str] = {}

    class Rename(ast.NodeTransformer):
        def visit_Name(self, name: ast.Name) -> ast.Name:
            if hasattr(builtins, name.id) or name.id in ("torch", "F", "math", "nn"):
                return name
            return ast.Name(names.setdefault(name.id, f"n{len(names)}"), ast.Load())

    return ast.dump(Rename().visit(copy.deepcopy(node)))


def expressions(code: str) -> Iterator[ast.expr]:
    """The larger expressions of some code; none where it does not parse."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.expr) and large(node))


def large(node: ast.AST) -> bool:
    return sum(1 for _ in ast.walk(node)) >= FEWEST_NODES


def largest_of(answer: str) -> Iterator[ast.expr]:
    """What each statement of an answer computes."""
    for node in ast.walk(ast.parse(answer)):
        if isinstance(node, ast.Return | ast.Assign | ast.AugAssign) and node.value:
            yield from filter(large, [node.value])


@each_exercise
def test_no_answer_stands_above_its_exercise(exercise):
    """Neither in a cell nor in a code span, under whatever names."""
    cell, above = cell_of(exercise), []
    for one in lesson_of(exercise.id).cells:
        if one.number >= cell.number:
            break
        if one.kind == "code" and one.exercise is None and "author" not in one.tags:
            above.append(one.text)
        elif one.kind == "markdown":
            above += re.findall(r"`([^`\n]+)`", one.text)
    shown = {unnamed(node) for code in above for node in expressions(code)}
    copied = [ast.unparse(n) for n in largest_of(exercise.answer) if unnamed(n) in shown]
    assert copied == []


@each_lesson
def test_no_cell_assigns_a_name_that_an_exercise_asks_for(lesson):
    asked = {function_of(exercise).name for exercise in exercises(lesson.number)}
    for cell in lesson.cells:
        if cell.kind == "code" and cell.exercise is None:
            taken = {name for name, _ in names_bound(ast.parse(cell.text))}
            assert taken & asked == set(), f"cell {cell.number}"


# --- Hints


def function_of(exercise: Exercise) -> ast.FunctionDef:
    nodes = ast.parse(exercise.answer).body
    return [node for node in nodes if isinstance(node, ast.FunctionDef)][-1]


@each_exercise
def test_the_last_hint_is_code_that_runs_in_the_lesson(exercise):
    names, node = dict(names_above(exercise.id)), function_of(exercise)
    node.body = ast.parse(exercise.hints[-1]).body if is_code(exercise.hints[-1]) else None
    assert node.body is not None, "the last hint has to be the body of a right answer"
    node.decorator_list = []
    run(node, names)
    verdict = check(exercise.id, names[node.name])
    assert verdict.status == "passed", verdict


def is_code(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return "\n" in text or not re.match(r"[A-Z][a-z']* ", text)


@each_exercise
def test_other_hints_are_words(exercise):
    assert all(hint[-1] in ".:?!)" for hint in exercise.hints[:-1])


# --- Diagnoses

SEEDS = 20


@pytest.mark.slow
@each_exercise
def test_inputs_tell_mistakes_from_the_answer_and_from_each_other(exercise):
    """Under twenty seeds other than the learner's: as many draws a seed as check makes."""
    functions = [(m.sentence, way) for m in exercise.mistakes for way in exercise.functions(m)]
    if not exercise.arguments(1):
        pytest.skip("nothing is drawn")
    for seed in range(1, SEEDS + 1):
        trials = [1000 * seed + trial for trial in range(1, exercise.trials + 1)]
        right = [reference_behaviour(exercise, trial, 5) for trial in trials]
        seen = [[behave(exercise, way, trial, 5) for trial in trials] for _, way in functions]
        for (sentence, _), one in zip(functions, seen, strict=True):
            assert not all(map(alike, right, one)), f"seed {seed}: as if right: {sentence}"
        for i, (sentence, _) in enumerate(functions):
            for j in range(i):
                if functions[j][0] != sentence and all(map(alike, seen[j], seen[i])):
                    raise AssertionError(f"seed {seed}: {sentence} | {functions[j][0]}")


# --- The quiz cannot be guessed

AT_MOST = 0.4


def shares(rank) -> float:
    """In which share of the questions the right option is the one of a rank."""
    hits = sum(rank(options(question)).right for question in QUESTIONS)
    return hits / len(QUESTIONS)


@pytest.mark.parametrize("rank", [max, min])
def test_the_length_of_an_option_says_nothing(rank):
    assert shares(lambda asked: rank(asked, key=lambda option: len(option.text))) <= AT_MOST


@pytest.mark.parametrize("place", [0, 1, 2, -1])
def test_the_place_of_an_option_says_nothing(place):
    assert shares(lambda asked: asked[place]) <= AT_MOST


def test_options_are_of_like_length():
    for question in QUESTIONS:
        lengths = sorted(len(option.text) for option in options(question))
        assert lengths[-1] <= 2 * lengths[0] + 12, question.id
        assert len(lengths) >= 3, question.id
