"""Where a training stands, in one line of plain letters that every terminal can write."""

from typing import Any

from mlm_course.views.curve import value_text


def status_line(
    step: float, total: float | None, values: dict[str, float], more: dict[str, Any]
) -> str:
    """Step and values in one line, such as "step 300 of 3,000, loss 0.812, 1 min 20 s left".

    values holds the newest of each curve; more what else is known: rate in tokens a second, left
    in seconds, anything else by its name. None is left out.
    """
    of = f" of {total:,.0f}" if total is not None else ""
    named = {**values, **more}
    told = [part(name, value) for name, value in named.items() if value is not None]
    return ", ".join([f"step {step:,.0f}{of}", *told])


def part(name: str, value: Any) -> str:
    """One piece of the line, with its unit."""
    if isinstance(value, str):
        return f"{said(name)} {value}"
    if name == "rate":
        return f"{value:,.0f} tokens/s"
    if name == "left":
        return f"{duration(value)} left"
    return f"{said(name)} {value_text(value)}".replace("\N{MINUS SIGN}", "-")


def said(name: str) -> str:
    """A name from Python as words: validation_loss is validation loss."""
    return name.replace("_", " ")


def duration(seconds: float) -> str:
    """Seconds as a reader says them: 45 s, 2 min 5 s, 1 h 10 min."""
    if not 0 <= seconds < 1e9:
        return "unknown time"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"
