"""The words of tinyworld: its tables and its sentence shapes."""

from collections.abc import Iterable
from itertools import product

from mlm_course.corpora.tinyworld_grammar import Grammar, Shape, Table

_WOMEN = ("anna", "clara", "emma", "julia", "lucy", "maria", "nora", "sara")
_MEN = ("ben", "david", "felix", "leo", "max", "oscar", "peter", "tom")
_PRONOUNS = {"female": ("she", "her", "her", "hers"), "male": ("he", "him", "his", "his")}
_GENDER = {**dict.fromkeys(_WOMEN, "female"), **dict.fromkeys(_MEN, "male")}

_ANIMALS = {
    "cat": "cats",
    "cow": "cows",
    "dog": "dogs",
    "donkey": "donkeys",
    "duck": "ducks",
    "goat": "goats",
    "goose": "geese",
    "horse": "horses",
    "mouse": "mice",
    "rabbit": "rabbits",
}
_COUNTS = {"one": 3.0, "two": 1.0, "three": 1.0, "four": 1.0}  # singular in half of the sentences
_TENSE = {"today": "present", "now": "present", "yesterday": "past", "earlier": "past"}
_GIVE = (("brings", "brought"), ("gives", "gave"))  # (present, past)

_TOPICS = {  # topic: (places, things)
    "water": ("beach harbour lake river", "boat bucket net towel"),
    "food": ("bakery cafe market restaurant", "cake cup plate spoon"),
    "garden": ("farm meadow orchard park", "basket ladder rose spade"),
    "study": ("library museum office school", "book letter map pencil"),
}
_SEASONS = {  # season: (weather, what people wear)
    "spring": ("rainy wet", "coat jacket"),
    "summer": ("hot sunny", "hat shirt"),
    "autumn": ("foggy windy", "cap jumper"),
    "winter": ("cold snowy", "scarf glove"),
}
_MOODS = {  # mood: (how it feels, what it looks like)
    "joy": ("glad happy", "laughed smiled"),
    "grief": ("lonely sad", "cried sighed"),
    "anger": ("angry cross", "complained shouted"),
    "rest": ("sleepy tired", "rested yawned"),
}
_NEEDS = {"hungry": "bread cheese corn", "thirsty": "milk water"}
_MEALS = {"breakfast": "morning", "lunch": "afternoon", "dinner": "evening", "supper": "night"}
_DAYS = "monday tuesday wednesday thursday friday saturday sunday"
_KIN = "aunt cousin friend sister uncle"
_COLOURS = {  # common and rare ones, so that a guess can be better than an even one
    "white": 8.0,
    "blue": 6.0,
    "red": 5.0,
    "black": 4.0,
    "green": 3.0,
    "grey": 2.0,
    "brown": 1.0,
    "yellow": 1.0,
}


def _people() -> Table:
    """A person with the pronouns: object as in "with him", owner as in "it is his"."""
    fields = ("gender", "name", "subject", "object", "possessive", "owner")
    return Table("person", fields, tuple((g, n, *_PRONOUNS[g]) for n, g in _GENDER.items()))


def _pairs() -> Table:
    """Two different people; the first one's object and the second one's subject pronoun."""
    rows = tuple(
        (first, second, _PRONOUNS[_GENDER[first]][1], _PRONOUNS[_GENDER[second]][0])
        for first in _GENDER
        for second in _GENDER
        if first != second
    )
    return Table("pair", ("first", "second", "first_object", "second_subject"), rows)


def _animals() -> Table:
    """An animal, how many of it, and when: noun, verbs, determiner and pronouns agree."""
    fields = "count noun when give number tense this be subject object follow say"
    rows, weights = [], []
    for (singular, plural), count, when, verbs in product(_ANIMALS.items(), _COUNTS, _TENSE, _GIVE):
        one, present = count == "one", _TENSE[when] == "present"
        words = (count, singular if one else plural, when, verbs[0] if present else verbs[1])
        rows.append((*words, *_agreement(one, present)))
        weights.append(_COUNTS[count])
    return Table("animal", tuple(fields.split()), tuple(rows), tuple(weights))


def _agreement(one: bool, present: bool) -> tuple[str, ...]:
    """number, tense, this, be, subject, object, follow, say."""
    if one:
        number, this, subject, object_ = "singular", "this", "it", "it"
        be, follow = ("is", "follows") if present else ("was", "followed")
    else:
        number, this, subject, object_ = "plural", "these", "they", "them"
        be, follow = ("are", "follow") if present else ("were", "followed")
    tense, say = ("present", "says") if present else ("past", "said")
    return number, tense, this, be, subject, object_, follow, say


def _linked(name: str, fields: str, groups: dict[str, tuple[str, str]]) -> Table:
    """Two words, each drawn from its own list, whose lists hang on one common group."""
    rows = tuple(
        (group, a, b)
        for group, (left, right) in groups.items()
        for a in left.split()
        for b in right.split()
    )
    return Table(name, tuple(fields.split()), rows)


def _list(name: str, words: Iterable[str], weights: Iterable[float] = ()) -> Table:
    """One word out of a list; it ties only its own mentions together."""
    return Table(name, ("name",), tuple((word,) for word in words), tuple(weights))


TINYWORLD = Grammar(
    tables=(
        _people(),
        _pairs(),
        _animals(),
        _linked("scene", "topic place thing", _TOPICS),
        _linked("season", "name weather garment", _SEASONS),
        _linked("mood", "kind feeling reaction", _MOODS),
        Table("need", ("name", "food"), tuple((n, f) for n in _NEEDS for f in _NEEDS[n].split())),
        Table("meal", ("name", "daytime"), tuple(_MEALS.items())),
        _list("day", _DAYS.split()),
        _list("colour", _COLOURS, _COLOURS.values()),
        _list("kin", _KIN.split()),
    ),
    shapes=(
        Shape(
            "taken along",
            "{person.name} took the {colour.name} {scene.thing} to the {scene.place} , but "
            "{person.subject} left the {colour.name} {scene.thing} there [on {day.name}] .",
        ),
        Shape(
            "feeding",
            "{animal.when} {animal.this} {animal.noun} {animal.be} {need.name} , so {person.name} "
            "{animal.give} {animal.object} some {need.food} "
            "[and {animal.subject} {animal.follow} {person.object} to the {scene.place}] .",
        ),
        Shape(
            "present",
            "{pair.first} gave {pair.second} a {colour.name} {scene.thing} , and "
            "{pair.second_subject} thanked {pair.first_object} for the {colour.name} {scene.thing} "
            "[at the {scene.place}] .",
        ),
        Shape(
            "season",
            "it was {season.weather} that {season.name} , so {person.name} wore "
            "{person.possessive} {colour.name} {season.garment} and {person.possessive} brother "
            "wore a {colour.name} {season.garment} [too] .",
        ),
        Shape(
            "mood",
            "after {meal.name} {person.name} felt {mood.feeling} , so {person.subject} "
            "{mood.reaction} all {meal.daytime} [and {person.possessive} friends {mood.reaction} "
            "too] .",
        ),
        Shape(
            "counting",
            "there {animal.be} {animal.count} {colour.name} {animal.noun} near the {scene.place} , "
            "and {person.name} {animal.say} the {colour.name} {animal.noun} {animal.be} "
            "{person.owner} [{animal.when}] .",
        ),
        Shape(
            "meeting",
            "{person.name} met {person.possessive} {kin.name} at the {scene.place} , and "
            "{person.name} showed {person.possessive} {kin.name} an old {scene.thing} "
            "[on {day.name}] .",
        ),
    ),
)
"""The whole language: the default grammar of every function in `tinyworld`."""
