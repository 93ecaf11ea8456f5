"""The publisher's hub, through huggingface_hub: what a repository holds, and its files.

Files are streamed here rather than by ``hf_hub_download``, which starts a broken download anew and
cannot be stopped.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from assistant.errors import DownloadError
from assistant.models.progress import Watch

_T = TypeVar("_T")
_PROBE_S = 4.0
_LIST_S = 15.0
_READ_S = 20.0
_RETRIES = 4
_PAUSE_S = 0.5
_BLOCK = 1 << 16  # what is not a whole block is lost when an answer breaks off
_SAFE_NAME = re.compile(r"[A-Za-z0-9_][\w.-]*", re.ASCII)
_WANTED = re.compile(
    r".*\.safetensors|.*\.json|.*\.jinja|tokenizer\.model|merges\.txt|vocab\.txt"
    r"|LICENSE.*|NOTICE.*|USE_POLICY.*|README\.md"
)


@dataclass(frozen=True, slots=True)
class HubFile:
    """One file of a repository; ``sha256`` is stated for large files only."""

    name: str
    size: int
    sha256: str | None


@dataclass(frozen=True, slots=True)
class HubRepo:
    """A repository at one commit, so that a download which goes on later gets the same bytes."""

    repo: str
    commit: str
    files: tuple[HubFile, ...]


def offline() -> bool:
    """Return whether the user forbids the hub (``HF_HUB_OFFLINE`` or ``TRANSFORMERS_OFFLINE``)."""
    values = (os.environ.get(name, "") for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    return any(value.strip().upper() in ("1", "ON", "YES", "TRUE") for value in values)


def _within(seconds: float, work: Callable[[], _T], watch: Watch) -> _T:
    """Run ``work`` in a thread and wait ``seconds``: looking up a name obeys no other limit."""
    results: list[_T] = []
    failures: list[Exception] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:  # handed over to the caller below, whatever it is
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    end = time.monotonic() + seconds
    while thread.is_alive() and time.monotonic() < end:
        watch.check()
        thread.join(timeout=0.1)
    if failures:
        raise failures[0]
    if not results:
        raise DownloadError(f"no answer within {seconds:.0f} seconds")
    return results[0]


def _plain(error: Exception) -> DownloadError:
    """Return the error of a library in words a user can act on."""
    import httpx2
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    if isinstance(error, DownloadError):
        return error
    if isinstance(error, GatedRepoError):
        return DownloadError(
            "the publisher wants its terms accepted first: accept them on the model's page, then "
            "log in with `hf auth login` (or set HF_TOKEN)"
        )
    if isinstance(error, RepositoryNotFoundError):
        return DownloadError("the hub knows no such repository (or it is private)")
    first = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
    out_of_reach = isinstance(error, httpx2.TransportError)
    return DownloadError(f"out of reach ({first})" if out_of_reach else first)


def _endpoint() -> str:
    """Return the hub's address: the user's ``HF_ENDPOINT``, else the library's."""
    from huggingface_hub import constants

    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


def _probe() -> None:
    from huggingface_hub import get_session

    get_session().head(_endpoint(), timeout=_PROBE_S)


def _listed(repo: str) -> HubRepo:
    from huggingface_hub import HfApi

    info = HfApi(endpoint=_endpoint()).model_info(repo, files_metadata=True, timeout=_LIST_S)
    files = tuple(
        HubFile(each.rfilename, each.size or 0, each.lfs.sha256 if each.lfs else None)
        for each in info.siblings or ()
    )
    return HubRepo(repo, info.sha or "main", files)


def look(repo: str, watch: Watch) -> HubRepo:
    """Return what a repository holds; an unreachable hub costs a few seconds.

    Raises:
        DownloadError: offline by the user's will, out of reach, unknown or not allowed.
        Cancelled: the user stopped it.
    """
    if offline():
        raise DownloadError("not asked, HF_HUB_OFFLINE is set")
    import httpx2
    from huggingface_hub.errors import HFValidationError

    try:
        _within(_PROBE_S, _probe, watch)
        return _within(_LIST_S, lambda: _listed(repo), watch)
    except (OSError, httpx2.HTTPError, HFValidationError, DownloadError) as error:
        raise _plain(error) from error


