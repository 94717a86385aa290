"""What an endpoint says of itself. The same words check its requests and describe it to the world."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import cleandoc
from typing import Any, TypeVar

from pydantic import BaseModel

View = TypeVar("View", bound=Callable[..., Any])

JSON = "application/json"


@dataclass(frozen=True)
class Endpoint:
    """`scope`: what a token needs; None is open to anybody. `status`: of success, which may be one of `also` as well.
    `refusals`: what may go wrong besides what can go wrong everywhere. `content`: the schema of an answer that is no
    JSON. `is_slow`: it waits for others, so no connection is held for it meanwhile. `is_resumed`: who was cut off says
    in a header how far they came."""

    method: str
    path: str
    view: Callable[..., Any]
    group: str
    scope: str | None
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    answer: Any = None
    status: int = 200
    also: tuple[int, ...] = ()
    media: tuple[str, ...] = (JSON,)
    content: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    refusals: tuple[int, ...] = ()
    is_slow: bool = False
    is_resumed: bool = False

    @property
    def name(self) -> str:
        return f"{self.group}.{self.view.__name__}".lower().replace(" ", "_")

    @property
    def summary(self) -> str:
        return cleandoc(self.view.__doc__ or "").partition("\n\n")[0].replace("\n", " ")

    @property
    def description(self) -> str:
        return cleandoc(self.view.__doc__ or "").partition("\n\n")[2]


@dataclass
class Group:
    """The endpoints of one noun."""

    name: str
    about: str
    endpoints: list[Endpoint] = field(default_factory=list)

    def get(self, path: str, **words: Any) -> Callable[[View], View]:
        return self._add("GET", path, words)

    def post(self, path: str, **words: Any) -> Callable[[View], View]:
        return self._add("POST", path, words)

    def patch(self, path: str, **words: Any) -> Callable[[View], View]:
        return self._add("PATCH", path, words)

    def delete(self, path: str, **words: Any) -> Callable[[View], View]:
        return self._add("DELETE", path, words)

    def _add(self, method: str, path: str, words: dict[str, Any]) -> Callable[[View], View]:
        def add(view: View) -> View:
            self.endpoints.append(Endpoint(method, path, view, self.name, **words))
            return view

        return add
