"""Right arguments and oracles for what `mlm_course.decoding` offers."""

from fuzzing import Target

TARGETS: list[Target] = []
WITHOUT_ORACLE: dict[str, str] = {}  # title: why nothing can be compared with
NOT_FUZZED: dict[str, str] = {}  # name: why (a constant type, a Protocol)
