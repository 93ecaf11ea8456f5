"""All prompt files of one run: the shipped ones, and the user's over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from assistant.errors import PromptError
from assistant.prompts.model import DEFAULT_SHOTS, Example, PromptFile
from assistant.prompts.reader import read_prompt_file
from assistant.prompts.render import Rendered, render_messages
from assistant.prompts.shots import select_shots
from assistant.tasks import TASKS
from assistant.types import Message, Strategy


class Prompts:
    """The prompts by task. Make one with :meth:`load`."""

    def __init__(self, files: Mapping[str, PromptFile]) -> None:
        known = [task for task in TASKS if task in files]
        self._files = {name: files[name] for name in known + sorted(set(files) - set(known))}

    @classmethod
    def load(cls, shipped: Path, user: Path | None = None) -> Prompts:
        """Read the ``*.yaml`` of both folders; a user's file replaces the shipped one whole.

        Raises:
            PromptError: a file is broken, or two files of one folder are for the same task.
        """
        files = _read_folder(shipped)
        if user is not None:
            files |= _read_folder(user)
        return cls(files)

    @staticmethod
    def warm() -> None:
        """Load what rendering needs (half a second), so that the first turn need not."""
        import langchain_core.prompts

        _ = langchain_core.prompts.FewShotChatMessagePromptTemplate

    def tasks(self) -> list[str]:
        """Return the names of all tasks, the built-in ones first."""
        return list(self._files)

    def get(self, task: str) -> PromptFile:
        """Return the prompt file of ``task``.

        Raises:
            PromptError: there is none; the message lists those there are.
        """
        if task not in self._files:
            raise PromptError(f"No task {task!r}.", f"Known: {', '.join(self._files) or 'none'}.")
        return self._files[task]

    def render(
        self,
        task: str,
        text: str,
        *,
        strategy: Strategy,
        lang: str = "en",
        variables: Mapping[str, str] | None = None,
        history: Sequence[Message] = (),
        system: str | None = None,
        shots: int = DEFAULT_SHOTS,
        budget_tokens: int | None = None,
        count: Callable[[str], int] | None = None,
        tags: Sequence[str] = (),
        nearest: bool = False,
        more: Sequence[Example] = (),
    ) -> Rendered:
        """Return the messages for one turn.

        Only ``few_shot`` takes examples: ``shots`` of them at most, in ``lang`` and with ``tags``
        where there are such, costing no more than ``budget_tokens`` by ``count``; ``nearest`` picks
        those most like the turn, else the first of the file, whose computation an engine can keep.
        ``more`` are examples from elsewhere that stand behind those, next to the question; they do not
        count among ``shots``. ``system`` is
        the user's own system prompt: in chat it replaces the instruction, elsewhere it follows.
        A variant of the file named like one of ``tags`` brings an instruction of its own.

        Raises:
            PromptError: the task is unknown, or a declared variable has no value.
        """
        prompt = self.get(task)
        chosen = (
            select_shots(
                prompt.examples,
                text,
                lang=lang,
                shots=shots,
                tags=tags,
                budget_tokens=budget_tokens,
                count=count,
                nearest=nearest,
            )
            if strategy == "few_shot"
            else ()
        )
        messages = render_messages(
            prompt,
            text,
            lang=lang,
            shots=(*chosen, *more),
            variables=variables,
            history=history,
            system=system,
            tags=tags,
        )
        return Rendered(messages, (*chosen, *more), prompt.version_id)


def _read_folder(folder: Path) -> dict[str, PromptFile]:
    files: dict[str, PromptFile] = {}
    if not folder.is_dir():
        return files
    for path in sorted(p for p in folder.iterdir() if p.suffix in (".yaml", ".yml")):
        prompt = read_prompt_file(path)
        if prompt.task in files:
            raise PromptError(
                f"{path}, line 1: task: {prompt.task!r} is already in {files[prompt.task].path}",
                "Keep one file a task in each folder.",
            )
        files[prompt.task] = prompt
    return files
