"""Turns a prompt file and a turn into chat messages with langchain-core's chat templates.

Only the instruction of a prompt file is ever a template. What people write - the turn, the
history, a system prompt of their own, the examples - goes in as the value of a variable, so that
braces in it mean nothing. langchain-core is imported on first use: it takes half a second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.errors import PromptError
from assistant.prompts.model import Example, PromptFile, in_language
from assistant.types import Message, Role

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langchain_core.prompts import ChatPromptTemplate

_ROLES: dict[str, Role] = {"system": "system", "human": "user", "ai": "assistant"}
_NAMES = {role: name for name, role in _ROLES.items()}


@dataclass(frozen=True, slots=True)
class Rendered:
    """The messages of one turn, the examples among them, and which prompt they came from."""

    messages: tuple[Message, ...]
    shots: tuple[Example, ...]
    version: str


def render_messages(
    prompt: PromptFile,
    text: str,
    *,
    lang: str,
    shots: Sequence[Example] = (),
    variables: Mapping[str, str] | None = None,
    history: Sequence[Message] = (),
    system: str | None = None,
    tags: Sequence[str] = (),
) -> tuple[Message, ...]:
    """Return system message, examples, history and the turn, in this order.

    Raises:
        PromptError: a declared variable has neither a value nor a default.
    """
    instruction = prompt.instruction_in(lang, tags)
    template = _template(prompt, instruction, shots, system)
    values: dict[str, object] = dict(_values(prompt, lang, variables or {}))
    values["user_text"] = text
    values["user_system"] = system or ""
    values["history"] = [_to_langchain(message) for message in history]
    return tuple(
        Message(_ROLES[message.type], str(message.content))
        for message in template.format_messages(**values)
    )


def _template(
    prompt: PromptFile, instruction: str, shots: Sequence[Example], system: str | None
) -> ChatPromptTemplate:
    from langchain_core.prompts import (
        ChatPromptTemplate,
        FewShotChatMessagePromptTemplate,
        MessagesPlaceholder,
    )

    example = ChatPromptTemplate.from_messages([("human", "{question}"), ("ai", "{target}")])
    few_shot = FewShotChatMessagePromptTemplate(
        input_variables=[],
        examples=[{"question": shot.question, "target": shot.target} for shot in shots],
        example_prompt=example,
    )
    return ChatPromptTemplate.from_messages(
        [
            ("system", _system_template(prompt, instruction, system)),
            few_shot,
            MessagesPlaceholder("history"),
            ("human", "{user_text}"),
        ],
        template_format="f-string",
    )


def _system_template(prompt: PromptFile, instruction: str, system: str | None) -> str:
    """Return the instruction with the user's own system prompt; for chat theirs is all of it."""
    if system and prompt.task == "chat":
        return "{user_system}"
    return f"{instruction}\n\n{{user_system}}" if system else instruction


def _values(prompt: PromptFile, lang: str, given: Mapping[str, str]) -> dict[str, str]:
    # What is given but not declared is ignored: the program gives what it knows about a turn, and
    # a file takes what it needs.
    values = {}
    for name, defaults in prompt.variables.items():
        value = given.get(name) or in_language(defaults, lang)
        if not value:
            raise PromptError(
                f"{prompt.path}: the variable {name} has no value",
                f"Give one, or a default under variables: {name}.",
            )
        values[name] = value
    return values


def _to_langchain(message: Message) -> BaseMessage:
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

    kinds: dict[str, type[BaseMessage]] = {
        "system": SystemMessage,
        "human": HumanMessage,
        "ai": AIMessage,
    }
    return kinds[_NAMES[message.role]](content=message.content)
