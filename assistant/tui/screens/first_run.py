"""Before a model is fetched: what, how big, from where, under which licence. Then the progress."""

from __future__ import annotations

from collections.abc import Callable

from textual.content import Content
from textual.widget import Widget
from textual.widgets import ProgressBar

from assistant.engine.loader import LoadStatus
from assistant.errors import AssistantError
from assistant.sanitize import clean
from assistant.tui.keys import FIRST_RUN_KEYS, bindings
from assistant.tui.messages import LoadChanged
from assistant.tui.ports import DownloadPlanPort, LoaderPort
from assistant.tui.screens.overlay import Overlay, words
from assistant.tui.wording import one_line, size

_ASK = "Enter fetch · Esc not now · Ctrl+Q quit"
_RUNNING = "Esc hide (it goes on) · Ctrl+Q quit"
_FAILED = "Enter try again · Esc not now · Ctrl+Q quit"


class FirstRunScreen(Overlay[bool]):
    """Gives back whether fetching was agreed to. Nothing is fetched before that."""

    BINDINGS = bindings(FIRST_RUN_KEYS)

    def __init__(self, plan: DownloadPlanPort, loader: LoaderPort) -> None:
        super().__init__("A model is needed", _ASK)
        self._plan = plan
        self._loader = loader
        self._agreed = False
        self._unsubscribe: Callable[[], object] | None = None
        self._bar = ProgressBar(total=100, show_eta=False, show_percentage=True)
        self._state = words("", "gap")

    def content(self) -> list[Widget]:
        self._bar.display = self._state.display = False
        return [
            words("Answers are made on this machine by a language model."),
            words("It is not here yet. This would be fetched, once:", "muted"),
            words(""),
            self._facts(),
            self._state,
            self._bar,
        ]

    def _facts(self) -> Widget:
        plan = self._plan
        rows = (
            ("model", plan.title or plan.name),
            ("size", size(plan.size_bytes)),
            ("from", plan.sources),
            ("licence", plan.licence),
        )
        lines = [
            Content.assemble((f"{name:>8}  ", "$dim"), one_line(value)) for name, value in rows
        ]
        facts = words("")
        facts.update(Content("\n").join(lines))
        return facts

    def on_mount(self) -> None:
        """Follow the loader from the start: it may be on its way already."""
        self._unsubscribe = self._loader.subscribe(self._post_status)

    def on_unmount(self) -> None:
        """Stop following."""
        if self._unsubscribe is not None:
            self._unsubscribe()

    def _post_status(self, status: LoadStatus) -> None:
        # Called from the loading thread: nothing but posting happens here.
        self.post_message(LoadChanged(status))

    def action_go(self) -> None:
        """Agree, or try again after a failure."""
        if self._agreed and self._loader.status.state != "failed":
            return
        self._agreed = True
        self._show_progress("Starting…", None)
        self._loader.start()

    def action_leave(self) -> None:
        """Close; a download that was agreed to goes on behind the chat."""
        self.dismiss(self._agreed and self._loader.status.state != "failed")

    def on_load_changed(self, message: LoadChanged) -> None:
        """Draw the progress; close when the model is being read or is ready."""
        status = message.status
        if status.state == "ready":
            self.dismiss(True)
        elif status.state == "failed" and self._agreed:
            self._show_failure(status.error or AssistantError(status.message))
        elif self._agreed:
            self._show_progress(status.message, status.fraction)

    def _show_progress(self, words_: str, fraction: float | None) -> None:
        self._hint_is(_RUNNING)
        self._state.display = self._bar.display = True
        self._state.update(Content(one_line(words_)))
        self._bar.update(total=100 if fraction is not None else None)
        if fraction is not None:
            self._bar.update(progress=fraction * 100)

    def _show_failure(self, error: AssistantError) -> None:
        self._hint_is(_FAILED)
        self._bar.display = False
        self._state.display = True
        self._state.update(
            Content.assemble(
                (clean(error.message), "$text-error"), (f"\n{clean(error.hint)}", "$dim")
            )
        )

    def _hint_is(self, hint: str) -> None:
        self.query_one(".box").border_subtitle = Content(hint)
