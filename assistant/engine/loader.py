"""Loading an engine in the background while people already type.

One :class:`EngineLoader` stands for one model that is being made ready (downloaded, converted,
loaded). Who needs the engine calls :meth:`EngineLoader.get` and waits; who draws it subscribes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from assistant.engine.base import Engine, Progress
from assistant.errors import AssistantError, Cancelled, EngineError

LoadState = Literal["idle", "missing", "downloading", "loading", "ready", "failed"]


@dataclass(frozen=True, slots=True)
class LoadStatus:
    """How far a model is. ``fraction`` is 0..1, or ``None`` when it cannot be told."""

    state: LoadState
    message: str = ""
    fraction: float | None = None
    error: AssistantError | None = None


LoadFunction = Callable[[Callable[[LoadState, str, float | None], None]], Engine]
"""Makes an engine, reporting ``(state, message, fraction)`` as it goes."""

_POLL_S = 0.05


class EngineLoader:
    """Loads one engine once, in a thread of its own, and hands it to whoever waits."""

    def __init__(self, load: LoadFunction, *, initial: LoadState = "idle") -> None:
        self._load = load
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._loading = False
        self._engine: Engine | None = None
        self._status = LoadStatus(initial)
        self._subscribers: list[Callable[[LoadStatus], None]] = []

    @property
    def status(self) -> LoadStatus:
        return self._status

    @property
    def engine(self) -> Engine | None:
        """The engine if it is ready, else ``None``; never waits."""
        return self._engine

    def subscribe(self, callback: Callable[[LoadStatus], None]) -> Callable[[], None]:
        """Call ``callback`` with every change, from the loading thread; return how to stop it."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback) if callback in self._subscribers else None

    def start(self) -> None:
        """Begin loading in the background; a second call while it loads does nothing."""
        with self._lock:
            if self._loading or self._engine is not None:
                return
            self._loading = True
            self._done.clear()
        threading.Thread(target=self._run, name="engine-loader", daemon=True).start()

    def get(
        self, stop: threading.Event | None = None, meanwhile: Callable[[], None] = lambda: None
    ) -> Engine:
        """Return the engine, starting and waiting for it as needed.

        ``meanwhile`` is called once, while the engine loads if it does.

        Raises:
            Cancelled: ``stop`` was set while waiting.
            AssistantError: loading failed; a later call tries again.
        """
        if self._engine is None:
            self.start()
            meanwhile()
            while not self._done.wait(_POLL_S):
                if stop is not None and stop.is_set():
                    raise Cancelled("Stopped while the model was still loading.")
        else:
            meanwhile()
        if self._engine is None:
            raise self._status.error or EngineError("The model did not load.")
        return self._engine

    def close(self) -> None:
        """Free the engine's memory, if it was loaded."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def _run(self) -> None:
        try:
            self._engine = self._load(self._report)
            self._set(LoadStatus("ready", fraction=1.0))
        except AssistantError as error:
            self._set(LoadStatus("failed", error.message, error=error))
        except Exception as error:  # the boundary of the thread: nobody above could catch it
            wrapped = EngineError(
                f"Loading the model failed: {error}",
                "Run `assistant doctor`; `assistant models verify` checks the model's file.",
            )
            wrapped.__cause__ = error
            self._set(LoadStatus("failed", wrapped.message, error=wrapped))
        finally:
            with self._lock:
                self._loading = False
                self._done.set()

    def _report(self, state: LoadState, message: str, fraction: float | None) -> None:
        self._set(LoadStatus(state, message, fraction))

    def _set(self, status: LoadStatus) -> None:
        self._status = status
        for callback in list(self._subscribers):
            callback(status)


def as_progress(
    report: Callable[[LoadState, str, float | None], None], state: LoadState
) -> Progress:
    """Return a plain :data:`Progress` that reports under ``state``."""
    return lambda message, fraction: report(state, message, fraction)
