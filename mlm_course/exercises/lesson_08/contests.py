"""How far our encoder is ahead of a rival that counts words, in seven contests, as the records say it.

Tags: F1. Errors: accuracy. Search: mean reciprocal rank. Questions: exact match.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mlm_course.results import recorded
from mlm_course.results.comparison import Difference, compare


def probe(task: str, labels: str, metric: str) -> Difference:
    """A probe on the frozen encoder against words, over draws of labels."""
    scores = recorded("few_labels")["scores"][task]
    ours, theirs = (scores[name][labels][metric] for name in ("pretrained, frozen", "words"))
    return compare(ours, theirs)


def searching(rows: Sequence[Mapping[str, Any]], setting: str) -> Difference:
    """A search against words alone, which have one score: over seeds, on the same queries."""
    ours = [row["mrr"] for row in rows if row["setting"] == setting]
    (words,) = (row["mrr"] for row in rows if row["setting"] == "words")
    return compare(ours, [words] * len(ours))


def answering(record: Mapping[str, Any]) -> Difference:
    """A fine-tuned reader against the regression on words of the entries, over seeds."""
    ours = [row["exact"] for row in record["scores"]["pretrained"]]
    return compare(ours, [record["rivals"]["words of the entry"]] * len(ours))


def who(ahead: Difference) -> str:
    """Who is ahead, or "neither" where the interval holds 0."""
    if ahead.low <= 0 <= ahead.high:
        return "neither"
    return "encoder" if ahead.low > 0 else "words"


_SEARCH = recorded("search")["scores"]
LEADS = {  # what the encoder is ahead by
    "tags, 180 labels": probe("tags", "180", "f1"),
    "errors, 20 labels": probe("errors", "20", "accuracy"),
    "errors, 180 labels": probe("errors", "180", "accuracy"),
    "errors, 1,200 labels": probe("errors", "1200", "accuracy"),
    "search by vectors": searching(_SEARCH, "contrastive"),
    "search by both": searching(_SEARCH, "words + contrastive"),
    "questions": answering(recorded("answering")),
}
