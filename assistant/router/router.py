"""The router: one trained linear classifier, on the loaded model's own hidden states.

While no model is there (or none was trained for it), a light classifier on character n-grams
stands in; the route says which of the two decided.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from assistant.engine.base import Engine
from assistant.router.head import Head, load_head
from assistant.router.ngrams import ngram_features
from assistant.router.reading import MAX_TOKENS, SUFFIX, layer_of, may_follow_up, turn_text
from assistant.types import Route

HEADS = Path(__file__).with_name("heads")
_LIGHT = "light.safetensors"
_PLAIN = 0.95


class Router:
    """Routes turns. ``cache`` holds classifiers trained on this machine for other models."""

    def __init__(self, cache: Path | None = None, heads: Path = HEADS) -> None:
        self._cache = cache
        self._heads = heads
        self._loaded: dict[str, Head | None] = {}

    def route(self, text: str, context: str | None = None, engine: Engine | None = None) -> Route:
        """Return the route of ``text``; ``context`` is the previous turn, as the contract has it.

        With an engine whose model has a classifier, its hidden state decides (a partial read of at
        most ``MAX_TOKENS`` tokens); otherwise the n-grams do. The turn before is looked at only
        when the turn is short and does not itself make its task plain: it misleads as often as it
        helps otherwise (figures in docs/routing.md).
        """
        alone = self._predict(text, None, engine)
        if context and may_follow_up(text) and alone.confidence <= _PLAIN:
            return self._predict(text, context, engine)
        return alone

    def _predict(self, text: str, context: str | None, engine: Engine | None) -> Route:
        head = self._head_for(engine.info.sha256) if engine is not None else None
        if engine is None or head is None:
            light = self._load(self._heads / _LIGHT)
            assert light is not None, "the light classifier ships with the program"
            return _route(light.predict(ngram_features(text, context)), "light")
        state = engine.hidden_state(
            turn_text(text, context),
            layer=layer_of(engine.info.layers),
            suffix=SUFFIX,
            max_tokens=MAX_TOKENS,
        )
        return _route(head.predict(np.asarray(state, dtype=np.float32)), "model")

    def has_head(self, sha256: str) -> bool:
        """Return whether there is a classifier for the model with this checksum."""
        return any(file.is_file() for file in self._files(sha256))

    def save_file(self, sha256: str) -> Path:
        """Return where a classifier trained on this machine for that model belongs."""
        assert self._cache is not None
        return self._cache / "router" / f"{sha256[:16]}.safetensors"

    def _files(self, sha256: str) -> list[Path]:
        own = [self.save_file(sha256)] if self._cache is not None else []
        return [*own, self._heads / f"{sha256[:16]}.safetensors"]

    def _head_for(self, sha256: str) -> Head | None:
        found = next((file for file in self._files(sha256) if file.is_file()), None)
        return self._load(found) if found else None

    def _load(self, file: Path) -> Head | None:
        key = str(file)
        if key not in self._loaded:
            self._loaded[key] = load_head(file) if file.is_file() else None
        return self._loaded[key]


def _route(scores: dict[str, float], source: str) -> Route:
    task = max(scores, key=lambda name: scores[name])
    return Route(task, scores[task], scores, source)  # type: ignore[arg-type]
