"""class.html, from which a teacher sees which mistakes a class makes, and a page for each student.

Each page is one file: it asks nothing of the network, prints, and follows the reader's light or
dark theme. What students wrote is escaped wherever it stands.
"""

from __future__ import annotations

import html
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlm_course.practice.exercise import Exercise, find_exercise, title
from mlm_course.practice.verdict import TONES, Verdict, html_text
from mlm_course.teaching.grading import Graded
from mlm_course.teaching.judging import Result

HERE = Path(__file__).parent
TONE_OF = {"passed": "good", "failed": "bad", "stopped": "stop", "broken": "stop", "look": "note"}
COMMONEST = 3
TIMES = "\N{MULTIPLICATION SIGN}"
MOST_CODE = 6000  # characters of an example
FOR_STUDENTS = {  # where the sentence is the teacher's business
    "look": "Right on all inputs. Your teacher will look at how it is done.",
}
UNKNOWN = "Neither these sentences nor the points were looked at by a person."

NO_PROOF = (
    "This is no proof for an exam: it says what functions do, not who wrote them. A person should read "
    "what is marked “look”, and the notebooks of whoever depends on the result."
)


def esc(text: object) -> str:
    """Text for HTML, without the characters that it cannot hold."""
    return html.escape(_clean(str(text)))


def _clean(text: str) -> str:
    said = text.encode("utf-8", "replace").decode()
    return "".join(a if a >= " " or a in "\n\t" else "\ufffd" for a in said)


def _words(text: str) -> str:
    """A sentence with its `code` set as code."""
    return html_text(_clean(text))


def _page(heading: str, content: str, script: bool) -> str:
    style = (HERE / "pages.css").read_text("utf-8")
    code = (HERE / "pages.js").read_text("utf-8")
    sorting = f'<script type="module">{code}</script>' if script else ""
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{esc(heading)}</title><style>{style}</style></head>\n"
        f"<body><main><h1>{esc(heading)}</h1>\n{content}</main>"
        f"{sorting}</body></html>\n"
    )


@dataclass(frozen=True)
class Count:
    """What a class made of one exercise."""

    exercise: Exercise
    results: tuple[tuple[str, Result], ...]  # student, result

    @property
    def solved(self) -> int:
        """Students who passed, those to be looked at left out."""
        return sum(result.status == "passed" for _, result in self.results)

    @property
    def tried(self) -> int:
        """Students who wrote something."""
        return sum(result.status not in ("missing", "not attempted") for _, result in self.results)

    def commonest(self) -> list[tuple[str, str, int]]:
        """Number, sentence and count of the commonest catalogued mistakes."""
        counts = Counter(r.misconception for _, r in self.results if r.misconception)
        return [(id, self._sentence(id), n) for id, n in counts.most_common(COMMONEST)]

    def _sentence(self, misconception: str) -> str:
        number = int(misconception.rpartition("-")[2])
        return self.exercise.mistakes[number - 1].sentence

    def clusters(self) -> list[list[tuple[str, Result]]]:
        """Wrong answers outside the catalogue that do the same, the commonest first."""
        groups: dict[str, list[tuple[str, Result]]] = defaultdict(list)
        for student, result in self.results:
            if result.cluster:
                groups[result.cluster].append((student, result))
        return sorted(groups.values(), key=len, reverse=True)


def counts_of(graded: Iterable[Graded], names: Mapping[str, str]) -> list[Count]:
    """The counts of one lesson's exercises."""
    by_exercise: dict[str, list[tuple[str, Result]]] = defaultdict(list)
    for one in graded:
        for result in one.results:
            by_exercise[result.exercise].append((names[one.submission.student], result))
    return [Count(find_exercise(id), tuple(rows)) for id, rows in by_exercise.items()]


def class_page(graded: list[Graded], names: Mapping[str, str]) -> str:
    """The page about the whole class."""
    lessons = sorted({one.submission.lesson for one in graded if one.results})
    look = _to_look_at(graded, names)
    first = '<p><a href="#look">What a person should look at</a></p>' if look else ""
    parts = [first, _unreadable(graded, names)]
    for lesson in lessons:
        own = [one for one in graded if one.submission.lesson == lesson and one.results]
        parts.append(_lesson(lesson, own, names))
    parts += [look, f'<p class="small">{esc(NO_PROOF)}</p>']
    return _page("The class", "".join(parts), script=True)


