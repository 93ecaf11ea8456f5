"""Reads one prompt file and checks it: what is wrong is said with file, line and field.

The YAML is composed to nodes, not loaded to values: nodes know their line, and a plain scalar
keeps its spelling (``lang: no`` is Norwegian and not ``False``).
"""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Callable
from pathlib import Path

import yaml
from yaml.nodes import MappingNode, Node, SequenceNode

from assistant.errors import PromptError
from assistant.prompts.checker import HINT, LANGUAGE_CODE, Checker, is_null
from assistant.prompts.model import (
    DEFAULT_SHOTS,
    DecodingValue,
    Example,
    LabelSet,
    PromptFile,
    Variant,
)

MAX_BYTES = 1_000_000
MAX_DEPTH = 20
RESERVED = ("user_text", "user_system", "history", "question", "target")
"""Names the renderer uses itself, so that no file may declare them."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_FIELDS = [
    "task",
    "version",
    "description",
    "instruction",
    "variables",
    "shots",
    "variants",
    "decoding",
    "examples",
    "label_sets",
]
_MAX_SHOTS = 32
_EXAMPLE_FIELDS = ["lang", "input", "target", "tags", "context"]


def read_prompt_file(path: Path) -> PromptFile:
    """Read and check one prompt file.

    Raises:
        PromptError: it cannot be read or breaks the format; the message names file, line, field.
    """
    raw = _read(path)
    root = _compose(path, raw)
    at = Checker(path)
    fields = at.mapping(root, "the file", _FIELDS, required=("task", "version", "instruction"))
    task = at.text(fields["task"], "task")
    if not _NAME.fullmatch(task):
        at.fail(fields["task"], "task", "must be lower-case letters, digits and _ (at most 40)")
    variables = _variables(at, fields.get("variables"))
    instruction = at.by_language(fields["instruction"], "instruction")
    _check_variables(at, fields["instruction"], instruction, variables)
    sets = fields.get("label_sets")
    shots = _shots(at, fields.get("shots"), "shots", DEFAULT_SHOTS)
    return PromptFile(
        task=task,
        version=at.whole(fields["version"], "version", 1, 1_000_000),
        description=at.by_language(fields["description"], "description")
        if "description" in fields
        else {},
        instruction=instruction,
        variables=variables,
        decoding=_decoding(at, fields.get("decoding")),
        examples=tuple(
            _example(at, node, f"examples[{i}]")
            for i, node in enumerate(at.sequence(fields.get("examples"), "examples"), 1)
        ),
        label_sets={
            name: _label_set(at, name, node)
            for name, node in (at.mapping(sets, "label_sets") if sets else {}).items()
        },
        shots=shots,
        variants={
            tag: _variant(at, node, f"variants.{tag}", variables, shots)
            for tag, node in _entries(at, fields.get("variants"), "variants").items()
        },
        path=path,
        sha256=hashlib.sha256(raw).hexdigest(),
    )


def _entries(at: Checker, node: Node | None, name: str) -> dict[str, Node]:
    return {} if node is None or is_null(node) else dict(at.mapping(node, name))


def _shots(at: Checker, node: Node | None, name: str, default: int) -> int:
    return default if node is None else at.whole(node, name, 0, _MAX_SHOTS)


def _variant(
    at: Checker, node: Node, name: str, variables: dict[str, dict[str, str]], shots: int
) -> Variant:
    fields = at.mapping(node, name, ["instruction", "shots"], required=("instruction",))
    instruction = at.by_language(fields["instruction"], f"{name}.instruction")
    _check_variables(at, fields["instruction"], instruction, variables)
    return Variant(instruction, _shots(at, fields.get("shots"), f"{name}.shots", shots))


def _read(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise PromptError(f"{path}: cannot be read: {error.strerror}", HINT) from error
    if len(raw) > MAX_BYTES:
        raise PromptError(f"{path}: larger than {MAX_BYTES // 1000} kB", HINT)
    return raw


def _compose(path: Path, raw: bytes) -> Node:
    # The C reader is ten times faster and gives the same marks; it is not in every build.
    loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        text = raw.decode("utf-8")
        _refuse_deep(path, text, loader)
        root = yaml.compose(text, Loader=loader)
    except UnicodeDecodeError as error:
        raise PromptError(f"{path}: is not UTF-8 text (byte {error.start})", HINT) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise PromptError(f"{path}, line {line}: not YAML: {error.problem}", HINT) from error
    except yaml.YAMLError as error:
        raise PromptError(f"{path}: not YAML: {error}", HINT) from error
    if root is None:
        raise PromptError(f"{path}, line 1: the file is empty", HINT)
    return root


def _refuse_deep(path: Path, text: str, loader: type[yaml.SafeLoader]) -> None:
    """Composing recurses, and the C reader crashes where Python would raise: look before."""
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise PromptError(f"{path}, line {line}: nested too deeply", HINT)


def _variables(at: Checker, node: Node | None) -> dict[str, dict[str, str]]:
    """Read ``[name, …]`` or ``{name: default}`` or ``{name: {en: …, zh: …}}``."""
    if node is None or is_null(node):
        return {}
    if isinstance(node, SequenceNode):
        items = [(at.text(item, "variables"), item) for item in node.value]
        found: dict[str, dict[str, str]] = {name: {} for name, _ in items}
    else:
        fields = at.mapping(node, "variables")
        items = list(fields.items())
        found = {
            name: {} if is_null(value) else at.by_language(value, f"variables.{name}")
            for name, value in items
        }
    for name, item in items:
        if not _NAME.fullmatch(name):
            at.fail(item, "variables", f"{name!r} must be lower-case letters, digits and _")
        if name in RESERVED:
            at.fail(item, "variables", f"{name!r} is used by the program; choose another name")
    return found


def _check_variables(
    at: Checker, node: Node, instruction: dict[str, str], variables: dict[str, dict[str, str]]
) -> None:
    """Allow ``{name}`` of declared names only: no attributes, indexes or format codes."""
    for lang, text in instruction.items():
        name = f"instruction.{lang}"
        where = _value_of(node, lang)
        try:
            parts = list(string.Formatter().parse(text))
        except ValueError as error:
            at.fail(where, name, f"{error}; write {{{{ and }}}} for a brace as such")
        for _, variable, spec, conversion in parts:
            if variable is None:
                continue
            if not _NAME.fullmatch(variable) or spec or conversion:
                shown = f"{{{variable}}}"
                at.fail(where, name, f"{shown} is no plain variable; write {{{{ for a brace")
            if variable not in variables:
                at.fail(where, name, f"{{{variable}}} is not declared under variables")


def _value_of(node: Node, key: str) -> Node:
    if isinstance(node, MappingNode):
        for key_node, value in node.value:
            if key_node.value == key:
                return value  # type: ignore[no-any-return]
    return node


def _decoding(at: Checker, node: Node | None) -> dict[str, DecodingValue]:
    if node is None or is_null(node):
        return {}
    readers: dict[str, Callable[[Node, str], DecodingValue]] = {
        "max_tokens": lambda n, f: at.whole(n, f, 1, 1_000_000),
        "temperature": lambda n, f: at.number(n, f, 0, 5),
        "top_p": lambda n, f: at.number(n, f, 0.01, 1),
        "repetition_penalty": lambda n, f: at.number(n, f, 0.5, 3),
        "seed": lambda n, f: at.whole(n, f, 0, 2**31),
        "stop": at.texts,
    }
    fields = at.mapping(node, "decoding", list(readers))
    return {name: readers[name](value, f"decoding.{name}") for name, value in fields.items()}


def _example(at: Checker, node: Node, name: str) -> Example:
    fields = at.mapping(node, name, _EXAMPLE_FIELDS, required=("input", "target"))
    return Example(
        input=at.text(fields["input"], f"{name}.input"),
        target=at.text(fields["target"], f"{name}.target"),
        lang=at.language(fields["lang"], f"{name}.lang") if "lang" in fields else "en",
        tags=at.texts(fields.get("tags"), f"{name}.tags"),
        context=at.text(fields["context"], f"{name}.context") if "context" in fields else None,
    )


def _label_set(at: Checker, name: str, node: Node) -> LabelSet:
    field = f"label_sets.{name}"
    fields = at.mapping(node, field)
    triggers = fields.pop("triggers", None)
    labels: dict[str, tuple[str, ...]] = {}
    for code, value in fields.items():
        if not LANGUAGE_CODE.fullmatch(code):
            at.fail(value, field, f"{code!r} is neither a language code nor triggers")
        labels[code] = at.texts(value, f"{field}.{code}")
        if len(set(labels[code])) < 2:
            at.fail(value, f"{field}.{code}", "needs at least two different labels")
    if not labels:
        at.fail(node, field, "has no labels")
    words = at.keyed(triggers, f"{field}.triggers", at.texts) if triggers else {}
    return LabelSet(name, labels, words)
