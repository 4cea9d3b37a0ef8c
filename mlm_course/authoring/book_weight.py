"""What of Sphinx's theme no page needs: some two thousand icons, and maps of its scripts."""

import re
from collections.abc import Iterable
from pathlib import Path

ICONS = Path("_static/scripts/fontawesome.js")
DRAWN = re.compile(  # "name": [width, height, [other names], "code", "path"],
    r'"?([a-z0-9-]+)"?:\[\d+,\d+,\[[^\]]*\],"[0-9a-f]+",(?:"[^"]*"|\["[^"]*","[^"]*"\])\],?'
)


def lighten(html: Path) -> None:
    """Leaves in the theme's script only the icons that pages or other scripts name; no maps."""
    script = html / ICONS
    users = [*html.glob("*.html"), *html.glob("_static/*.js"), *script.parent.glob("*.js")]
    used = icons_named(path.read_text("utf-8") for path in users if path != script)
    script.write_text(only(used, script.read_text("utf-8")), encoding="utf-8")
    for path in html.glob("_static/**/*.map"):
        path.unlink()


def icons_named(texts: Iterable[str]) -> set[str]:
    """Icons that texts ask for, by name: "fa-sun" asks for "sun"."""
    return {name for text in texts for name in re.findall(r"\bfa-([a-z0-9-]+)", text)}


def only(names: set[str], script: str) -> str:
    """A script of icons without those of other names."""
    return DRAWN.sub(lambda icon: icon[0] if icon[1] in names else "", script)
