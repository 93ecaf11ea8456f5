"""Tables in files: CSV, TSV and JSON lines, read whole and written row by row.

CSV is UTF-8 (a byte order mark is passed over) with a header line. Commas, semicolons, tabs and bars
between cells are told apart; cells may be quoted and have line breaks in them. Written are commas in
``.csv`` and tabs in ``.tsv``.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from assistant.errors import AssistantError, UsageError

Format = Literal["csv", "tsv", "jsonl"]
FORMATS: dict[str, Format] = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl"}

MAX_BYTES = 50_000_000
"""Larger files are refused: the rows of one are held in memory, several times its size."""

_USUAL: dict[Format, str] = {"csv": ",", "tsv": "\t"}
_DELIMITERS = ",;\t|"
_SNIFFED = 4096  # characters; the module's expressions take seconds on much more
_HEADER_WITHIN = 65_536
_FORMULA = ("=", "+", "-", "@")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows with a cell a column, no two columns of one name.

    A cell is a text from CSV, any JSON value from JSON lines; ``None`` where a line lacks the key.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]

    def texts(self, column: str) -> list[str]:
        """Return the cells of a column as texts, ``""`` for an empty one.

        Raises:
            UsageError: a cell is a list or an object.
        """
        place = self.columns.index(column)
        return [_text(row[place], column, number) for number, row in enumerate(self.rows, 1)]


def format_of(path: Path) -> Format:
    """Return the format that a file's suffix names.

    Raises:
        UsageError: it names none.
    """
    found = FORMATS.get(path.suffix.lower())
    if found is None:
        raise UsageError(f"{path} is no table by its name.", f"Name it *{', *'.join(FORMATS)}.")
    return found


def read_table(path: Path, column: str) -> Table:
    """Read a table that has ``column``, which also helps to tell what stands between its cells.

    Raises:
        UsageError: it cannot be read, has no such column, or a line is wrong; the message says which.
    """
    kind = format_of(path)
    text = _decoded(path)
    table = _from_json(text, path) if kind == "jsonl" else _from_csv(text, path, kind, column)
    if column not in table.columns:
        names = ", ".join(name[:60] or '""' for name in table.columns)
        raise UsageError(f"{path} has no column '{column}'.", f"It has: {names}.")
    return table


def free_names(taken: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the wanted names, with ``_2``, ``_3`` … behind those that are taken already."""
    used = set(taken)
    found: list[str] = []
    for name in wanted:
        free, number = name, 1
        while free in used:
            number += 1
            free = f"{name}_{number}"
        used.add(free)
        found.append(free)
    return tuple(found)


class Lines:
    """Rows of one table as lines of text.

    The last ``answers`` columns were made by a model. A spreadsheet takes a cell that begins with one
    of ``= + - @`` for a formula, which could send data away: in CSV and TSV such an answer gets an
    apostrophe in front. What came from the user's own file stays as it was.
    """

    def __init__(self, kind: Format, columns: Sequence[str], answers: int = 0) -> None:
        self._kind, self._columns = kind, tuple(columns)
        self._own = len(columns) - answers

    def header(self) -> str:
        """Return the first line, ``""`` for JSON lines."""
        return "" if self._kind == "jsonl" else self._joined(self._columns)

    def line(self, cells: Sequence[object]) -> str:
        """Return a row, its line break included."""
        if self._kind == "jsonl":
            row = dict(zip(self._columns, cells, strict=True))
            return json.dumps(row, ensure_ascii=False) + "\n"
        texts = [as_text(cell) for cell in cells]
        return self._joined([*texts[: self._own], *map(_harmless, texts[self._own :])])

    def _joined(self, texts: Sequence[str]) -> str:
        line = io.StringIO(newline="")
        # A lone carriage return in a cell is quoted only where it is part of the line's own end.
        writer = csv.writer(line, delimiter=_USUAL[self._kind], lineterminator="\r\n")
        writer.writerow(texts)
        return line.getvalue().removesuffix("\r\n") + "\n"


def as_text(cell: object) -> str:
    """Return a cell as CSV has it: JSON for what is no text, nothing for ``None``."""
    if cell is None:
        return ""
    return cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False)


def check_free(path: Path, *, force: bool) -> None:
    """Make sure that a new file may be put at ``path``.

    Raises:
        UsageError: there is a file and no ``force``, there is something that is no file, or there is
            no such folder.
    """
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is no plain file.", "Choose another name.")
    if path.exists() and not force:
        raise UsageError(f"{path} exists already.", "Choose another name, or add --force.")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"{path.parent} is no folder.", "Make it first, or choose another name.")


@contextmanager
def new_file(path: Path, *, force: bool = False) -> Iterator[Callable[[str], None]]:
    """Yield what adds text to a new file, which appears at ``path`` at the end, in one step.

    When the block is left by an error, the file appears all the same with what was added until then;
    nothing appears when that is nothing.

    Raises:
        UsageError: see :func:`check_free`.
        AssistantError: it cannot be written.
    """
    target = Path(os.path.realpath(path))  # a link stays and what it leads to is written
    check_free(target, force=force)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        stream = part.open("x", encoding="utf-8", errors="replace", newline="")
    except OSError as error:
        raise _unwritable(path, error) from error
    added = False

    def add(text: str) -> None:
        nonlocal added
        try:
            stream.write(text)
            stream.flush()
        except OSError as error:
            raise _unwritable(path, error) from error
        added = True

    whole = False
    try:
        yield add
        whole = True
    finally:
        with suppress(OSError):  # what could not be written was said when it was added
            stream.close()
        if added or whole:
            _publish(part, target, force)
        else:
            part.unlink(missing_ok=True)


