"""The glossary and the list of wrong claims point to where the lessons really say it."""

import re
from functools import cache
from pathlib import Path

import pytest
from lesson_places import (
    DEFINITION,
    LABEL,
    NOT_TEXT,
    QUOTED,
    plain,
    sections,
    with_definitions,
    wrong_places,
)

ROOT = Path(__file__).resolve().parents[1]
GLOSSARY, MYTHS = (
    (ROOT / "course" / name).read_text("utf-8") for name in ("glossary.md", "myths.md")
)
TEXTS = {key: at for key, at in sections().items() if key.split(".")[1] not in NOT_TEXT}


# --- Both


@pytest.mark.parametrize("page", [GLOSSARY, MYTHS], ids=["glossary", "myths"])
def test_pointers_lead_to_sections_that_say_it(page):
    assert wrong_places(page) == []


@pytest.mark.parametrize("name", ["glossary.md", "myths.md"])
def test_links_of_the_pointers_are_up_to_date(name):
    page = (ROOT / "course" / name).read_text("utf-8")
    assert page == with_definitions(page), f"python tests/lesson_places.py course/{name}"
    for _, link in DEFINITION.findall(page):
        assert (ROOT / "course" / link.partition("#")[0]).exists(), link


# --- Wrong claims

FALSE = {  # the statements that are wrong, in each of the documents that the course grew out of
    "S0": "1 2 3 5 6 7 8 9 10 13 14 15 16 17 18 19 20 21 23 24 25 27 29 31 32 33 34",
    "S1": "1 2 4 6 7 9 11 12 13 14 15 17 18 19 20 22",
    "S2": "5 6 7 8 9 10 11 12",
    "S3": "2 3 4 5 6 9 10 11 12 13 14 15 17 18 19 20 21",
    "S4": "3 5 7",
}
HALF = "0.4 0.11 0.12 0.26 0.28 0.30 1.5 1.8 1.10 1.21 1.23 2.3 2.4 2.13 2.14 3.8 4.4 4.6 4.8 4.9"
ROW = re.compile(r"^\| S(\d\.\d+)([a-z]?) \| (.+?) \| (.+) \|$", re.M)
WRONG, INCOMPLETE = (ROW.findall(part) for part in MYTHS.split("\n## Half said\n"))


def test_every_false_statement_has_its_line():
    wanted = {f"{name[1]}.{number}" for name, all_ in FALSE.items() for number in all_.split()}
    assert {number for number, *_ in WRONG} == wanted
    assert set(HALF.split()) <= {number for number, *_ in INCOMPLETE}


def test_false_claims_are_counted():
    told = re.search(r"there are (\d+) false claims, in (\d+) statements", " ".join(MYTHS.split()))
    assert told
    parts = [number + letter for number, letter, *_ in WRONG]
    assert len(set(parts)) == len(parts) == int(told[1])
    assert len({number for number, *_ in WRONG}) == int(told[2])
    for number in {number for number, *_ in WRONG}:  # a, b, c, or none at all
        letters = [letter for other, letter, *_ in WRONG if other == number]
        assert letters in ([""], list("abcdefgh"[: len(letters)])), number


def test_every_claim_is_settled_by_words_of_a_lesson_or_by_a_source():
    for number, letter, claim, settled in [*WRONG, *INCOMPLETE]:
        pointers, quoted = LABEL.findall(settled), QUOTED.findall(settled)
        assert len(pointers) == len(quoted), f"S{number}{letter}: a pointer without words"
        assert quoted or re.search(r"\]\((https://|\.\./README)", settled), f"S{number}{letter}"
        assert claim not in [other for n, x, other, _ in WRONG if (n, x) != (number, letter)]


# --- Glossary

ENTRY = re.compile(r"^- \*\*(.+?)\*\*(?: \((.+?)\))?: (.+)$", re.M)
ENTRIES = {
    head: ({head.lower(), *forms.lower().split(", ")} - {""}, text)
    for head, forms, text in ENTRY.findall(GLOSSARY)
}
NOT_TERMS = {  # bold in a lesson, and no term
    "-100": "a number; the entry is 'label'",
    "not": "stress",
    "keys and values": "opens an item of a list",
}


@cache
def bold(text: str) -> list[str]:
    """What stands in bold, tables and code aside; not a sentence, nor what opens a paragraph or a box."""
    text = re.sub(r"^\|.*$", "", re.sub(r"`[^`\n]*`", "", text), flags=re.M)
    phrases = (plain(words) for words in re.findall(r"(?<!\*)\*\*(?!\*)(.+?)\*\*", text, re.S))
    return [
        words
        for words in phrases
        if not words.endswith((".", ":")) and words != "in fact" and len(words.split()) < 5
    ]


def stands_in(term: str, text: str) -> bool:
    return bool(re.search(rf"(?<!\w){re.escape(term)}(?!\w)", plain(text), re.I))


def test_bold_terms_of_the_lessons_stand_in_the_glossary():
    """Bold in running text introduces a term; each has its line in the one glossary."""
    known = {form for forms, _ in ENTRIES.values() for form in forms}
    bolds = {(term, key) for key, section in TEXTS.items() for term in bold(section.prose)}
    assert {at for at in bolds if at[0] not in known and at[0] not in NOT_TERMS} == set()


@pytest.mark.parametrize("head", ENTRIES)
def test_a_word_is_introduced_where_the_glossary_says(head):
    """In bold, for the first time, in the section of its first pointer; or by the words quoted."""
    forms, text = ENTRIES[head]
    pointers, quoted = LABEL.findall(text), dict(QUOTED.findall(text))
    assert pointers, head
    for key in pointers:
        assert any(stands_in(form, sections()[key].text) for form in forms), (head, key)
    in_bold = [key for key, section in TEXTS.items() if forms & set(bold(section.prose))]
    first = pointers[0]
    if first in quoted:
        assert any(stands_in(form, quoted[first]) for form in forms), (head, quoted[first])
        assert first not in in_bold, f"{head} is bold in {first}: no words are needed"
    else:
        assert first in in_bold, (
            f"{head} is not bold in {first}: say by which words it is explained"
        )
    order = list(TEXTS)
    before = [key for key in in_bold if order.index(key) < order.index(first)]
    assert before == [], f"{head} is bold before {first}"


EARLIER: dict[
    str, str
] = {}  # names that stand in a lesson before they are explained, with the reason


@pytest.mark.parametrize(
    "name",
    [head for head in ENTRIES if re.search(r"[A-Z]", head[1:]) and head not in EARLIER],
)
def test_a_name_or_abbreviation_is_explained_where_it_first_stands(name):
    """MNLI, ViT, LoRA, ...: words that nobody understands who has not met them."""
    first = LABEL.findall(ENTRIES[name][1])[0]
    before = list(TEXTS)[: list(TEXTS).index(first)]
    assert [key for key in before if stands_in(name, TEXTS[key].prose)] == []


def test_the_glossary_is_in_alphabetical_order():
    heads = [re.sub(r"[^a-z0-9 ]", "", head.lower().replace("-", " ")) for head in ENTRIES]
    assert heads == sorted(heads)
    assert len(ENTRIES) == len(re.findall(r"^- ", GLOSSARY, re.M))
