"""Frozen values that travel between the rooms of the house. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

Role = Literal["system", "user", "assistant"]
Strategy = Literal["zero_shot", "few_shot", "adapter"]
Rating = Literal["good", "bad"]
Reason = Literal[
    "wrong",
    "incomplete",
    "too_long",
    "wrong_language",
    "wrong_form",
    "off_topic",
    "refused",
    "harmful",
    "other",
]
REASONS: tuple[Reason, ...] = get_args(Reason)
"""Why an answer was bad, in the order of the digits that pick one: false; something is missing; longer
than wanted; in another language; another layout or tone; not what was asked; declined without need;
harmful or biased; none of these."""
FinishReason = Literal["stop", "length", "cancelled", "interrupted", "error"]
TurnState = Literal["running", "done", "cancelled", "interrupted", "failed"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation, raw as it was said (cleaned only when displayed)."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Decoding:
    """How an answer is sampled. ``temperature`` 0 is greedy; ``seed`` ``None`` draws a fresh one."""

    max_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """Which task a turn was routed to, with one probability a task (they sum to 1).

    ``source`` says who decided: ``model`` (classifier on the model's hidden states), ``light``
    (character n-grams, used while no model is there), ``forced`` (the user chose the task), or
    ``asked`` (the router was unsure and the user said). ``unsure`` names the tasks worth asking about,
    the likeliest first; ``learned`` is the share that the user's earlier corrections had (0 to 1).
    """

    task: str
    confidence: float
    scores: dict[str, float]
    source: Literal["model", "light", "forced", "asked"] = "model"
    unsure: tuple[str, ...] = ()
    learned: float = 0.0


@dataclass(frozen=True, slots=True)
class Choice:
    """The strategy chosen for a turn and the evidence for it, in one line.

    ``shots`` is how many examples a few-shot prompt shows; ``nearest`` picks those most like the turn.
    ``personal`` are the numbers of the feedback whose answers stood among them, ``personal_at`` where the
    first of those stands in the messages sent. ``model_labels`` is what the model alone said of the labels,
    one probability each, where the user's own judgements were weighed in.
    """

    strategy: Strategy
    reason: str
    adapter: str | None = None
    shots: int = 0
    nearest: bool = False
    personal: tuple[int, ...] = ()
    personal_at: int = 0
    model_labels: dict[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one answer. ``cached_prompt_tokens`` needed no new computation."""

    prompt_tokens: int = 0
    cached_prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds from the moment the turn was handed over; ``tokens_per_s`` counts decoding only."""

    route_s: float = 0.0
    first_token_s: float = 0.0
    total_s: float = 0.0
    tokens_per_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Generation:
    """What an engine yields: a piece of text; the last one also says why it ended."""

    text: str
    finish_reason: FinishReason | None = None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and its answer, with everything needed to explain and to repeat it."""

    id: str
    conversation_id: str
    position: int
    user_text: str
    answer: str = ""
    state: TurnState = "running"
    route: Route | None = None
    choice: Choice | None = None
    model: str = ""
    model_sha256: str = ""
    prompt_version: str = ""
    decoding: Decoding = field(default_factory=Decoding)
    sent: tuple[Message, ...] = ()
    probabilities: dict[str, float] | None = None
    usage: Usage = field(default_factory=Usage)
    timing: Timing = field(default_factory=Timing)
    finish_reason: FinishReason | None = None
    error: str | None = None
    left_out_turns: int = 0
    context_limit: int = 0
    replaces: str | None = None
    hidden: bool = False
    created_at: str = ""
    rating: Rating | None = None
    correction: str | None = None

    @property
    def shareable(self) -> tuple[Message, ...]:
        """What was sent, without the examples that come from other conversations of the user."""
        if self.choice is None or not self.choice.personal:
            return self.sent
        at = self.choice.personal_at
        return (*self.sent[:at], *self.sent[at + 2 * len(self.choice.personal) :])

    @property
    def as_context(self) -> str:
        """The turn as the router reads it before the next: ``User: …`` and ``Assistant: …`` lines."""
        return f"User: {self.user_text}\nAssistant: {self.correction or self.answer}"


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation without its turns. Times are ISO 8601 in UTC."""

    id: str
    title: str
    created_at: str
    updated_at: str
    system: str | None = None
    turn_count: int = 0


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a user said about one turn; ``snapshot`` is the turn as it was when judged.

    ``reason`` says why a bad answer was bad. What was changed in a corrected answer is the difference
    between ``snapshot["answer"]`` and ``correction`` (see ``text_diff``).
    """

    id: int
    turn_id: str
    created_at: str
    rating: Rating | None = None
    correction: str | None = None
    route: str | None = None
    comment: str | None = None
    reason: Reason | None = None
    snapshot: dict[str, object] = field(default_factory=dict)
