"""The search box: a query that is typed, and the passages that a search puts first, at each key."""

import base64
import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from itertools import product
from typing import Any

import traitlets

from mlm_course.views import SearchResult, checks, search_results
from mlm_course.views.search import COMMON, first_hits, result_view, shown_name, shown_text
from mlm_course.views.text import lines
from mlm_course.widgets.base import AnsweringWidget, script

Search = Callable[[str], Iterable[Any]]
Text = tuple[str, str]  # name and text of a passage
STORED = 270_000  # letters for the passages that a page without Python is given, at most
IN_THE_TWIN = 3  # examples, and hits of each, where nobody has asked yet


class SearchBox(AnsweringWidget):
    """A box to type a query into, and below it the passages that a search puts first.

    search, a function query -> hits, best first, each (name, text, score), or a mapping from a
    name to such a function: the reader chooses, and can compare them on the same query. The first
    k hits are shown. examples, queries to click on while the box is empty; the static picture
    shows their hits as long as there is no query. query and method, the name of a search, follow
    what the reader does and may be set; hits and said hold the last answer. Where a search fails,
    error says so and the last answer stays. passages, what is searched, (name, text) each: a page
    of the book keeps as many as it can, and looks typed words up in them. ValueError for what is no
    function, and for k outside 1 to 50.
    """

    _esm = script("search_words.js", "search_box.js")

    query = traitlets.Unicode().tag(sync=True)
    method = traitlets.Unicode().tag(sync=True)
    hits: Any = traitlets.List().tag(sync=True)
    said = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        search: Search | Mapping[str, Search],
        k: int = 5,
        examples: Iterable[str] = (),
        title: str = "",
        query: str = "",
        passages: Iterable[Text] = (),
    ) -> None:
        self._searches = _named(search)
        self._k, self._title = checks.whole("k", k), str(title)
        self._passages = [(name, text) for name, text in passages]
        self._last = SearchResult("", [])
        self._examples: dict[str, list[SearchResult]] = {}
        result_view(self._last, self._k)  # k that cannot be fails here
        offered = checks.tokens_of("examples", examples)
        methods = list(self._searches)
        view = {"title": self._title, "methods": methods, "examples": list(map(lines, offered))}
        super().__init__(view=view, method=methods[0], query=query)
        self._answer()
        self.observe(self._answer, ["query", "method", "asked"])

    def _question(self) -> tuple[Any, ...]:
        return self.query.strip(), self.method

    def _respond(self) -> None:
        self._show(self._result(self.query.strip(), self._k))

    def _result(self, query: str, k: int) -> SearchResult:
        hits = first_hits(self._searches[self.method](query), k) if query else []
        return SearchResult(query, hits, self.method)

    def _show(self, result: SearchResult) -> None:
        shown = result_view(result, self._k)
        self._last = result
        self.hits = shown["hits"]
        self.said = shown["said"] if result.query else ""

    def _failure(self, problem: BaseException) -> str:
        who = f"“{lines(self.method)}”" if self.method else "The search"
        return f"{who} could not answer: {super()._failure(problem)}"

    def page_state(self) -> dict[str, Any]:
        """State with what every search answers to the examples, and the passages as a page needs them.

        The passages, those that the answers name first, are JSON, compressed (zlib), in base64.
        """
        places: dict[Text, int] = {}
        answers = [self._stored(*asked, places) for asked in product(self._asked(), self._searches)]
        chosen = {(shown_name(name), shown_text(text)): None for name, text in self._passages}
        packed, kept = _packed(list(places), list(chosen))
        offline = {
            "k": self._k,
            "answers": list(filter(None, answers)),
            "common": sorted(COMMON),
            "passages": packed,
            "kept": kept,
            "all": len(chosen),
        }
        return {**super().page_state(), "offline": offline}

    def _asked(self) -> list[str]:
        """The queries whose answers are stored: the examples, and what stands in the field."""
        return list(filter(None, dict.fromkeys([*self.view["examples"], self.query.strip()])))

    def _stored(self, query: str, method: str, places: dict[Text, int]) -> dict[str, Any] | None:
        """What a search answers, each hit as (place, score, share); a search that fails has nothing.

        Passages that come for the first time are given a place.
        """
        try:
            hits = first_hits(self._searches[method](query), self._k)
            shown = result_view(SearchResult(query, hits, method), self._k)
        except Exception:
            return None
        texts = [(shown_name(name), shown_text(text)) for name, text, _ in hits]
        kept = [
            (places.setdefault(text, len(places)), hit["score"], hit["share"])
            for text, hit in zip(texts, shown["hits"], strict=True)
        ]
        return {"query": query, "method": method, "hits": kept, "said": shown["said"]}

    @traitlets.validate("method")
    def _known(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] not in self._searches:
            raise traitlets.TraitError(f"There is no search {proposal['value']!r}.")
        return proposal["value"]

    def picture(self) -> dict[str, Any]:
        """View of the last answer; where there is none, of what the examples give."""
        results = [self._last] if self._last.query else self._of_examples()
        view = search_results(results, self._title, self._k)
        summary = [view["summary"], *([self.error] if self.error else [])]
        return {**view, "summary": "\n".join(summary)}

    def _of_examples(self) -> list[SearchResult]:
        """Results of the first examples, searched once; a search that fails has none."""
        if self.method not in self._examples:
            try:
                queries = self.view["examples"][:IN_THE_TWIN]
                results = [self._result(query, IN_THE_TWIN) for query in queries]
                search_results(results)  # hits that cannot be read fail here
            except Exception:
                results = []
            self._examples[self.method] = results
        return self._examples[self.method]


def _named(search: Any) -> dict[str, Search]:
    """Searches by their names; one alone has none."""
    searches = search if isinstance(search, Mapping) else {"": search}
    if not searches:
        raise ValueError("A search box needs at least one search.")
    for name, function in searches.items():
        if not callable(function):
            kind = type(function).__name__
            raise ValueError(f"search {str(name)!r} must be a function; it is {kind}.")
    return {str(name): function for name, function in searches.items()}


def _packed(first: list[Text], passages: list[Text]) -> tuple[str, int]:
    """Passages as JSON, compressed, in base64, and how many of the second list are among them.

    All of those stand there if they fit; else the first of each name, evenly thinned until they do.
    """
    firsts = list({name: (name, text) for name, text in reversed(passages)}.values())[::-1]
    kept, n = passages, len(firsts)
    while len(packed := _compressed(list(dict.fromkeys([*first, *kept])))) > STORED and kept:
        if kept is not passages:
            n = min(n * 49 // 50, n * STORED // len(packed))
        kept = [firsts[place * len(firsts) // n] for place in range(n)]
    return packed, len({*first, *kept} & {*passages})


def _compressed(passages: list[Text]) -> str:
    plain = json.dumps(passages, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(plain.encode("utf-8", "replace"), 9)).decode()
