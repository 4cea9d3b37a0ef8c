"""Wrong ways to group messages that hang together, for the exercise that asks for it."""

from mlm_course.exercises.lesson_08.alike import plain, tied


def those_tied_to_the_first(messages):
    """Each message that is in no group yet, and all that are tied to it."""
    groups, taken = [], set()
    for place, item in enumerate(messages):
        if place not in taken:
            both = [i for i, other in enumerate(messages) if tied(item, other) and i not in taken]
            taken.update(both)
            groups.append(both)
    return groups


def those_tied_to_each(messages):
    """For each message those that are tied to it."""
    return [[i for i, other in enumerate(messages) if tied(item, other)] for item in messages]


def those_tied_to_each_once(messages):
    """The same without repetitions."""
    return sorted({tuple(places) for places in those_tied_to_each(messages)})


def first_to_last(messages):
    """Groups that grow while one walks once along the messages."""
    groups, taken = [], set()
    for place in range(len(messages)):
        if place in taken:
            continue
        places = [place]
        for i in range(place + 1, len(messages)):
            if i not in taken and any(tied(messages[i], messages[j]) for j in places):
                places.append(i)
        taken.update(places)
        groups.append(places)
    return groups


def number_by_module_then_text(messages):
    """A number from the first message of the module, then the number of the first of the text."""
    modules, texts = {}, {}
    numbers = [modules.setdefault(item.module, i) for i, item in enumerate(messages)]
    numbers = [texts.setdefault(plain(m.text), n) for m, n in zip(messages, numbers, strict=True)]
    return [[i for i, n in enumerate(numbers) if n == one] for one in dict.fromkeys(numbers)]


def a_number_for_each(messages):
    """The first place of its group for each message."""
    groups = first_to_last_until_it_stays(messages)
    return [min(places) for i in range(len(messages)) for places in groups if i in places]


def largest_first(messages):
    """The right groups, the largest first."""
    return sorted(first_to_last_until_it_stays(messages), key=len, reverse=True)


def by_size(messages):
    """The right groups, the smallest first."""
    return sorted(first_to_last_until_it_stays(messages), key=len)


def first_to_last_until_it_stays(messages):
    """The right groups."""
    numbers = list(range(len(messages)))
    for _ in messages:
        for i, one in enumerate(messages):
            numbers[i] = min(numbers[j] for j, two in enumerate(messages) if tied(one, two))
    return [[i for i, n in enumerate(numbers) if n == one] for one in dict.fromkeys(numbers)]
