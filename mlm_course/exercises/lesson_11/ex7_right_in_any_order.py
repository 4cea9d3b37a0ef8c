"""Right in any order."""

from itertools import permutations, product  # noqa: F401 (the answer uses them)

import torch

from mlm_course.corpora import payments
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[list[list[str]], list[str]]:
    """The ways of three parts, and texts: right ones, and ones that are so in part."""
    (payment,) = payments.draw(1, g)
    ways = payments.amount_ways, payments.date_ways, payments.payee_ways
    amount, date, payee = (each(payment) for each in ways)
    words = date[0].split()
    swapped = " ".join([words[0], words[2], words[1], words[3]])  # the day behind its month
    texts = [
        f"{amount[0]} ; {date[0]} ; {payee[0]}",
        f"{payee[0]} ; {amount[0]} ; {date[0]}",
        f"{payee[0]} ; {date[0]} ; {amount[0]}",
        f"{amount[1]} ; {date[1]} ; {payee[1]}",
        f"{amount[0]} ; {date[3]} ; {payee[1]}",
        f"{date[2]} ; {payee[2]} ; {amount[2]}",
        f"{amount[0]} ; {swapped} ; {payee[0]}",
        f"{amount[0]} ; {date[0]} ; {payee[0]} now",
        f"{amount[0]} ; {date[0]}",
        f"{amount[0]} ; {date[0]} ; to",
        f"{amount[0]} ; {date[0]} ; {amount[0]}",
        f"{amount[0]} ; {date[0]} ; {date[1]} ; {payee[0]}",
        f"{amount[0]} ; {date[0]} , {payee[0]}",
    ]
    order = torch.randperm(len(texts), generator=g).tolist()
    return [amount, date, payee], [texts[i] for i in order]


ALLOWED = '{" ; ".join(order) for chosen in product(*parts) for order in permutations(chosen)}'
ORDERS, CHOICES, RIGHT = "permutations(chosen)", "product(*parts)", "text in allowed"

EXERCISE = Exercise(
    minutes=12,
    inputs=inputs,
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
            {'" ; ".join(order)': '";".join(order)'},
            {'" ; ".join(order)': "order"},
        ),
        Mistake(
            "Inverted: True where a text is wrong.",
            {RIGHT: "text not in allowed"},
        ),
    ),
)
