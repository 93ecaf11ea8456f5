"""From a key press to its paint while the app decodes, measured from outside through a terminal.

The app runs in a pseudo-terminal with the real model. It is asked for something long; while the answer
streams, letters that occur nowhere else are typed into the prompt, and the time is taken until each comes
back in what the app paints. Prints JSON: milliseconds (median, p90, p99, max), idle and while decoding.

    python benchmarks/app_latency.py [--keys 200] [--model NAME]
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import select
import signal
import statistics
import struct
import sys
import termios
import time

QUESTION = "Tell me a very long story about a lighthouse keeper, a storm and a lost ship."
FIRST_RUNE = 0x16A0
RUNES = 75
KEYS_AN_ANSWER = 40
ATTEMPTS = 20


class Terminal:
    """A program in a pseudo-terminal of 100 by 32 cells."""

    def __init__(self, command: list[str]) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            os.execvp(command[0], command)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 32, 100, 0, 0))
        self.seen = b""

    def read(self, seconds: float) -> bytes:
        """Return what is painted within some time, as soon as there is anything."""
        ready, _, _ = select.select([self.fd], [], [], seconds)
        return os.read(self.fd, 1 << 16) if ready else b""

    def wait_for(self, text: bytes, seconds: float) -> bool:
        """Return whether ``text`` was painted within some time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.seen = (self.seen + self.read(0.05))[-200_000:]
            if text in self.seen:
                return True
        return False

    def drain(self, seconds: float) -> int:
        """Read all there is for some time; return how many bytes came."""
        end, count = time.monotonic() + seconds, 0
        while (left := end - time.monotonic()) > 0:
            count += len(self.read(left))
        return count

    def press(self, letter: str, seconds: float = 2.0) -> float:
        """Type a letter; return the seconds until it was painted."""
        wanted, painted = letter.encode(), b""
        started = time.perf_counter()
        os.write(self.fd, wanted)
        while wanted not in painted:
            painted += self.read(0.01)
            if time.perf_counter() - started > seconds:
                break
        return time.perf_counter() - started

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def measure(terminal: Terminal, keys: int, pause_s: float) -> list[float]:
    """Return the milliseconds each of ``keys`` took."""
    found = []
    for index in range(keys):
        letter = chr(FIRST_RUNE + index % RUNES)
        found.append(terminal.press(letter) * 1000)
        # Deleted again, so that the prompt stays one line and the same letter can come once more.
        os.write(terminal.fd, b"\x7f")
        terminal.drain(pause_s)
    return found


def summary(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    at = {"p90": 0.90, "p99": 0.99}
    result = {name: ordered[min(len(ordered) - 1, int(q * len(ordered)))] for name, q in at.items()}
    result |= {"median": statistics.median(ordered), "max": ordered[-1], "keys": len(ordered)}
    return {name: round(value, 1) for name, value in result.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=200)
    parser.add_argument("--model", default="qwen2.5-coder-0.5b-instruct")
    given = parser.parse_args()
    command = [sys.executable, "-c", "from assistant.cli import main; main()"]
    terminal = Terminal([*command, "chat", "--model", given.model])
    try:
        if not terminal.wait_for(b"ready", 90):
            sys.exit("the app did not become ready")
        terminal.drain(2)
        idle = measure(terminal, given.keys // 2, 0.03)
        decoding: list[float] = []
        for _ in range(ATTEMPTS):
            os.write(terminal.fd, QUESTION.encode() + b"\r")
            terminal.drain(1.5)
            found = measure(terminal, KEYS_AN_ANSWER, 0.03)
            if terminal.drain(0.5) > 200:  # it still streams: all of these keys met a busy app
                decoding += found
            os.write(terminal.fd, b"\x1b")
            terminal.drain(1)
            os.write(terminal.fd, b"\x0e")  # a new chat
            terminal.drain(1)
            if len(decoding) >= given.keys:
                break
        else:
            sys.exit("the answers ended before all keys were pressed")
        print(json.dumps({"unit": "ms", "idle": summary(idle), "decoding": summary(decoding)}))
    finally:
        terminal.close()


if __name__ == "__main__":
    main()
