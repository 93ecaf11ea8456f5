"""Asks what is to be trained, and says at once what is wrong with it."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from textual.containers import Horizontal
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Checkbox, Input, Select, Static

from assistant.errors import AssistantError, UsageError
from assistant.tui.keys import TRAINING_FORM_KEYS, bindings
from assistant.tui.screens.overlay import Overlay, words
from assistant.tui.wording import one_line

if TYPE_CHECKING:
    from assistant.training.launching import Wanted

_TASKS = ("classification", "translation", "summarization", "qa", "chat")
_TECHNIQUES = (
    ("lora", "suits most tasks"),
    ("dora", "somewhat better, slower"),
    ("ia3", "very small"),
    ("prefix", "a learned beginning of the prompt"),
    ("layers", "the upper layers only: faster"),
)
_PAUSE_S = 0.4
_FEW = 50
_MINUTES = 30.0


class TrainingForm(Overlay["Wanted"]):
    """Gives back what is to be trained. ``rows_in`` counts its rows or raises what is wrong.

    ``model`` is what it is trained for, ``before`` what was asked for last time.
    """

    BINDINGS = bindings(TRAINING_FORM_KEYS)
    AUTO_FOCUS = "#data"

    def __init__(
        self, rows_in: Callable[[Wanted], int], model: str, before: Wanted | None = None
    ) -> None:
        super().__init__("Train an adapter", "Tab next · Ctrl+S start · Esc back")
        self._rows_in = rows_in
        self._model = model
        self._timer: Timer | None = None
        self._starting = False
        given = before.task if before else _TASKS[0]
        tasks = dict.fromkeys((*_TASKS, given))
        technique = before.technique if before else "lora"
        self.kind = Select(
            [(one_line(t), t) for t in tasks], value=given, allow_blank=False, compact=True
        )
        self.data = Input(shlex.join(before.data) if before else "", id="data", compact=True)
        self.data.placeholder = "file.jsonl, or several; {input, target} on each line"
        self.technique = Select(
            [(f"{name}: {what}", name) for name, what in _TECHNIQUES],
            value=technique,
            allow_blank=False,
            compact=True,
        )
        self.minutes = Input(f"{before.minutes if before else _MINUTES:g}", compact=True)
        self.augment = Checkbox(
            "other wordings in each epoch", bool(before and before.augment), compact=True
        )
        self.promote = Checkbox(
            "put it to use if it beats few-shot", bool(before and before.promote), compact=True
        )
        self._state = Static("", markup=False, classes="gap")

    def content(self) -> list[Widget]:
        rows: list[tuple[str, Widget]] = [
            ("Task", self.kind),
            ("Data", self.data),
            ("Technique", self.technique),
            ("Minutes", self.minutes),
            ("Augment", self.augment),
            ("Promote", self.promote),
        ]
        about = f"For {one_line(self._model)}, on this machine. It goes on when you leave the app."
        return [
            words(about, "muted"),
            *(Horizontal(words(name, "name"), field, classes="field") for name, field in rows),
            self._state,
        ]

    # -- checking --------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Check what stands there to begin with."""
        self._check()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Check while the user types."""
        event.stop()
        self._check()

    def on_select_changed(self, event: Select.Changed) -> None:
        """Check again: the task decides which rows are right."""
        event.stop()
        self._check()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go on to the next field."""
        event.stop()
        self.focus_next()

    def _check(self) -> None:
        """Check in a moment: not at every key."""
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_PAUSE_S, self._check_now)

    def _check_now(self) -> None:
        self.run_worker(self._checked(), group="check", exit_on_error=False)

    async def _checked(self) -> None:
        if not self.data.value.strip():
            self._tell("Which file is it to learn from?", "$dim")
            return
        try:
            wanted = self._read()
            count = await asyncio.to_thread(self._rows_in, wanted)
            if wanted != self._read():
                return  # changed meanwhile: the next check is on its way
        except AssistantError as error:
            self._complain(error)
        else:
            few = "; with so few it learns little" if count < _FEW else ""
            self._tell(
                f"{count:,} {'row' if count == 1 else 'rows'}{few}. Ctrl+S starts.", "$text-success"
            )

    def _read(self) -> Wanted:
        """Return what the fields say.

        Raises:
            UsageError: one of them cannot be read.
        """
        from assistant.training.launching import Wanted

        try:
            paths = shlex.split(self.data.value)
        except ValueError as error:
            raise UsageError(
                "A quotation mark is not closed.", "Write paths with spaces in quotes."
            ) from error
        try:
            minutes = float(self.minutes.value.replace(",", "."))
        except ValueError as error:
            raise UsageError("The minutes are no number.", "Like: 30") from error
        return Wanted(
            str(self.kind.value),
            tuple(str(Path(path).expanduser()) for path in paths),
            str(self.technique.value),
            minutes,
            self.augment.value,
            self.promote.value,
            self._model,
        )

    def _complain(self, error: AssistantError) -> None:
        self._tell(f"{error.message} {error.hint}".strip(), "$text-error")

    def _tell(self, text: str, style: str) -> None:
        self._state.update(Content.styled(one_line(text), style))

    # -- starting --------------------------------------------------------------------------------

    def action_start(self) -> None:
        """Give back what was asked for, if it can be trained."""
        if not self._starting:
            self._starting = True
            self.run_worker(self._start(), group="start", exit_on_error=False)

    async def _start(self) -> None:
        try:
            wanted = self._read()
            await asyncio.to_thread(self._rows_in, wanted)
        except AssistantError as error:
            self._complain(error)
            return
        finally:
            self._starting = False
        if self.is_current:
            self.dismiss(wanted)