def _unreadable(graded: list[Graded], names: Mapping[str, str]) -> str:
    bad = [one for one in graded if one.submission.unreadable]
    items = "".join(
        f"<li>{_student(names[one.submission.student])}: {esc(one.submission.unreadable)}</li>"
        for one in bad
    )
    return f"<h2>Could not be read</h2><ul>{items}</ul>" if bad else ""


def _student(name: str) -> str:
    return f"<bdi>{esc(name)}</bdi>"


def _to_look_at(graded: list[Graded], names: Mapping[str, str]) -> str:
    rows = [
        (names[g.submission.student], g, r) for g in graded for r in g.results if r.status == "look"
    ]
    same = [(names[g.submission.student], g) for g in graded if g.twins]
    if not rows and not same:
        return ""
    items = "".join(
        f"<li>{_student(name)}, exercise {esc(r.exercise)}: {_words(r.flag)}{_example(r, 'The code')}</li>"
        for name, _, r in rows
    )
    items += "".join(
        f"<li>{_student(name)}, lesson {g.submission.lesson}: the same code as "
        f"{', '.join(map(_student, (names[twin] for twin in g.twins)))}</li>"
        for name, g in same
    )
    intro = "These pass, and count as 0 until you say otherwise." if rows else ""
    return f'<h2 id="look">To look at</h2><p>{intro}</p><ul>{items}</ul>'


def _example(result: Result, label: str) -> str:
    if not result.source:
        return ""
    code = f"<pre><code>{esc(result.source[:MOST_CODE])}</code></pre>"
    return f"<details><summary>{esc(label)}</summary>{code}</details>"


def _lesson(lesson: int, graded: list[Graded], names: Mapping[str, str]) -> str:
    counts = counts_of(graded, names)
    solved, asked = sum(c.solved for c in counts), sum(len(c.results) for c in counts)
    share = f"{solved / asked:.0%}" if asked else "none"
    plural = "" if len(graded) == 1 else "s"
    return (
        f"<h2>Lesson {lesson}: {esc(title(lesson))}</h2>"
        f"<p>{len(graded)} notebook{plural}; {share} of all exercises solved.</p>"
        f"<h3>Exercises</h3>{_exercise_table(lesson, counts)}"
        f"<h3>Students</h3>{_student_table(lesson, graded, counts, names)}"
        f"{_unknown(counts)}"
    )


def _heads(*heads: tuple[str, str]) -> str:
    return f"<thead><tr>{''.join(_head(*head) for head in heads)}</tr></thead>"


def _head(name: str, kind: str) -> str:
    return f'<th scope="col" class="{kind}"><button type="button">{esc(name)}</button></th>'


def _table(label: str, heads: str, rows: str) -> str:
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{esc(label)}">'
        f"<table>{heads}<tbody>{rows}</tbody></table></div>"
    )


def _number(value: float, shown: str = "") -> str:
    return f'<td class="number" data-value="{value:g}">{shown or f"{value:g}"}</td>'


def _exercise_table(lesson: int, counts: list[Count]) -> str:
    heads = _heads(
        ("Exercise", ""), ("Solved", "number"), ("Tried", "number"), ("Share", "number"),
        ("Commonest mistakes", ""),
    )  # fmt: skip
    rows = "".join(map(_exercise_row, counts))
    return _table(f"Exercises of lesson {lesson}", heads, rows)


def _exercise_row(count: Count) -> str:
    share = count.solved / len(count.results)
    bar = f'<span class="share" aria-hidden="true"><span style="width:{share:.0%}"></span></span>'
    commonest = "".join(
        f'<li>{n}{TIMES} {_words(sentence)} <span class="small">({esc(id)})</span></li>'
        for id, sentence, n in count.commonest()
    )
    listed = (
        f"<ol>{commonest}</ol>" if commonest else '<span class="small">none of the catalogue</span>'
    )
    return (
        f'<tr><th scope="row" class="about">{esc(count.exercise.id)} '
        f'<span class="small">{_words(count.exercise.prompt)}</span></th>'
        f"{_number(count.solved)}{_number(count.tried)}"
        f'{_number(share, f"{share:.0%}{bar}")}<td class="mistakes">{listed}</td></tr>'
    )