def _publish(part: Path, target: Path, force: bool) -> None:
    """Give a finished file its name, without replacing another one unless ``force`` says so."""
    try:
        if force:
            part.replace(target)
            return
        try:
            os.link(part, target)  # unlike a rename it fails when the name is taken by now
        except FileExistsError as error:
            raise AssistantError(
                f"{target} came to be meanwhile; the rows are in {part.name} beside it.",
                "Rename it.",
            ) from error
        except OSError:  # a file system without links
            check_free(target, force=False)
            part.replace(target)
            return
        part.unlink()
    except OSError as error:
        raise _unwritable(target, error) from error


def _unwritable(path: Path, error: OSError) -> AssistantError:
    return AssistantError(f"{path} cannot be written: {error.strerror}.", "Choose another file.")


def _decoded(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"{path} is larger than {MAX_BYTES // 10**6} MB.", "Split it.")
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is not UTF-8 text (byte {error.start}).",
            "Save it as UTF-8; a spreadsheet offers 'CSV UTF-8'.",
        ) from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error


def _text(cell: object, column: str, number: int) -> str:
    if isinstance(cell, (list, dict)):
        raise UsageError(f"Row {number}: '{column}' is a list or an object.", "It needs a text.")
    # JSON can hold halves of surrogate pairs, which are no text.
    return as_text(cell).encode("utf-8", "replace").decode("utf-8")


def _harmless(answer: str) -> str:
    return f"'{answer}" if answer.startswith(_FORMULA) else answer


# -- CSV -------------------------------------------------------------------------------------------


def _from_csv(text: str, path: Path, kind: Format, column: str) -> Table:
    delimiter = _delimiter(text, kind, column)
    padded = _is_padded(_header(text, delimiter))
    rows: list[tuple[object, ...]] = []
    columns: tuple[str, ...] = ()
    csv.field_size_limit(MAX_BYTES)  # of the whole process; the module's own is 128 KB a cell
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=padded
    )
    try:
        for cells in reader:
            if not cells:
                continue
            if not columns:
                columns = free_names((), [cell.strip() for cell in cells])
                continue
            if len(cells) > len(columns):
                raise UsageError(
                    f"{path}, line {reader.line_num}: {len(cells)} cells, the header has "
                    f"{len(columns)}.",
                    f"Put a cell that has '{_shown(delimiter)}' in it between quotes (\").",
                )
            rows.append((*cells, *("",) * (len(columns) - len(cells))))
    except csv.Error as error:
        raise UsageError(
            f"{path}, line {reader.line_num}: {error}.",
            'A quote (") within a quoted cell is written twice.',
        ) from error
    if not columns:
        raise UsageError(f"{path} is empty.", "It needs a header line and rows.")
    return Table(columns, tuple(rows))


def _delimiter(text: str, kind: Format, column: str) -> str:
    """Return what stands between cells: what makes ``column`` a name of the header, if anything does."""
    usual = _USUAL[kind]
    try:
        sniffed = csv.Sniffer().sniff(text[:_SNIFFED], _DELIMITERS).delimiter
    except csv.Error:  # one column, say
        sniffed = usual
    likely: list[str] = [sniffed, usual, *_DELIMITERS]
    headers = {one: _header(text, one) for one in likely}
    several = [one for one, names in headers.items() if len(names) > 1]
    for one in several:
        if column in map(str.strip, headers[one]):
            return one
    return usual if column in headers[usual] or not several else several[0]


def _header(text: str, delimiter: str) -> list[str]:
    """Return the header's names as they stand there, ``[]`` when the line cannot be read so."""
    reader = csv.reader(
        io.StringIO(text[:_HEADER_WITHIN], newline=""), delimiter=delimiter, strict=True
    )
    try:
        return next((cells for cells in reader if cells), [])
    except csv.Error:
        return []


def _is_padded(header: Sequence[str]) -> bool:
    """Tell whether a space follows each delimiter (``id, text``), which is then no part of a cell."""
    return len(header) > 1 and all(name.startswith(" ") for name in header[1:])


def _shown(delimiter: str) -> str:
    return "tab" if delimiter == "\t" else delimiter


# -- JSON lines ------------------------------------------------------------------------------------


def _from_json(text: str, path: Path) -> Table:
    lines = [
        _object(line, f"{path}, line {number}")
        for number, line in enumerate(text.split("\n"), 1)
        if line.strip()
    ]
    if not lines:
        raise UsageError(f"{path} is empty.", "It needs one JSON object a line.")
    columns = tuple(dict.fromkeys(name for line in lines for name in line))
    return Table(columns, tuple(tuple(line.get(name) for name in columns) for line in lines))


def _object(line: str, where: str) -> dict[str, object]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", "too large or too deep")
        raise UsageError(f"{where} is not JSON: {reason}.") from error
    if not isinstance(value, dict):
        raise UsageError(f"{where} is not a JSON object.")
    return value
