"""Parsed JSON to the values of ``types.py``, with errors that name the field.

The type hints are the format: :func:`decode` walks them, so an import is checked exactly as far
as the types say, and a new field needs no second description here.
"""

from __future__ import annotations

import dataclasses
import math
import types
from functools import lru_cache
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from assistant.errors import StoreError

T = TypeVar("T")

_INT64 = 2**63
_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def decode(kind: type[T], data: object, path: str) -> T:
    """Return ``data`` as a value of ``kind``, or raise a StoreError naming the wrong field."""
    return cast(T, _decode(kind, data, path))


def wrong(path: str, expected: str, data: object) -> StoreError:
    """Return the error for one field."""
    shown = repr(data)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return StoreError(f"{path}: expected {expected}, found {shown}.", "Correct the file.")


def _decode(kind: Any, data: object, path: str) -> object:
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _dataclass(kind, data, path)
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _union(args, data, path)
    if origin is Literal:
        if data not in args or isinstance(data, bool):
            raise wrong(path, "one of " + ", ".join(map(str, args)), data)
        return data
    if origin is tuple:
        if not isinstance(data, list | tuple):
            raise wrong(path, "a list", data)
        return tuple(_decode(args[0], item, f"{path}[{i}]") for i, item in enumerate(data))
    if origin is dict:
        items = fields_of(data, path)
        return {key: _decode(args[1], item, f"{path}.{key}") for key, item in items.items()}
    return data if kind is object else _scalar(kind, data, path)


def _union(kinds: tuple[Any, ...], data: object, path: str) -> object:
    """Only "this or nothing" unions occur in the types."""
    if data is None:
        return None
    (kind,) = (kind for kind in kinds if kind is not types.NoneType)
    return _decode(kind, data, path)


def fields_of(data: object, path: str) -> dict[str, object]:
    """Return ``data`` as a JSON object."""
    if not isinstance(data, dict):
        raise wrong(path, "an object", data)
    return {str(key): value for key, value in data.items()}


def _dataclass(kind: type, data: object, path: str) -> object:
    given = fields_of(data, path)
    hints = _hints(kind)
    unknown = sorted(set(given) - set(hints))
    if unknown:
        raise StoreError(
            f"{path}.{unknown[0]}: this field is not known.",
            "The file may come from a newer version of this program.",
        )
    for name in _required(kind):
        if name not in given:
            raise StoreError(f"{path}.{name}: this field is missing.", "Correct the file.")
    return kind(
        **{key: _decode(hints[key], value, f"{path}.{key}") for key, value in given.items()}
    )


def _scalar(kind: type, data: object, path: str) -> object:
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        data = float(data) if abs(data) < _INT64 else math.inf
    if not isinstance(data, kind) or (isinstance(data, bool) and kind is not bool):
        raise wrong(path, _NAMES.get(kind, kind.__name__), data)
    if isinstance(data, float) and not math.isfinite(data):
        raise wrong(path, "a finite number", data)
    if kind is int and not -_INT64 <= cast(int, data) < _INT64:
        raise wrong(path, "a number of at most 64 bits", data)
    return data


@lru_cache(maxsize=32)
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


@lru_cache(maxsize=32)
def _required(kind: type) -> tuple[str, ...]:
    missing = dataclasses.MISSING
    return tuple(
        field.name
        for field in dataclasses.fields(kind)
        if field.default is missing and field.default_factory is missing
    )
