"""Takes YAML nodes apart; what is wrong becomes a ``PromptError`` with file, line and field."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeVar

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from assistant.errors import PromptError

HINT = "Correct the file, or remove it to use the shipped prompt. docs/tasks.md has the format."
LANGUAGE_CODE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,4})?")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Checker:
    """Takes nodes apart; a wrong one becomes a ``PromptError`` that names its line and field."""

    path: Path

    def fail(self, node: Node, name: str, what: str) -> NoReturn:
        line = node.start_mark.line + 1
        raise PromptError(f"{self.path}, line {line}: {name}: {what}", HINT)

    def mapping(
        self,
        node: Node,
        name: str,
        known: list[str] | None = None,
        required: tuple[str, ...] = (),
    ) -> dict[str, Node]:
        if not isinstance(node, MappingNode):
            self.fail(node, name, f"must be a mapping of names to values, not {_kind(node)}")
        fields: dict[str, Node] = {}
        for key_node, value in node.value:
            key = self.text(key_node, name)
            if known is not None and key not in known:
                self.fail(key_node, key, f"unknown field; known: {', '.join(known)}")
            if key in fields:
                self.fail(key_node, key, "given twice")
            fields[key] = value
        for key in required:
            if key not in fields:
                self.fail(node, key, f"missing in {name}")
        return fields

    def sequence(self, node: Node | None, name: str) -> list[Node]:
        if node is None or is_null(node):
            return []
        if not isinstance(node, SequenceNode):
            self.fail(node, name, f"must be a list, not {_kind(node)}")
        return list(node.value)

    def text(self, node: Node, name: str) -> str:
        if not isinstance(node, ScalarNode) or is_null(node):
            self.fail(node, name, f"must be text, not {_kind(node)}")
        value = str(node.value)
        if not value.strip():
            self.fail(node, name, "must not be empty")
        return value

    def texts(self, node: Node | None, name: str) -> tuple[str, ...]:
        return tuple(self.text(item, name) for item in self.sequence(node, name))

    def language(self, node: Node, name: str) -> str:
        code = self.text(node, name)
        if not LANGUAGE_CODE.fullmatch(code):
            self.fail(node, name, f"{code!r} is not a language code such as en or zh")
        return code

    def by_language(self, node: Node, name: str) -> dict[str, str]:
        """Read ``{en: …, zh: …}``; bare text is taken as English."""
        if isinstance(node, ScalarNode):
            return {"en": self.text(node, name)}
        return self.keyed(node, name, self.text)

    def keyed(self, node: Node, name: str, read: Callable[[Node, str], _T]) -> dict[str, _T]:
        result = {}
        for code, value in self.mapping(node, name).items():
            if not LANGUAGE_CODE.fullmatch(code):
                self.fail(value, name, f"{code!r} is not a language code such as en or zh")
            result[code] = read(value, f"{name}.{code}")
        if not result:
            self.fail(node, name, "must not be empty")
        return result

    def number(self, node: Node, name: str, low: float, high: float) -> float:
        try:
            value = float(self.text(node, name))
        except ValueError:
            self.fail(node, name, "must be a number")
        if not low <= value <= high:  # also refuses nan
            self.fail(node, name, f"must lie between {low:g} and {high:g}")
        return value

    def whole(self, node: Node, name: str, low: int, high: int) -> int:
        value = self.number(node, name, low, high)
        if value != int(value):
            self.fail(node, name, "must be a whole number")
        return int(value)


def is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _kind(node: Node) -> str:
    if isinstance(node, MappingNode):
        return "a mapping"
    if isinstance(node, SequenceNode):
        return "a list"
    return "nothing" if is_null(node) else "text"
