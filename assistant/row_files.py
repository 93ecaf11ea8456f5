"""Files of measured values: a JSON list with one row a line, so that a change can be read in a diff."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from assistant.errors import ConfigError

T = TypeVar("T")

_HINT = "Mend the file, or move it away: the program goes on without it."


def read_rows(path: Path, kind: type[T]) -> list[T]:
    """Return the rows of a file as values of the dataclass ``kind``; none when there is no file.

    Fields that ``kind`` does not know are passed over: a newer version may have written them.

    Raises:
        ConfigError: the file cannot be read, or holds something else; it names file, row and field.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text.", _HINT) from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.", _HINT) from error
    try:
        rows = json.loads(text, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not JSON: {error}.", _HINT) from error
    try:
        return TypeAdapter(list[kind]).validate_python(rows)  # type: ignore[valid-type]
    except ValidationError as error:
        raise ConfigError(f"{path}, {_first(error.errors()[0])}", _HINT) from error


def wrong_row(path: Path, number: int, what: str) -> ConfigError:
    """Return the error that says ``what`` is wrong with a row, counted from 1."""
    return ConfigError(f"{path}, row {number}: {what}.", _HINT)


def write_rows(path: Path, rows: Iterable[Any]) -> None:
    """Write dataclass values, whole or not at all: others may read the file meanwhile.

    Raises:
        ConfigError: it cannot be written.
    """
    lines = [json.dumps(asdict(row), ensure_ascii=False) for row in rows]
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}.", "Say another file, or free the place."
        ) from error


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number to reckon with")
    return number


def _first(error: Any) -> str:
    """Return what pydantic found wrong first, in words."""
    place = list(error["loc"])
    where = f"row {place[0] + 1}" if place and isinstance(place[0], int) else "as a whole"
    field = ".".join(str(part) for part in place[1:])
    return f"{where}{f', {field}' if field else ''}: {error['msg']}."
