"""Perplexity of the right answers after their prompts: how surprised the model is by them."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

import numpy as np

from assistant.answering import AskOptions, Planner
from assistant.engine.base import Engine
from assistant.errors import Cancelled
from assistant.evaluation.examples import Example
from assistant.evaluation.metric import Rows
from assistant.evaluation.predict import plan_for


class Perplexity:
    """exp of the mean surprise (nats) a token of the targets. Columns: surprise, tokens."""

    name = "perplexity"
    signature = "perplexity|target after its prompt|end of answer included|a token"
    higher_is_better = False

    def __init__(self, planner: Planner, engine: Engine, options: AskOptions) -> None:
        self._planner, self._engine, self._options = planner, engine, options

    def measure(self, examples: Sequence[Example], stop: threading.Event | None = None) -> Rows:
        """Return the rows of all examples; the model reads every prompt and target once.

        Raises:
            Cancelled: ``stop`` was set.
        """
        values = []
        for example in examples:
            if stop is not None and stop.is_set():
                raise Cancelled("Stopped; the same command goes on where it was.")
            plan = plan_for(example, self._planner, self._engine, self._options)
            (found,) = self._engine.score(
                plan.messages, [example.target], adapter=plan.choice.adapter, stable=plan.stable
            )
            values.append((-found.logprob, found.tokens))
        return np.asarray(values, dtype=np.float64)

    @staticmethod
    def score(rows: Rows) -> float:
        surprise, tokens = rows.sum(axis=0)
        return math.exp(surprise / tokens)
