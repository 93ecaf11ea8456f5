"""Files that feedback is imported from, whatever their format, as records of one kind. No SQL."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from assistant.errors import StoreError
from assistant.store import trl
from assistant.store.files import read_json_lines


def read_records(path: str, task: str | None = None) -> list[object]:
    """Return the records of a file, or of all JSONL files in a folder; ``-`` is stdin.

    Read are what an export wrote (JSON lines with everything, the table as CSV, a folder for ``datasets``)
    and JSON lines in TRL's formats; ``task`` is for those of the latter that do not name their own.

    Raises:
        StoreError: something cannot be read or is of no known format; the message names file and line.
        UsageError: a table is wrong.
    """
    place = Path(path)
    if path != "-" and place.is_dir():
        files = sorted(place.rglob("*.jsonl"))
        if not files:
            raise StoreError(
                f"There is no .jsonl file in {path}.",
                "Of a folder with data in another format, write a JSONL file first.",
            )
        return [one for file in files for one in _lines(str(file), task, str(file))]
    if place.suffix.lower() == ".csv":
        return _table(place)
    return _lines(path, task, "")


def _lines(path: str, task: str | None, name: str) -> list[object]:
    before = f"{name}, " if name else ""
    return [
        _record(row, f"{before}line {number}", task)
        for number, row in enumerate(read_json_lines(path), start=1)
    ]


def _record(row: object, path: str, task: str | None) -> object:
    if isinstance(row, Mapping) and trl.is_row(row):
        return trl.record_of({**row, "task": row.get("task") or task}, path)
    return row


def _table(path: Path) -> list[object]:
    from assistant.tables import read_table

    table = read_table(path, "turn_id")
    return [
        trl.record_of_cells(
            {name: str(cell) for name, cell in zip(table.columns, row, strict=True)}
        )
        for row in table.rows
    ]
