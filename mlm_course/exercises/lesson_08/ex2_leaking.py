"""Find the leak."""

import torch

from mlm_course.corpora.labelled import Message
from mlm_course.exercises.lesson_08.leaky import TEST, TRAIN, same_text
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[list[Message], list[Message]]:
    """Six messages to train on and twenty-one to test on, in any order."""
    orders = (torch.randperm(len(side), generator=g).tolist() for side in (TRAIN, TEST))
    train, test = ([side[i] for i in o] for side, o in zip((TRAIN, TEST), orders, strict=True))
    return train, test


PLAIN = '" ".join(text.lower().split())'
MODULE = "item.module in modules"
TEXT = "plain(item.text) in texts"
PLACE = "place\n"


def by_reason(train, test):
    """Places whose module is known, and places whose text is."""
    by_module = [i for i, item in enumerate(test) if any(item.module == t.module for t in train)]
    by_text = [i for i, item in enumerate(test) if any(same_text(item, t) for t in train)]
    return by_module, by_text


def modules_first(train, test):
    """Places whose module is known, then those whose text alone is."""
    by_module, by_text = by_reason(train, test)
    return by_module + [i for i in by_text if i not in by_module]


def one_list_after_the_other(train, test):
    """The places with a known module, then all those with a known text."""
    by_module, by_text = by_reason(train, test)
    return by_module + by_text


def twice_in_order(train, test):
    """Two ifs that both append: a place with both reasons stands there twice."""
    return sorted(one_list_after_the_other(train, test))


def side_by_side(train, test):
    """Only items at the same place of the two lists are compared."""
    pairs = enumerate(zip(train, test, strict=False))
    return [i for i, (a, b) in pairs if a.module == b.module or same_text(a, b)]


def falling(train, test):
    """The right places from the last to the first."""
    return sorted(modules_first(train, test), reverse=True)


def pair_by_pair(train, test):
    """A place for each pair that has the module or the text in common."""
    pairs = [(i, item, other) for i, item in enumerate(test) for other in train]
    return [i for i, a, b in pairs if a.module == b.module or same_text(a, b)]


EXERCISE = Exercise(
    minutes=9,
    inputs=inputs,
    hints=(
        "Make two sets of the training side: its modules, and its texts in a form in which case and "
        "white space no longer count. Then ask about each item of the test side.",
        '`" ".join(text.lower().split())` is that form: `split()` cuts at any run of white space. An '
        "item must go if one of the two sets has it: `or`.",
        'plain = lambda text: " ".join(text.lower().split()); modules = {item.module for item in '
        "train}; texts = {plain(item.text) for item in train}; "
        "return [place for place, item in enumerate(test) if item.module in modules or "
        "plain(item.text) in texts]",
    ),
    mistakes=(
        Mistake(
            "Only texts are compared. Messages of one module can be alike, so it must not stand "
            "on both sides either.",
            {f"{MODULE} or ": ""},
        ),
        Mistake(
            "Only modules are compared. The same text may stand in two modules, and then it is "
            "known by heart.",
            {f" or {TEXT}": ""},
        ),
        Mistake(
            "Either reason is enough: the module `or` the text, not both at once.",
            {f"{MODULE} or {TEXT}": f"{MODULE} and {TEXT}"},
        ),
        Mistake(
            "Upper and lower case still count in your texts: `.lower()` first, on both sides.",
            {".lower()": ""},
        ),
        Mistake(
            'White space still counts in your texts: `" ".join(text.split())` makes one space of '
            "each run, and takes it off at both ends.",
            {PLAIN: "text.lower()"},
            {PLAIN: "text.lower().strip()"},
        ),
        Mistake(
            "Texts are compared as they are written. Case and runs of white space must not count.",
            {PLAIN: "text"},
            {PLAIN: "text.strip()"},
        ),
        Mistake(
            "You took all white space out, and then 'data type' is 'datatype'. A run of it becomes "
            "one space.",
            {'" "': '""'},
        ),
        Mistake(
            "Only one side is compared without case and white space. Do the same to both.",
            {"{plain(item.text)": "{item.text"},
            {TEXT: "item.text in texts"},
        ),
        Mistake(
            "A text that stands twice in `test` leaks nothing: the model has not seen it. Compare "
            "with `train` alone.",
            {TEXT: f"{TEXT} or [plain(one.text) for one in test].count(plain(item.text)) > 1"},
        ),
        Mistake(
            "These are places in `train`. The items that must go are those of `test`.",
            {
                "{item.module for item in train}": "{item.module for item in test}",
                "{plain(item.text) for item in train}": "{plain(item.text) for item in test}",
                "enumerate(test)": "enumerate(train)",
            },
        ),
        Mistake(
            "These are the places that may stay. Return those that must go.",
            {f"{MODULE} or {TEXT}": f"not ({MODULE} or {TEXT})"},
        ),
        Mistake(
            "This is a yes or no for each item. Return the places of those that must go.",
            {PLACE: f"{MODULE} or {TEXT}\n", f"\n        if {MODULE} or {TEXT}": ""},
        ),
        Mistake(
            "You returned the items themselves. Return their places in `test`.",
            {PLACE: "item\n"},
        ),
        Mistake(
            "These are the right items, but not in rising order of their places.",
            modules_first,
            falling,
        ),
        Mistake(
            "A place stands in your list twice: its module and its text are both known. Each place "
            "once.",
            pair_by_pair,
            twice_in_order,
            one_list_after_the_other,
        ),
        Mistake(
            "You compared a part of the name. Modules are the same if the *whole* name is: numpy.lib "
            "is not numpy.linalg, numpy.ma not numpy.ma.core, scipy.base not sklearn.base.",
            {
                "{item.module for": '{item.module.split(".")[0] for',
                MODULE: 'item.module.split(".")[0] in modules',
            },
            {
                "{item.module for": '{item.module.split(".")[-1] for',
                MODULE: 'item.module.split(".")[-1] in modules',
            },
            {MODULE: "item.module.startswith(tuple(modules))"},
            {MODULE: 'item.module in " ".join(sorted(modules))'},
        ),
        Mistake(
            "A text is the same only as a whole. One text may be a part of another one, and you took "
            "these for the same.",
            {TEXT: "any(text in plain(item.text) for text in texts)"},
            {TEXT: "any(plain(item.text) in text for text in texts)"},
        ),
        Mistake(
            "You took punctuation out. Only case and white space must not count.",
            {PLAIN: '" ".join("".join(a for a in text.lower() if a not in ".,:").split())'},
        ),
        Mistake(
            "Your list is empty, and some items must go. Look modules up among modules, texts among "
            "texts, not among whole messages: `item.module in train` is never true.",
            {f"{MODULE} or {TEXT}": "item.module in train or plain(item.text) in train"},
        ),
        Mistake(
            "You compared only items at the same place of both lists. Compare each item of `test` with "
            "all of `train`.",
            side_by_side,
        ),
        Mistake(
            "You compared text and kind together. A text that is an error on one side and a warning "
            "on the other has been read all the same.",
            {
                "{plain(item.text)": "{(plain(item.text), item.kind)",
                TEXT: "(plain(item.text), item.kind) in texts",
            },
        ),
    ),
)
