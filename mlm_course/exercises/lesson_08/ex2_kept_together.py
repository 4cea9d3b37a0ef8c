"""A split that cannot leak."""

import torch

from mlm_course.corpora.labelled import Message
from mlm_course.exercises.lesson_08 import groups
from mlm_course.exercises.lesson_08.alike import MESSAGES
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[list[Message]]:
    """Twenty-three messages in any order: chains of four and three modules, pairs, single ones."""
    return ([MESSAGES[i] for i in torch.randperm(len(MESSAGES), generator=g).tolist()],)


PLAIN = '" ".join(item.text.lower().split())'
MODULE, TEXT = '("module", item.module)', '("text", text)'
TIED = "[one for one in groups if keys & one[0]]"
RESULT = "sorted(sorted(places) for _, places in groups)"
CHAIN = (
    "Some messages that hang together are in different groups here. If one has the module of a second "
    "and the second has the text of a third, all three stay together, and so on: a message that is tied "
    "to two groups makes them one."
)

EXERCISE = Exercise(
    minutes=22,
    hard=True,
    inputs=inputs,
    trials=6,
    hints=(
        "Go through the messages and keep the groups so far, each with all its modules and texts. What "
        "has to happen when a message is tied to two of them?",
        'A text becomes comparable by `" ".join(text.lower().split())`. Keep a set of keys for each '
        'group, `("module", ...)` and `("text", ...)`. A new message takes all groups whose keys '
        "meet its own out of the list, and one joint group goes back in.",
        "groups = []\n"
        "for place, item in enumerate(messages):\n"
        '    text = " ".join(item.text.lower().split())\n'
        '    keys, places = {("module", item.module), ("text", text)}, [place]\n'
        "    for other in [one for one in groups if keys & one[0]]:\n"
        "        groups.remove(other)\n"
        "        keys, places = keys | other[0], places + other[1]\n"
        "    groups.append((keys, places))\n"
        "return sorted(sorted(places) for _, places in groups)",
    ),
    mistakes=(
        Mistake(
            CHAIN,
            groups.those_tied_to_the_first,
            groups.first_to_last,
            groups.number_by_module_then_text,
            {TIED: f"{TIED}[:1]"},
            {TIED: f"{TIED}[-1:]"},
            {"keys | other_keys": "other_keys"},
            {"keys | other_keys": "keys"},
        ),
        Mistake(
            "These are, for each message, those it is tied to. A message is in *one* group, with all "
            "that hang together, also by way of others.",
            groups.those_tied_to_each,
            groups.those_tied_to_each_once,
        ),
        Mistake(
            "These groups are tied by text alone. Messages of one module can be alike, so a module must "
            "not stand on both sides either.",
            {f"{MODULE}, ": ""},
        ),
        Mistake(
            "These groups are tied by module alone. The same text may stand in two modules, and then "
            "it is known by heart.",
            {f", {TEXT}": ""},
        ),
        Mistake(
            "Either reason is enough: the module *or* the text. Here both have to be the same at once.",
            {f"{MODULE}, {TEXT}": "(item.module, text)"},
        ),
        Mistake(
            "Upper and lower case still count in your texts.",
            {".lower()": ""},
        ),
        Mistake(
            'White space still counts in your texts: `" ".join(text.split())` makes one space of '
            "each run, and takes it off at both ends.",
            {PLAIN: "item.text.lower()"},
            {PLAIN: "item.text.lower().strip()"},
            {PLAIN: 'item.text.lower().strip().replace("  ", " ")'},
        ),
        Mistake(
            "Texts are compared as they are written. Case and runs of white space must not count.",
            {PLAIN: "item.text"},
            {PLAIN: "item.text.strip()"},
        ),
        Mistake(
            "Here 'Data type' and 'Datatype' are the same. A run of white space becomes one space, "
            "not none.",
            {'" ".join': '"".join'},
        ),
        Mistake(
            "Here punctuation does not count, too. Only case and runs of white space do not.",
            {PLAIN: '" ".join("".join(a for a in item.text.lower() if a not in ".,!").split())'},
        ),
        Mistake(
            "Parts of names tie messages here. Two modules are the same if the *whole* name is: "
            "numpy.lib is not numpy.linalg, numpy.ma not numpy.ma.core, scipy.base not sklearn.base.",
            {MODULE: '("module", item.module.split(".")[0])'},
            {MODULE: '("module", item.module.split(".")[-1])'},
        ),
        Mistake(
            "Messages of two kinds are kept apart here. A text that is an error in one module and a "
            "warning in another one has been read all the same.",
            {TEXT: '("text", text, item.kind)'},
        ),
        Mistake(
            "Messages that are tied to no other are missing. Each is a group of its own.",
            {RESULT: "sorted(sorted(places) for _, places in groups if len(places) > 1)"},
        ),
        Mistake(
            "The groups are right, but in another order: that of their first places is asked for, "
            "whatever their sizes.",
            groups.largest_first,
            groups.by_size,
        ),
        Mistake(
            "The groups hold messages. Return their places.",
            {
                RESULT: "[[messages[i] for i in places] for places in "
                "sorted(sorted(places) for _, places in groups)]"
            },
        ),
        Mistake(
            "This is a number for each message, the first place of its group. Return the groups: a "
            "list of lists of places.",
            groups.a_number_for_each,
        ),
        Mistake(
            "This is the number of messages in each group. Return their places.",
            {RESULT: "[len(places) for places in sorted(sorted(p) for _, p in groups)]"},
        ),
    ),
)
