"""A function that only the process that calls it imports.

What workers do is named so where it loads libraries that the service itself has no use for:
decoders of untrusted bytes are in its workers alone, and their memory, too.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


# Without slots: `Imported[...](...)` notes its types on it, and goes on only where that is an
# AttributeError.
@dataclass(frozen=True)
class Imported(Generic[P, R_co]):
    """Is called as the function `name` of `module` would be."""

    module: str
    name: str

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Raises what the function raises, and ImportError where there is none."""
        function = cast(
            "Callable[P, R_co]", getattr(importlib.import_module(self.module), self.name)
        )
        return function(*args, **kwargs)
