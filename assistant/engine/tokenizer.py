"""A model's tokenizer and chat template, read from its folder without loading transformers."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from assistant.errors import EngineError

PLAIN = "tokenizer-plain.json"
"""A copy of ``tokenizer.json`` without added tokens, kept so that it need not be made at each start."""


def without_added_tokens(file: Path) -> str:
    """Return the contents of a ``tokenizer.json`` without added tokens and post-processing."""
    plain = _json(file)
    plain["added_tokens"], plain["post_processor"] = [], None
    return json.dumps(plain, ensure_ascii=False)


class FolderTokenizer:
    """What :class:`~assistant.engine.chat_format.ChatFormat` needs of a tokenizer.

    The attributes have the names that transformers' fast tokenizers use, so either can be given.
    """

    def __init__(self, folder: Path) -> None:
        """Read ``tokenizer.json``, ``tokenizer_config.json`` and the chat template of a folder.

        Raises:
            EngineError: a file is missing or damaged.
        """
        self._folder = folder
        try:
            self.backend_tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._settings: dict[str, Any] = _json(folder / "tokenizer_config.json")
            template = folder / "chat_template.jinja"
            given = self._settings.get("chat_template")
            self.chat_template: str | None = (
                template.read_text(encoding="utf-8") if template.is_file() else _default(given)
            )
        except Exception as error:  # tokenizers raises plain Exception for whatever is wrong
            raise EngineError(
                f"The tokenizer in {folder} cannot be read: {error}",
                "Fetch the model again: `assistant models pull`.",
            ) from error

    @cached_property
    def plain_tokenizer(self) -> Tokenizer:
        """The tokenizer without added tokens: to it everything is text."""
        stored = self._folder / PLAIN
        if stored.is_file():
            return Tokenizer.from_file(str(stored))
        return Tokenizer.from_str(without_added_tokens(self._folder / "tokenizer.json"))

    @property
    def eos_token_id(self) -> int | None:
        token = self._token("eos_token")
        found: int | None = self.backend_tokenizer.token_to_id(token) if token else None
        return found

    def apply_chat_template(self, messages: list[dict[str, str]], **variables: Any) -> str:
        """Return the conversation as the model's template writes it."""
        variables.pop("tokenize", None)
        tokens = {name: self._token(name) for name in ("bos_token", "eos_token", "pad_token")}
        text: str = self._template.render(
            messages=messages,
            tools=None,
            documents=None,
            **{k: v for k, v in tokens.items() if v},
            **variables,
        )
        return text

    @cached_property
    def _template(self) -> Any:
        from jinja2.ext import loopcontrols
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, _generation_blocks()]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = _now
        return environment.from_string(self.chat_template or "")

    def _token(self, name: str) -> str | None:
        value = self._settings.get(name)
        return value.get("content") if isinstance(value, dict) else value


def _default(template: Any) -> str | None:
    """Return the one template, or the one called ``default`` of several."""
    if isinstance(template, list):
        template = next((t.get("template") for t in template if t.get("name") == "default"), None)
    return template if isinstance(template, str) else None


def _json(file: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return value


def _to_json(value: Any, ensure_ascii: bool = False, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, **options)


def _generation_blocks() -> Any:
    """Return the extension that lets ``{% generation %}`` blocks, marks for training, through."""
    from jinja2 import nodes
    from jinja2.ext import Extension

    class GenerationBlocks(Extension):
        tags = {"generation"}  # noqa: RUF012 - so that jinja2 declares it

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body).set_lineno(line)

    return GenerationBlocks


def _refuse(message: str) -> None:
    from jinja2.exceptions import TemplateError

    raise TemplateError(message)


def _now(form: str) -> str:
    from datetime import datetime

    return datetime.now().strftime(form)
