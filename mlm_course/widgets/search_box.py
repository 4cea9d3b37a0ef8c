"""The search box: a query that is typed, and the passages that a search puts first, at each key."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import traitlets

from mlm_course.views import SearchResult, checks, search_results
from mlm_course.views.search import first_hits, result_view
from mlm_course.views.text import lines
from mlm_course.widgets.base import AnsweringWidget, script

Search = Callable[[str], Iterable[Any]]
IN_THE_TWIN = 3  # examples, and hits of each, where nobody has asked yet


class SearchBox(AnsweringWidget):
    """A box to type a query into, and below it the passages that a search puts first.

    search, a function query -> hits, best first, each (name, text, score), or a mapping from a
    name to such a function: the reader chooses, and can compare them on the same query. The first
    k hits are shown. examples, queries to click on while the box is empty; the static picture
    shows their hits as long as there is no query. query and method, the name of a search, follow
    what the reader does and may be set; hits and said hold the last answer. Where a search fails,
    error says so and the last answer stays. ValueError for what is no function, and for k outside
    1 to 50.
    """

    _esm = script("search_box.js")

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
    ) -> None:
        self._searches = _named(search)
        self._k, self._title = checks.whole("k", k), str(title)
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
