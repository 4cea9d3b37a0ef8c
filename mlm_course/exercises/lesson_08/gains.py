"""What pretraining adds to random weights, by task, as the lesson's two records say it.

Tags (F1): fine-tuned with LABELS labels. Errors (accuracy): a probe on as many. Questions (exact match):
fine-tuned.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mlm_course.results import recorded
from mlm_course.results.comparison import Difference, compare

LABELS = "180"


def labelled(scores: Mapping[str, Any], way: str, metric: str) -> Difference:
    """What pretraining adds with a way to learn, over draws of labels."""
    ours, theirs = (scores[f"{start}, {way}"][LABELS][metric] for start in ("pretrained", "random"))
    return compare(ours, theirs)


def answered(scores: Mapping[str, Sequence[Mapping[str, Any]]]) -> Difference:
    """What it adds to a reader that is fine-tuned, over seeds."""
    ours, theirs = ([row["exact"] for row in scores[name]] for name in ("pretrained", "random"))
    return compare(ours, theirs)


_SCORES = recorded("few_labels")["scores"]
_BY_TASK = {
    "tags": labelled(_SCORES["tags"], "fine-tuned", "f1"),
    "errors": labelled(_SCORES["errors"], "frozen", "accuracy"),
    "questions": answered(recorded("answering")["scores"]),
}
GAINS = {task: (gain.low, gain.high) for task, gain in _BY_TASK.items()}  # 95 % intervals