def _student_table(
    lesson: int, graded: list[Graded], counts: list[Count], names: Mapping[str, str]
) -> str:
    ids = [count.exercise.id for count in counts]
    heads = _heads(("Student", ""), ("Points", "number"), *((id, "") for id in ids))
    rows = "".join(_student_row(one, ids, names[one.submission.student]) for one in graded)
    return _table(f"Students in lesson {lesson}", heads, rows)


def _student_row(one: Graded, ids: list[str], name: str) -> str:
    by_id = {result.exercise: result for result in one.results}
    cells = "".join(_status_cell(by_id[id]) if id in by_id else "<td></td>" for id in ids)
    link = f'<a href="feedback/{esc(file_name(name))}">{_student(name)}</a>'
    return f'<tr><th scope="row">{link}</th>{_number(one.points)}{cells}</tr>'


def _status_cell(result: Result) -> str:
    tone = TONE_OF.get(result.status, "open")
    symbol, _ = TONES[tone]
    which = (
        f'<br><span class="small">{esc(result.misconception)}</span>'
        if result.misconception
        else ""
    )
    shown = f'<span aria-hidden="true">{symbol}</span> {esc(result.status)}'
    return f'<td><span class="status {tone}">{shown}</span>{which}</td>'


def _unknown(counts: list[Count]) -> str:
    """Wrong answers that the catalogue has no sentence for."""
    items = "".join(_group(count, group) for count in counts for group in count.clusters())
    if not items:
        return ""
    intro = (
        "Each group does the same on the notebook's inputs. One that is large may deserve a sentence "
        "of its own in the exercise's file."
    )
    return f"<h3>Wrong in ways that the catalogue does not know</h3><p>{intro}</p>{items}"


def _group(count: Count, group: list[tuple[str, Result]]) -> str:
    (_, first), *_ = group
    who = ", ".join(_student(name) for name, _ in group)
    return (
        f'<div class="card"><p><strong>{esc(count.exercise.id)}, {len(group)}{TIMES}</strong> '
        f"({who}): {_words(first.sentence)}</p>{_example(first, 'One of them')}</div>"
    )


def file_name(student: str) -> str:
    """A name for a student's page that any file system takes and that leads nowhere else."""
    safe = "".join(a if a.isalnum() or a in "-_ .@" else "_" for a in student).strip(". ")
    return f"{safe[:100] or 'student'}.html"


def feedback_pages(graded: list[Graded], names: Mapping[str, str]) -> dict[str, str]:
    """A page a student, by the name of its file without ".html"."""
    by_student: dict[str, list[Graded]] = defaultdict(list)
    for one in graded:
        by_student[names[one.submission.student]].append(one)
    pages: dict[str, str] = {}
    for student, own in by_student.items():
        stem = file_name(student).removesuffix(".html")
        pages[stem] = feedback_page(student, own)
    return pages


def feedback_page(student: str, graded: list[Graded]) -> str:
    """What the notebook would have said to a student, exercise by exercise."""
    parts = [_of_notebook(one) for one in sorted(graded, key=lambda one: one.submission.lesson)]
    last = f'<p class="small">{UNKNOWN}</p>'
    return _page(f"Feedback for {student}", "".join(parts) + last, script=False)


def _of_notebook(one: Graded) -> str:
    if one.submission.unreadable:
        return f"<h2>{esc(one.submission.file)}</h2><p>{esc(one.submission.unreadable)}</p>"
    cards = "".join(map(_card, one.results))
    lesson = one.submission.lesson
    return (
        f"<h2>Lesson {lesson}: {esc(title(lesson))}</h2>"
        f"<p>{esc(one.submission.file)}: {one.points} of {len(one.results)} exercises solved.</p>{cards}"
    )


def _card(result: Result) -> str:
    message = FOR_STUDENTS.get(result.status, result.sentence)
    again = f'`hint("{result.exercise}")` in the notebook helps.'
    more = (again,) if result.status in ("failed", "not attempted") and not result.details else ()
    clean = [_clean(text) for text in (message, *result.details, *more)]
    verdict = Verdict(result.exercise, result.status, clean[0], tuple(clean[1:]))
    prompt = _words(find_exercise(result.exercise).prompt)
    return f'<section class="card"><h3>{esc(result.exercise)}: {prompt}</h3>{verdict._repr_html_()}</section>'
