"""An endpoint of FastAPI with what it depends on, as one flat list of calls.

FastAPI solves an endpoint's dependencies anew at each request, in a tree, with two exit stacks and
a blank response: half of what a kept list costs. What it would do is known when the route is made,
where all that is depended on are plain coroutines. The route stays the only declaration.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from inspect import iscoroutinefunction
from typing import Any, get_type_hints

from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from fastapi.routing import APIRoute
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

#: The values of a request's path and query, by the step that takes them.
Parameters = tuple[Mapping[str, Any], ...]
#: Addresses whose parameters are kept, by route: clients ask for the same pages again and again.
KEPT_AT_MOST = 1024
#: What is longer is found out anew: 1,024 heads of 64 KB would be kept.
MAX_KEPT_CHARACTERS = 300


class NotCompilable(TypeError):
    """A route that needs what only FastAPI's own solving does."""

    def __init__(self, dependant: Dependant, why: str) -> None:
        super().__init__(f"{dependant.path}, {dependant.call}: {why}")


@dataclass(slots=True)
class _Step:
    """One call; its arguments are the request, parameters, and results of earlier steps."""

    dependant: Dependant
    call: Callable[..., Awaitable[Any]]
    request_names: tuple[str, ...]
    #: By argument, the step whose result it is.
    results: list[tuple[str, int]] = field(default_factory=list)


class CompiledEndpoint:
    """Calls what a route declares, in FastAPI's order."""

    def __init__(self, route: APIRoute) -> None:
        """Raises NotCompilable where the route needs a body, headers, threads or clean-up.

        Also where it leaves it to FastAPI to make an answer of what it returns.
        """
        returned = get_type_hints(route.endpoint).get("return")
        if not isinstance(returned, type) or not issubclass(returned, Response):
            raise NotCompilable(route.dependant, "does not return a Response")
        self._steps: list[_Step] = []
        self._add(route.dependant, {})
        self._has_query = any(step.dependant.query_params for step in self._steps)
        self._has_path = bool(route.param_convertors)
        self._none: Parameters = ({},) * len(self._steps)
        self._parameters = lru_cache(KEPT_AT_MOST)(self._find_parameters)

    def parameters(self, path: Mapping[str, str], query: bytes) -> Parameters | None:
        """Return the request's parameters; None where they are not of the declared form."""
        if not self._has_query:
            if not self._has_path:
                return self._none
            query = b""
        named = tuple(path.items())
        length = len(query) + sum(len(value) for value in path.values())
        find = self._parameters if length <= MAX_KEPT_CHARACTERS else self._find_parameters
        return find(named, query)

    @property
    def kept(self) -> int:
        """How many addresses' parameters are kept."""
        return self._parameters.cache_info().currsize

    async def __call__(self, request: Request, parameters: Parameters) -> Response:
        """Return the endpoint's answer; raises what it, or what it depends on, raises."""
        results: list[Any] = []
        for step, given in zip(self._steps, parameters, strict=True):
            arguments = dict(given)
            for name in step.request_names:
                arguments[name] = request
            for name, number in step.results:
                arguments[name] = results[number]
            results.append(await step.call(**arguments))
        answer: Response = results[-1]
        return answer

    def _find_parameters(
        self, path: tuple[tuple[str, str], ...], query: bytes
    ) -> Parameters | None:
        found = []
        named, asked = dict(path), QueryParams(query)
        for step in self._steps:
            values, wrong = request_params_to_args(step.dependant.path_params, named)
            more, wrong_too = request_params_to_args(step.dependant.query_params, asked)
            if wrong or wrong_too:
                return None
            found.append(values | more)
        return tuple(found)

    def _add(self, dependant: Dependant, known: dict[Callable[..., Any], int]) -> int:
        """Add the dependant behind what it depends on; return the number of its step."""
        if dependant.call in known and dependant.use_cache:
            return known[dependant.call]
        _require_plain(dependant)
        results = [(below.name, self._add(below, known)) for below in dependant.dependencies]
        assert dependant.call is not None  # noqa: S101 - has been looked at
        known[dependant.call] = len(self._steps)
        self._steps.append(
            _Step(
                dependant,
                dependant.call,
                tuple(_request_names(dependant)),
                [(name, number) for name, number in results if name is not None],
            )
        )
        return known[dependant.call]


def dependants(dependant: Dependant) -> Iterator[Dependant]:
    """Yield a route's dependant and all below it."""
    yield dependant
    for below in dependant.dependencies:
        yield from dependants(below)


def _request_names(dependant: Dependant) -> Iterable[str]:
    for name in (dependant.request_param_name, dependant.http_connection_param_name):
        if name is not None:
            yield name


def _require_plain(dependant: Dependant) -> None:
    if dependant.call is None or not iscoroutinefunction(dependant.call):
        raise NotCompilable(dependant, "is no `async def`")
    for what in (
        "header_params",
        "cookie_params",
        "body_params",
        "response_param_name",
        "background_tasks_param_name",
        "security_scopes_param_name",
        "concurrency",
    ):
        if getattr(dependant, what):
            raise NotCompilable(dependant, f"has {what}")