def wanted_files(repo: HubRepo) -> tuple[HubFile, ...]:
    """Return the files of a whole model: safetensors and what belongs to them, top level only.

    Without safetensors, the one GGUF file (of several, the one called Q4_K_M).

    Raises:
        DownloadError: there is no safe set of weights.
    """
    # Copies for other programs ("consolidated") would double the download.
    top = [
        each
        for each in repo.files
        if _SAFE_NAME.fullmatch(each.name) and not each.name.startswith("consolidated")
    ]
    names = [each.name for each in top]
    if any(name.endswith(".safetensors") for name in names) and "config.json" in names:
        return tuple(each for each in top if _WANTED.fullmatch(each.name))
    gguf = [each for each in top if each.name.lower().endswith(".gguf")]
    if len(gguf) > 1:
        gguf = [each for each in gguf if "q4_k_m" in each.name.lower()]
    if len(gguf) != 1:
        raise DownloadError("the repository has neither safetensors nor one clear GGUF file")
    return tuple(gguf)


def partial_prefix(repo: HubRepo) -> str:
    """Return how unfinished files of this commit are called at the front."""
    return f"{repo.commit[:12]}-"


def _stream(repo: HubRepo, file: HubFile, target: Path, tick: Callable[[int], None]) -> None:
    """Append what is missing of a file to ``target``, asking for the rest only."""
    from huggingface_hub import get_session, hf_hub_url
    from huggingface_hub.utils import (  # type: ignore[attr-defined]  # re-exported implicitly
        build_hf_headers,
        hf_raise_for_status,
    )

    have = target.stat().st_size if target.is_file() else 0
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    url = hf_hub_url(repo.repo, file.name, revision=repo.commit, endpoint=_endpoint())
    with get_session().stream("GET", url, headers=headers, timeout=_READ_S) as answer:
        hf_raise_for_status(answer)
        # 200 to a request for the rest means that the whole file is coming.
        with target.open("ab" if answer.status_code == 206 else "wb") as out:
            for block in answer.iter_bytes(_BLOCK):
                out.write(block)
                tick(out.tell())
                if file.size and out.tell() > file.size:
                    raise DownloadError(f"{file.name} is longer than announced")


def download(
    repo: HubRepo, file: HubFile, partial: Path, watch: Watch, *, before: int, total: int
) -> Path:
    """Return the path of the complete file in the folder ``partial``, going on where it stopped.

    ``before`` and ``total`` are bytes of the whole pull, for the progress.

    Raises:
        DownloadError: it broke off several times in a row.
        Cancelled: the user stopped it; what came so far is kept.
    """
    import httpx2

    target = partial / f"{partial_prefix(repo)}{file.name}"

    def tick(have: int) -> None:
        watch.check()
        watch.tell("hub", before + have, total, f"{file.name} from the publisher's hub")

    failures, reached = 0, -1
    while True:
        have = target.stat().st_size if target.is_file() else 0
        if file.size and have > file.size:
            target.unlink()
            have = 0
        if file.size and have == file.size:
            return target
        failures = 0 if have > reached else failures + 1
        reached = max(reached, have)
        watch.check()
        try:
            _stream(repo, file, target, tick)
            if not file.size:
                return target
        except (httpx2.HTTPError, OSError) as error:
            if failures >= _RETRIES or not isinstance(error, httpx2.TransportError):
                raise _plain(error) from error
            time.sleep(min(2.0**failures * _PAUSE_S, 4.0))
        else:
            if failures >= _RETRIES:
                raise DownloadError(f"{file.name} arrives incomplete")
