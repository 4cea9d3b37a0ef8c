"""What the book adds to Sphinx: formulas as MathML, and glossary terms linked at first use."""

import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx

from mlm_course.authoring.book_lists import Term

PLAIN = (nodes.paragraph,)  # text in which terms become links, unless it stands in one of these:
NOT_IN = (nodes.reference, nodes.literal, nodes.literal_block, nodes.title, nodes.raw, nodes.math)


def setup(app: Sphinx) -> dict[str, Any]:
    """Registers both; config value book_terms: the glossary; book_linked: pages that link to it."""
    app.add_config_value("book_terms", [], "env", list)
    app.add_config_value("book_linked", [], "env", list)
    app.add_html_math_renderer("mathml", (inline_math, None), (block_math, None))
    app.connect("doctree-read", link_terms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def mathml(latex: str, display: str) -> str:
    """A formula as browsers draw it by themselves."""
    return convert(latex.replace("\\!", ""), display=display)  # a space that MathML has not


def inline_math(writer: Any, node: nodes.math) -> None:
    writer.body.append(mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def block_math(writer: Any, node: nodes.math_block) -> None:
    writer.body.append(f'<div class="book-math">{mathml(node.astext(), "block")}</div>')
    raise nodes.SkipNode


def link_terms(app: Sphinx, doctree: nodes.document) -> None:
    """Makes a link of the first use of each glossary term in the prose of a page."""
    if app.env.docname not in app.config.book_linked:
        return
    left = {form: term for term in app.config.book_terms for form in spellings(term)}
    if not left:
        return
    pattern = _pattern(left)
    for text in list(doctree.findall(nodes.Text)):
        if _is_prose(text):
            parts = list(_linked(text.astext(), pattern, left))
            if any(isinstance(part, nodes.reference) for part in parts):
                text.parent.replace(text, parts)


def _pattern(forms: dict[str, Term]) -> re.Pattern[str]:
    """Any of the forms as a whole word, longer ones first; a plural, too."""
    longest = sorted(forms, key=len, reverse=True)
    return re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, longest))})(e?s)?(?![\w-])")


def spellings(term: Term) -> list[str]:
    """The forms of a term, those in small letters also with a capital: zero is not ZeRO."""
    capital = [form[0].upper() + form[1:] for form in term.forms if form == form.lower()]
    return [*term.forms, *capital]


def _is_prose(text: nodes.Text) -> bool:
    above, node = [], text.parent
    while node is not None:
        above.append(node)
        node = node.parent
    return any(isinstance(n, PLAIN) for n in above) and not any(
        isinstance(n, NOT_IN) for n in above
    )


def _linked(text: str, pattern: re.Pattern[str], left: dict[str, Term]) -> Iterator[nodes.Node]:
    """The parts of a text: links for terms that were still left, and what is between them."""
    end = 0
    for match in pattern.finditer(text):
        term = left.get(match[1])
        if term is None:
            continue
        for form in spellings(term):
            left.pop(form, None)
        if match.start() > end:
            yield nodes.Text(text[end : match.start()])
        yield nodes.reference(
            "", match[0], refuri=f"glossary.html#{term.anchor}", reftitle=term.meaning,
            classes=["book-term"], internal=True,
        )  # fmt: skip
        end = match.end()
    if end < len(text):
        yield nodes.Text(text[end:])
