"""The suites by name, and running several of them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from assistant.errors import AssistantError, UsageError

if TYPE_CHECKING:
    from assistant.benchmark.results import Result
    from assistant.benchmark.subject import Subject


@dataclass(frozen=True, slots=True)
class Suite:
    """Where a suite's function is, and whether it measures a model."""

    module: str
    function: str = "run"
    of_model: bool = True

    def run(self, subject: Subject) -> list[Result]:
        module = importlib.import_module(f"assistant.benchmark.{self.module}")
        run: Callable[[Subject], list[Result]] = getattr(module, self.function)
        return run(subject)


SUITES = {
    "decode": Suite("decode"),
    "prefill": Suite("prefill"),
    "first-token": Suite("first_token"),
    "load": Suite("load"),
    "route": Suite("route"),
    "store": Suite("store", of_model=False),
    "start": Suite("start"),
    "adapter": Suite("adapter"),
    "memory": Suite("load", "run_memory"),
    "quality": Suite("quality"),
    "batch": Suite("batch"),
    "train": Suite("train"),
}
ALL = "all"


def chosen_suites(given: Sequence[str]) -> list[str]:
    """Return the suites that ``given`` names, each once; an entry may be a list with commas.

    Raises:
        UsageError: there is no such suite.
    """
    names = [name.strip() for entry in given for name in entry.split(",") if name.strip()]
    for name in names:
        if name not in (*SUITES, ALL):
            raise UsageError(
                f"There is no suite '{name}'.", f"One of: {', '.join([*SUITES, ALL])}."
            )
    if not names or ALL in names:
        return list(SUITES)
    return list(dict.fromkeys(names))


def run_suites(
    names: Sequence[str], subject: Subject, models: Sequence[str]
) -> Iterator[Result | AssistantError]:
    """Yield the results of all suites for all models; what cannot be measured yields its error."""
    for name in names:
        suite = SUITES[name]
        for model in models if suite.of_model else [""]:
            try:
                yield from suite.run(_for_model(subject, model) if model else subject)
            except AssistantError as error:
                yield error


def _for_model(subject: Subject, model: str) -> Subject:
    from assistant.models.resolve import resolve

    settings = subject.settings.model_copy(update={"model": model})
    return replace(subject, settings=settings, files=resolve(model, subject.paths))
