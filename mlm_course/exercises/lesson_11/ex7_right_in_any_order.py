"""Right in any order."""

from itertools import permutations, product  # noqa: F401 (the answer uses them)

from mlm_course.exercises.lesson_11.written_payments import parts_and_texts
from mlm_course.practice.exercise import Exercise, Mistake

ALLOWED = '{" ; ".join(order) for chosen in product(*parts) for order in permutations(chosen)}'
ORDERS, CHOICES, RIGHT = "permutations(chosen)", "product(*parts)", "text in allowed"
RESULT = "[text in allowed for text in written]"

EXERCISE = Exercise(
    minutes=12,
    inputs=parts_and_texts,
    hints=(
        "Two things are free: which way each part is written, and in which order the parts stand. Make "
        "all texts that come of it, then look each one up.",
        "`product(*parts)` goes through all choices of one way for each part, `permutations(chosen)` "
        "through all orders of what was chosen.",
        "allowed = set()\n"
        "for chosen in product(*parts):\n"
        '    allowed |= {" ; ".join(order) for order in permutations(chosen)}\n'
        "return [text in allowed for text in written]",
    ),
    mistakes=(
        Mistake(
            "Only texts with the parts in the order of `parts` count here. Every order is right.",
            {ORDERS: "[chosen]"},
        ),
        Mistake(
            "Only the given order and its reverse count here; three parts have six orders.",
            {ORDERS: "(chosen, chosen[::-1])"},
        ),
        Mistake(
            "Only orders that go round from another beginning count here: three of the six.",
            {ORDERS: "[chosen[i:] + chosen[:i] for i in range(len(chosen))]"},
        ),
        Mistake(
            "Only the given order and those with two parts exchanged count here: four of the six.",
            {ORDERS: "[o for o in permutations(chosen) if sum(map(str.__ne__, o, chosen)) < 3]"},
        ),
        Mistake(
            "The first of `parts` stands first in every text that counts here. Any part may do so.",
            {ORDERS: "[chosen[:1] + order for order in permutations(chosen[1:])]"},
        ),
        Mistake(
            "Only the first way to write each part counts here. All of them do.",
            {CHOICES: "[[ways[0] for ways in parts]]"},
        ),
        Mistake(
            "The ways are paired here, first with first, second with second. Each way of a part goes "
            "with each way of the others.",
            {CHOICES: "zip(*parts)"},
        ),
        Mistake(
            "A text counts here if it has the words of a right one, in whatever order. Within a part "
            "their order is fixed.",
            {RIGHT: "sorted(text.split()) in [sorted(right.split()) for right in allowed]"},
            {RIGHT: "set(text.split()) in [set(right.split()) for right in allowed]"},
        ),
        Mistake(
            "A text counts here if a right one is somewhere in it, whatever else it says. It has to "
            "be equal to one.",
            {RIGHT: "any(right in text for right in allowed)"},
        ),
        Mistake(
            "A text counts here if it begins with a right one, whatever comes then. It has to be "
            "equal to one.",
            {RIGHT: "any(text.startswith(right) for right in allowed)"},
            {RIGHT: "text.startswith(tuple(allowed))"},
        ),
        Mistake(
            "Pieces that only begin with a way of their part count here. They have to be equal to it.",
            {
                ALLOWED: "list(permutations(parts))",
                RIGHT: "any(len(pieces := text.split(' ; ')) == len(order) and all(one.startswith("
                "tuple(ways)) for one, ways in zip(pieces, order)) for order in allowed)",
            },
        ),
        Mistake(
            "Further pieces are let through here. A text is each part once, and nothing else.",
            {RIGHT: 'all(set(text.split(" ; ")) & set(ways) for ways in parts)'},
            {
                RIGHT: 'all(sum(one in ways for one in text.split(" ; ")) == 1 for ways in parts)',
            },
        ),
        Mistake(
            "A right text counts here also with one of its pieces once more. Each part stands in it "
            "once.",
            {RIGHT: 'set(text.split(" ; ")) in [set(right.split(" ; ")) for right in allowed]'},
        ),
        Mistake(
            "Texts count here although their spaces are not those of a right one. They have to be "
            "equal, spaces included.",
            {RIGHT: '" ; ".join(piece.strip() for piece in text.split(";")) in allowed'},
            {RIGHT: "text.strip() in allowed"},
            {RIGHT: "text.rstrip() in allowed"},
            {RIGHT: '" ".join(text.split()) in allowed'},
            {RIGHT: 'text.replace(" ", "") in [right.replace(" ", "") for right in allowed]'},
        ),
        Mistake(
            "A `;` behind the last part is let through here. It stands between two parts only.",
            {RIGHT: 'text.removesuffix(" ; ") in allowed'},
            {RIGHT: 'text.strip(" ;") in allowed'},
            {RIGHT: 'text.rstrip(" ;") in allowed'},
        ),
        Mistake(
            "A text counts here if it ends with a right one, whatever comes before. It has to be "
            "equal to one.",
            {RIGHT: "text.endswith(tuple(allowed))"},
        ),
        Mistake(
            "Small letters count here in place of capitals. A text has to be equal to a right one.",
            {RIGHT: "text.lower() in [right.lower() for right in allowed]"},
        ),
        Mistake(
            "A piece of a right text counts here. It has to be equal to a whole one.",
            {RIGHT: "any(text in right for right in allowed)"},
        ),
        Mistake(
            "A text counts here if each part is somewhere in it, whatever else it says: two dates, "
            "too. It has to be equal to a right text.",
            {RIGHT: "all(any(way in text for way in ways) for ways in parts)"},
        ),
        Mistake(
            "Each piece between the signs is looked up here, but not whether each part is there, and "
            "only once.",
            {RIGHT: 'all(any(piece in ways for ways in parts) for piece in text.split(" ; "))'},
        ),
        Mistake(
            "A part may stand twice here while another one is missing. Each has to be there once.",
            {ORDERS: "product(chosen, repeat=len(chosen))"},
            {ALLOWED: 'set(map(" ; ".join, permutations(sum(parts, []), len(parts))))'},
            {ALLOWED: 'set(map(" ; ".join, product(sum(parts, []), repeat=len(parts))))'},
            {
                ALLOWED: "set(sum(parts, []))",
                RIGHT: 'len(pieces := set(text.split(" ; "))) == len(parts) and pieces <= allowed',
            },
        ),
        Mistake(
            "Texts that leave parts out count here. Each part has to be there once.",
            {
                ORDERS: "[o for n in range(1, len(chosen) + 1) for o in permutations(chosen, n)]",
            },
        ),
        Mistake(
            "Nothing is right here. Parts are joined to one text, with a space, `;` and a space between two.",
            {'" ; ".join(order)': '" ".join(order)'},
            {'" ; ".join(order)': '" , ".join(order)'},
            {'" ; ".join(order)': "order"},
        ),
        Mistake(
            "What counts here has no spaces around `;`. A space stands before it and one behind it.",
            {'" ; ".join(order)': '";".join(order)'},
        ),
        Mistake(
            "No space stands before `;` in what counts here. One stands before it and one behind it.",
            {'" ; ".join(order)': '"; ".join(order)'},
        ),
        Mistake(
            "What `(... for ...)` or `map` makes can be gone through once: the first text that is "
            "looked up uses some of it up, or all. Make a list or a set.",
            {ALLOWED: f"({ALLOWED[1:-1]})"},
        ),
        Mistake(
            "A right text that is written twice counts once here. It is right each time.",
            {RIGHT: "text in allowed and not allowed.discard(text)"},
        ),
        Mistake(
            "These are the right texts. Return for each text whether it is right.",
            {RESULT: "[text for text in written if text in allowed]"},
        ),
        Mistake(
            "These are the places of the right texts. Return for each text whether it is right.",
            {RESULT: "[i for i, text in enumerate(written) if text in allowed]"},
        ),
        Mistake(
            "Inverted: True where a text is wrong.",
            {RIGHT: "text not in allowed"},
        ),
    ),
)
