"""Payments written out, rightly and wrongly: what exercise 11.7 is asked about."""

from itertools import permutations

import torch

from mlm_course.corpora import payments


def parts_and_texts(g: torch.Generator) -> tuple[list[list[str]], list[str]]:
    """The ways of three parts, and texts: right ones in all orders, and ones that are so in part."""
    (payment,) = payments.draw(1, g)
    ways = payments.amount_ways, payments.date_ways, payments.payee_ways
    parts = amount, date, payee = [each(payment) for each in ways]
    drawn = [[int(torch.randint(len(each), (), generator=g)) for each in parts] for _ in range(2)]
    given, *orders = permutations(range(3))
    shuffled = [*(orders[i] for i in torch.randperm(5, generator=g).tolist()), given]
    chosen = [[0, 0, 0], [1, 1, 1], [2, 2, 2], [0, 3, 1], *drawn]
    right = [
        " ; ".join(parts[i][one[i]] for i in order)
        for one, order in zip(chosen, shuffled, strict=True)
    ]
    words = date[0].split()
    swapped = " ".join([words[0], words[2], words[1], words[3]])  # the day behind its month
    wide = date[0].replace(" ", "  ", 1)
    a, d, p = amount[0], date[0], payee[0]
    text = f"{a} ; {d} ; {p}"
    wrong = [
        *(f"{a} ; {swapped} ; {p}", f"{a} ; {wide} ; {p}", f"{a} now ; {d} ; {p}"),
        *(f"{text} now", f"also {text}", f"{text} ; {a}", f"{text} ; hello"),
        *(f"{text} ;", f"{text} ; ", f" ; {text}", f"{text} ", f" {text}"),
        *(text.lower(), text.replace(" ; ", ";"), text.replace(" ; ", "; "), f"{a} ; {d} , {p}"),
        *(f"{a} ; {d}", f"{a} ; {d} ; to", f"{a} ; {d} ; {a}", f"{a} ; {d} ; {date[1]} ; {p}"),
        f"{a} ; {d}{p} ; ",
        *(f"{a} ; {amount[1]} ; {p}", f"{a} ; {d} ; {date[1]}", f"{payee[2]} ; {d} ; {p}"),
    ]
    first, *others = right
    others += [*wrong, first]  # one is written twice, at first and later
    order = torch.randperm(len(others), generator=g).tolist()
    return parts, [first, *(others[i] for i in order)]
