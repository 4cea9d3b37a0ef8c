"""The look of the family: two hues over the reader's own background, and hatching.

Everything is an inline style, because notebooks, GitHub and JupyterLab's sanitiser drop or leak
style sheets. Both hues have a luminance of 0.18: black text on them and white text on them both
reach a contrast of 4.5, so cells keep the theme's own text colour at every strength. Numbers and
hatching stand for the same facts as the colours. A theme's variables come with a fallback.
"""

BLUE = (43, 123, 186)
RUST = (193, 87, 27)
GREY = (127, 127, 127)
TEXT = "var(--jp-content-font-color0, #000)"
PAPER = "var(--jp-layout-color0, #fff)"
LINE = "rgba(127, 127, 127, 0.35)"
SANS = "var(--jp-ui-font-family, system-ui, sans-serif)"
MONO = "var(--jp-code-font-family, ui-monospace, monospace)"
STEPS = 20  # shades of a hue: few enough that the last digits of a number do not matter


def tint(hue: tuple[int, int, int], strength: float) -> str:
    """A hue laid over the background; strength 0 to 1."""
    shade = round(strength * STEPS) / STEPS
    return f"rgba({hue[0]}, {hue[1]}, {hue[2]}, {shade:g})"


def heat(value: float | None, largest: float) -> str:
    """Style of one cell: blue above zero, rust below, hatched for minus infinity (None)."""
    if value is None:
        return hatch(0)
    strength = abs(value) / largest if largest else 0.0
    if strength * STEPS < 0.5:
        return ""
    return f"background-color:{tint(BLUE if value > 0 else RUST, strength)}"


def bar(share: float) -> str:
    """Style of a cell with a bar behind its number, as long as a share of the cell."""
    ink = tint(BLUE, 0.55)
    image = f"background-image:linear-gradient({ink}, {ink});background-repeat:no-repeat"
    return f"{image};background-size:{round(share * STEPS) / STEPS:.0%} 100%"


def hatch(*patterns: int) -> str:
    """Style of a hatched cell; several patterns lie over one another."""
    images, sizes = zip(*(_pattern(p % 4) for p in patterns), strict=True)
    return f"background-image:{','.join(images)};background-size:{','.join(sizes)}"


def _pattern(which: int) -> tuple[str, str]:
    """One hatching as a gradient and its tile: rising, falling, level, dotted."""
    ink = "rgba({},{},{},0.5)".format(*(GREY, RUST, BLUE, GREY)[which])
    none = "rgba(0,0,0,0)"
    if which == 3:
        return f"radial-gradient({ink} 30%,{none} 30%)", "5px 5px"
    if which == 2:
        return f"linear-gradient(0deg,{ink} 30%,{none} 30%)", "5px 5px"
    angle = ("135deg", "45deg")[which]
    return f"linear-gradient({angle},{none} 43%,{ink} 43%,{ink} 57%,{none} 57%)", "6px 6px"
