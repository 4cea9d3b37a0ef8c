"""A lesson's page for whoever teaches it: schedule, answers, mistakes, and what a class will ask."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlm_course.authoring.build import read_sources
from mlm_course.authoring.cells import Source
from mlm_course.authoring.effort import MINUTES_A_QUESTION, reading
from mlm_course.practice.exercise import Exercise, Mistake, exercises, questions
from mlm_course.practice.questions import options
from mlm_course.text_files import write_text

HEADING = re.compile(r"^## +(.+)$", re.MULTILINE)
EXERCISE = re.compile(r"^### Exercise (\d+\.\d+): (.+)$", re.MULTILINE)
LONGEST_EDIT = 90  # characters of a change that can be asked about in one line


@dataclass
class Section:
    """A part of a lesson: its heading, minutes to read it, and the ids of its exercises."""

    heading: str
    reading: float = 0.0
    exercises: tuple[str, ...] = ()

    def minutes(self, of_exercises: Mapping[str, int]) -> int:
        """Reading and exercises together, in whole minutes."""
        return round(self.reading) + sum(of_exercises[id] for id in self.exercises)


def teaching_pages(root: Path, names: list[str], to: Path) -> Iterator[str]:
    """Writes a page for each lesson named, or all, and yields a line each. Errors: UnknownLesson."""
    sources = read_sources(root, names)
    to.mkdir(parents=True, exist_ok=True)
    for source in sources:
        path = to / f"{source.name}.md"
        write_text(path, teaching_page(source))
        yield str(path)


def sections(source: Source) -> list[Section]:
    """The parts of a lesson, from its beginning on."""
    parts = [Section("Beginning")]
    for cell in source.cells:
        if cell.kind == "markdown" and (heading := HEADING.search(cell.text)):
            parts.append(Section(heading[1]))
        parts[-1].reading += reading(cell)
        if cell.exercise:
            parts[-1].exercises += (cell.exercise,)
    return parts


def teaching_page(source: Source) -> str:
    """The whole page, in Markdown."""
    own = exercises(source.number)
    asked = prompts(source)
    parts = [
        f"# For whoever teaches {source.title.replace(': ', ', ')}",
        "This page holds every answer. It is made from the lesson by `python -m mlm_course teach`: change the "
        "lesson, not the page.",
        "## Goals",
        goals(source),
        "## Schedule",
        _schedule(source, own),
        "## Exercises",
        *(_exercise(one, *asked[one.id]) for one in own),
        "## What a class asks",
        "Each of these is a mistake that the exercises know. Ask before you answer: most can be settled by "
        "running them.",
        *(question for one in own for question in _asked(one)),
        "## The quiz",
        _quiz(source.number),
    ]
    return "\n\n".join(parts) + "\n"


def goals(source: Source) -> str:
    """What a learner will be able to do, and what that needs: the end of the lesson's first cell."""
    paragraphs = source.cells[0].text.split("\n\n")
    starts = [n for n, text in enumerate(paragraphs) if re.match("By the end|You will", text)]
    return "\n\n".join(paragraphs[(starts or [len(paragraphs) - 1])[0] :])


def prompts(source: Source) -> dict[str, tuple[str, str]]:
    """An exercise's heading and its task, as the lesson has them, by id."""
    texts = [cell.text for cell in source.cells if cell.kind == "markdown"]
    found_in = [(EXERCISE.search(text), text) for text in texts]
    return {m[1]: (m[2], text[m.end() :].strip()) for m, text in found_in if m}


def _schedule(source: Source, own: tuple[Exercise, ...]) -> str:
    minutes = {one.id: one.minutes for one in own}
    rows, total = [], 0
    for part in sections(source):
        total += part.minutes(minutes)
        quiz = len(questions(source.number)) * MINUTES_A_QUESTION * (part.heading == "Quiz")
        total += quiz
        listed = ", ".join(f"{id} ({minutes[id]})" for id in part.exercises)
        rows.append(
            f"| {part.heading} | {round(part.reading) or ''} | {listed or quiz or ''} | {total} |"
        )
    head = "| Section | Minutes to read | Exercises (minutes) | By minute |\n|---|---|---|---|"
    hard = ", ".join(one.id for one in own if one.hard)
    return "\n".join((head, *rows)) + (
        f"\n\nExercises: {sum(minutes.values())} minutes of {total}. Hard: {hard}."
    )


def _exercise(one: Exercise, heading: str, task: str) -> str:
    kind = f"{one.minutes} minutes, {one.kind}{', hard' * one.hard}"
    hints = "\n".join(f"{n}. {text}" for n, text in enumerate(one.hints[:-1], 1))
    mistakes = "\n".join(
        f"- **{one.id}-{n}** {mistake.sentence}" for n, mistake in enumerate(one.mistakes, 1)
    )
    parts = (
        f"### {one.id} {heading} ({kind})",
        task,
        f"The answer:\n\n{_code(one.answer)}",
        f"Hints, before the last, which is the body of an answer:\n\n{hints}",
        f"Mistakes, as `grade` numbers them:\n\n{mistakes}",
    )
    return "\n\n".join(parts)


def _code(text: str) -> str:
    return f"```python\n{text.strip()}\n```"


def _asked(one: Exercise) -> Iterator[str]:
    """Questions out of mistakes that are one small change to the answer."""
    for number, mistake in enumerate(one.mistakes, 1):
        if change := _small_change(mistake):
            old, new = change
            instead = f"`{new}` in place of `{old}`" if new else f"leave out `{old}`"
            words = f"Why not {'write ' * bool(new)}{instead}?"
            yield f"**{one.id}: {words}** {mistake.sentence} ({one.id}-{number})"


def _small_change(mistake: Mistake) -> tuple[str, str] | None:
    """What a mistake replaces by what, if that is one thing that fits a line."""
    for way in mistake.ways:
        if isinstance(way, Mapping) and len(way) == 1:
            ((old, new),) = way.items()
            old, new = old.strip(), new.strip()
            if "\n" not in old + new and "`" not in old + new and len(old + new) <= LONGEST_EDIT:
                return old, new
    return None


def _quiz(lesson: int) -> str:
    return "\n\n".join(
        f"**{question.id}** {question.prompt}\n\n"
        + "\n".join(
            f"- {o.letter}) {'**Right:** ' if o.right else ''}{o.text} ({o.feedback})"
            for o in options(question)
        )
        for question in questions(lesson)
    )
