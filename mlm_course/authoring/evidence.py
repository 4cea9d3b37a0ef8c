"""What carries a comparing sentence: a marker that names a record, {r:masking.ratios}, or a source.

The builder makes links to course/RESULTS.md of markers; tests ask that each names a record that
compares, and that sentences with a comparing word have one, cite a paper, or say that it is one run.
All others stand in course/evidence.md, each with its reason.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

MARKER = re.compile(r"\s*\{r:([^{}]+)\}")
COMPARING = re.compile(
    r"\b(better|worse|best(?! (of|possible|answers?|guess))|worst|sooner|faster|slower|quicker|ahead|behind|"
    r"beats?|wins?|outperforms?|(as|so) (good|well|fast|accurate|far) as|no difference|helps?|hurts?|"
    r"gains?|improves?|stronger|weaker|more accurate|closer|hardly matters?)\b",
    re.IGNORECASE,
)
CITED = re.compile(r"\b(1[89]|20)\d\d\b")  # the year of a source
ONE_RUN = re.compile(
    r"\b(one|two|three|this|a single) (\w+ )?(runs?|seeds?|draws?)\b|here in one", re.I
)
PRINTED = re.compile(r"\(95 %, n = (\d+)")  # by comparison.Difference
ENTRY = re.compile(r'- "(?P<start>[^"]+)": (?P<reason>.+)')


class Sentence(NamedTuple):
    """A sentence of a lesson's prose with its markers, and what follows it up to the paragraph's end."""

    text: str
    rest: str

    @property
    def is_carried(self) -> bool:
        """Whether it names a record or a source, or says that it is one run."""
        cited_behind = self.rest.startswith("(") and CITED.search(self.rest.split(")")[0])
        own = (MARKER.search, CITED.search, ONE_RUN.search)
        return bool(cited_behind) or any(search(self.text) for search in own)


def linked(text: str) -> str:
    """Markdown with a link to its record for each marker. Errors: ValueError for a marker of none."""
    return MARKER.sub(_link, text)


def _link(match: re.Match[str]) -> str:
    from mlm_course.results.page import anchor  # which imports torch: only where it is needed

    name, keys, _ = part(match[1])
    return f" ([record](../course/RESULTS.md#{anchor(name, *keys[:1])}))"


def part(marker: str) -> tuple[str, list[str], Any]:
    """What a marker such as "masking.ratios" names: a record, keys in it, and what stands there.

    Keys may hold dots and spaces. Errors: ValueError for a record or key that is not there.
    """
    from mlm_course.results import recorded

    name, _, rest = " ".join(marker.split()).partition(".")
    keys, content = [], recorded(name)
    while rest:
        inside = content if isinstance(content, Mapping) else {}
        fitting = [key for key in inside if rest == key or rest.startswith(f"{key}.")]
        if not fitting:
            raise ValueError(f"{{r:{marker}}}: {name}.json has no {rest!r} there.")
        key = max(fitting, key=len)
        keys.append(key)
        content, rest = content[key], rest[len(key) + 1 :]
    return name, keys, content


def compares(content: Any) -> bool:
    """Whether what a marker names is the values of five seeds at least, or holds a difference of them."""
    from mlm_course.results.comparison import FEWEST

    values = content if isinstance(content, list) else []
    return len([v for v in values if isinstance(v, int | float)]) >= FEWEST or _differs(
        content, FEWEST
    )


def _differs(content: Any, fewest: int) -> bool:
    """A difference in numbers, in the sentence it prints, over seeds, or of times measured in rounds."""
    if isinstance(content, str):
        return any(int(n) >= fewest for n in PRINTED.findall(content))
    if isinstance(content, list):
        return any(_differs(row, fewest) for row in content)
    if not isinstance(content, Mapping):
        return False
    if {"mean", "low", "high"} <= content.keys():
        return content.get("n", 0) >= fewest
    if content.get("over_seeds"):
        return content.get("seeds", 0) >= fewest
    return content.get("rounds", 0) >= fewest or any(
        _differs(value, fewest) for value in content.values()
    )


def comparing(prose: str) -> Iterator[Sentence]:
    """Sentences of a markdown text with a comparing word; questions, code, references are left out."""
    for paragraph in paragraphs(prose.split("## References")[0]):
        sentences = re.split(r"(?<=[.?!:])\s+(?=[A-Z*`(\[])", paragraph)
        for index, text in enumerate(sentences):
            if not text.endswith("?") and COMPARING.search(re.sub(r"`[^`]*`", "", text)):
                yield Sentence(text, " ".join(sentences[index + 1 :]))


def paragraphs(prose: str) -> Iterator[str]:
    """Paragraphs, items of lists and rows of tables, each in one line; without headings and fenced code."""
    prose = re.sub(r"(?ms)^```.*?^```", "", prose)
    prose = re.sub(r"(?m)^> ?|^#+ .*$", "", prose)
    for block in re.split(r"\n\s*\n|\n(?=[-|] ?)|\n(?=\d+\. )", prose):
        if text := " ".join(block.split()):
            yield text


def exceptions(page: str) -> dict[str, dict[str, str]]:
    """The reasons on course/evidence.md: by lesson, such as "06", and by a sentence's first words."""
    reasons: dict[str, dict[str, str]] = {}
    lesson = ""
    for line in page.splitlines():
        if line.startswith("## "):
            lesson = line[3:].split()[0]
            reasons[lesson] = {}
        elif match := ENTRY.fullmatch(line):
            reasons[lesson][match["start"]] = match["reason"]
    return reasons
