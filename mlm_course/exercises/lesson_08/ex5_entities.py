"""Entities, not tokens."""

import torch

from mlm_course.practice.exercise import Exercise, Mistake

KINDS = ("PARAM", "VALUE", "CODE")


def inputs(g: torch.Generator) -> tuple[list[str]]:
    """Tags with every awkward neighbour: B after B, another kind, an O, an end; or none at all.

    Before them there is nothing, an O, or an I- that nothing stands before; its kind is also the
    last tag's.
    """
    a, b, c = (KINDS[i] for i in torch.randperm(3, generator=g).tolist())
    awkward = [
        f"B-{a}",
        f"I-{a}",
        f"B-{a}",
        "O",
        f"I-{b}",
        f"B-{c}",
        f"I-{a}",
        f"I-{a}",
        "O",
        f"I-{a}",
    ]
    start = ([], ["O"], [f"I-{b}"], [f"I-{b}", "O"], None)[int(torch.randint(5, (), generator=g))]
    return ([] if start is None else [*start, *awkward, f"B-{b}", f"I-{b}"],)


def o_is_passed_over(tags):
    """Entities with a stop behind their last word, but an O between two words changes nothing."""
    entities = []
    for place, tag in enumerate(tags):
        mark, _, kind = tag.partition("-")
        if mark == "I" and entities and entities[-1][0] == kind:
            entities[-1] = (kind, entities[-1][1], place + 1)
        elif mark != "O":
            entities.append((kind, place, place + 1))
    return entities


def from_the_last_tag(tags):
    """Beginnings are found by the tag before, and what stands before the first is the last."""
    entities = []
    for i, tag in enumerate(tags):
        if tag != "O" and (tag[0] == "B" or tags[i - 1][2:] != tag[2:]):
            stop = i + 1
            while tags[stop : stop + 1] == [f"I-{tag[2:]}"]:
                stop += 1
            entities.append((tag[2:], i, stop))
    return entities


def i_of_another_kind_dropped(tags):
    """An I- of another kind ends an entity; one behind an O begins one."""
    entities, kind, start = [], None, 0
    for place, tag in enumerate([*tags, "O"]):
        mark, _, here = tag.partition("-")
        if kind is None:
            kind, start = here or None, place
        elif mark != "I" or here != kind:
            entities.append((kind, start, place))
            kind, start = (here, place) if mark == "B" else (None, 0)
    return entities


def i_behind_o_dropped(tags):
    """An I- of another kind begins an entity; one behind an O does not."""
    entities, kind, start = [], None, 0
    for place, tag in enumerate([*tags, "O"]):
        mark, _, here = tag.partition("-")
        begins = mark == "B" or (mark == "I" and kind and here != kind)
        if kind and not (mark == "I" and here == kind):
            entities.append((kind, start, place))
            kind = None
        if begins:
            kind, start = here, place
    return entities


EXERCISE = Exercise(
    minutes=18,
    inputs=inputs,
    trials=12,
    hints=(
        "Walk along the tags and keep the entity that is open. When does it end? When does one "
        "begin?",
        "It ends at O, at B-, and at an I- of another kind. One begins at B-, and at an I- while "
        "none of its kind is open. Do not forget the last one.",
        "entities, kind, start = [], None, 0\n"
        'for place, tag in enumerate([*tags, "O"]):\n'
        '    mark, _, here = tag.partition("-")\n'
        '    if kind and not (mark == "I" and here == kind):\n'
        "        entities.append((kind, start, place))\n"
        "        kind = None\n"
        '    if mark != "O" and kind is None:\n'
        "        kind, start = here, place\n"
        "return entities",
    ),
    mistakes=(
        Mistake(
            "Two entities that touch became one: B- begins a new one even after its own kind.",
            {'mark == "I" and here == kind': "here == kind"},
        ),
        Mistake(
            "An I- of another kind cannot go on with an entity: it ends it and begins a new one.",
            {'mark == "I" and here == kind': 'mark == "I"'},
        ),
        Mistake(
            "An O ends an entity: an I- of the same kind behind it begins another one.",
            {
                'if kind and not (mark == "I" and here == kind)': 'if kind and mark != "O" and not '
                '(mark == "I" and here == kind)',
                "    return entities": "    return entities + [(kind, start, len(tags))] * bool(tags)",
            },
            o_is_passed_over,
        ),
        Mistake(
            "An I- with nothing to go on with was dropped, behind an O as well as behind another kind. "
            "It begins an entity.",
            {'mark != "O" and kind is None': 'mark == "B"'},
        ),
        Mistake(
            "An I- right behind an entity of another kind was dropped. It has nothing of its kind to go "
            "on with, so it begins an entity.",
            i_of_another_kind_dropped,
        ),
        Mistake(
            "An I- behind an O, or at the very beginning, was dropped. It begins an entity as well as "
            "one behind another kind.",
            i_behind_o_dropped,
        ),
        Mistake(
            "A word that ends one entity was not asked whether it begins the next: a B- right behind an "
            "entity is lost.",
            {'    if mark != "O" and kind is None': '    elif mark != "O" and kind is None'},
        ),
        Mistake(
            "Entities of a single word are missing: a B- without any I- behind it is one.",
            {
                "            entities.append((kind, start, place))": "            entities += "
                "[(kind, start, place)] * (place - start > 1)"
            },
        ),
        Mistake(
            "The right entities, in another order: that in which they appear in the sentence is asked "
            "for, not by kind.",
            {"return entities": "return sorted(entities)"},
        ),
        Mistake(
            "The parts stand in another order: first the kind, then the two places.",
            {"(kind, start, place)": "(start, place, kind)"},
        ),
        Mistake(
            "Places are counted from 1 here. The first word of a sentence has place 0.",
            {"(kind, start, place)": "(kind, start + 1, place + 1)"},
        ),
        Mistake(
            "Only the kinds are here. Each entity is (kind, first, stop).",
            {"(kind, start, place)": "kind"},
        ),
        Mistake(
            "An I- at place 0 was lost. There is nothing before it to go on with, so it begins an "
            "entity. (In Python `tags[-1]` is the last tag.)",
            from_the_last_tag,
        ),
        Mistake(
            "The third number is the place *after* the last word, as in a slice.",
            {"start, place))": "start, place - 1))"},
        ),
        Mistake(
            "The third number is a *place*, that of the word after the last one. You gave the "
            "number of words.",
            {"start, place))": "start, place - start))"},
        ),
        Mistake(
            "The places are right. The kind comes without its mark: 'PARAM', not 'B-PARAM'.",
            {"(kind, start, place)": "(tags[start], start, place)"},
            {"(kind, start, place)": '("B-" + kind, start, place)'},
        ),
        Mistake(
            "An entity that reaches to the end of the sentence was lost: close it after the "
            "loop, or put an 'O' after the tags.",
            {'[*tags, "O"]': "tags"},
        ),
        Mistake(
            "You counted tokens. B- and the I- after it are *one* entity.",
            {' and not (mark == "I" and here == kind)': ""},
        ),
    ),
)
