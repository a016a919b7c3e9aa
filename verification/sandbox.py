"""Run the decoder of untrusted pictures in a child process that can only compute.

This side starts the child (`decoder.py`), hands it the bytes and takes back pixels or a clean JPEG. The child limits
itself before it reads a byte: address space, processor time, no file growth, few open files, no new privileges, death
with its parent, and a seccomp allow-list where the system has it. A fresh process is started rather than forked: the
web server has threads, and a fork would carry their locks and all of its memory, secrets included.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from verification.reasons import PhotoKind, ReasonCode

if TYPE_CHECKING:
    from verification.evidence import Quality
    from verification.images import Limits, Pixels

_CHILD = Path(__file__).with_name("decoder.py")
_HEADER = 4096  # bytes; the child's answer starts with one line of JSON no longer than this
_FINGERPRINT = 32  # bytes, of quality.fingerprint
_FRAMES = 16  # of a burst at most; a challenge has 10
_START_SECONDS = 20.0  # for the interpreter and its imports on a machine that is swapping; 0.2 is usual
_TOO_SLOW = frozenset({signal.SIGXCPU, signal.SIGKILL})  # soft and hard processor limit, or out of memory


class SandboxBroken(RuntimeError):
    """The child could not be started at all: a fault of the installation, never of a picture."""


def decode(data: bytes, limits: Limits) -> Pixels:
    """Return upright sRGB pixels, shape (H, W, 3). Raises images.ImageRejected."""
    header, payload = _run("pixels", data, limits)
    height, width = (int(n) for n in header["shape"])
    return payload.reshape(height, width, 3)


def decode_burst(frames: Sequence[bytes], limits: Limits) -> list[Pixels | None]:
    """Return the pixels of several JPEGs, each of shape (H, W, 3); None for what is no picture. Raises images.ImageRejected."""
    data = b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames)
    header, payload = _run("burst", data, limits)
    out: list[Pixels | None] = []
    at = 0
    for height, width in header["shapes"]:
        size = height * width * 3
        out.append(payload[at : at + size].reshape(height, width, 3) if size else None)
        at += size
    if len(out) != len(frames):
        from verification.images import ImageRejected

        raise ImageRejected(ReasonCode.IMAGE_DAMAGED)
    return out


def normalise(data: bytes, limits: Limits) -> bytes:
    """Return a clean JPEG. Raises images.ImageRejected."""
    return _jpeg(_run("jpeg", data, limits)[1])


def measure_file(data: bytes, kind: PhotoKind, limits: Limits) -> tuple[bytes, Quality, bytes, str | None]:
    """Return a clean JPEG, the quality of its pixels, their fingerprint and the key of a specimen's mark on them.

    Raises images.ImageRejected.
    """
    from verification.evidence import Quality

    header, payload = _run("jpeg", data, limits, kind=kind.value)
    return _jpeg(payload), Quality(**header["quality"]), bytes.fromhex(header["fingerprint"]), header["mark"]


@lru_cache(maxsize=1)
def sandbox_state() -> str:
    """Say in one line what holds the decoder here; starts a child to find out, once. For health pages and logs.

    Raises SandboxBroken where even a picture of our own does not come through.
    """
    from verification.images import ImageRejected, Limits, encode_jpeg

    try:
        header, _ = _run("jpeg", encode_jpeg(np.zeros((80, 80, 3), np.uint8)), Limits(), kind=PhotoKind.SELFIE.value)
    except ImageRejected as rejected:
        raise SandboxBroken(f"the picture decoder fails on a plain picture: {rejected}") from None
    return str(header["sandbox"])


def _jpeg(payload: Pixels) -> bytes:
    """Take what the child calls a JPEG only if it is framed as one."""
    from verification.images import ImageRejected

    data = payload.tobytes()
    if not (data.startswith(b"\xff\xd8\xff") and data.endswith(b"\xff\xd9")):
        raise ImageRejected(ReasonCode.IMAGE_DAMAGED)
    return data


def _run(form: str, data: bytes, limits: Limits, kind: str | None = None) -> tuple[dict[str, Any], Pixels]:
    """Start a child, give it `data`, return its header and payload. Raises images.ImageRejected or SandboxBroken."""
    from verification.images import ImageRejected

    order = json.dumps({"form": form, "kind": kind, "parent": os.getpid(), "limits": _as_dict(limits)})
    # The bytes go in as a file in memory: no pipe to fill, so neither side can wait for the other.
    source = os.memfd_create("upload", os.MFD_CLOEXEC)
    try:
        with open(source, "wb", closefd=False) as file:
            file.write(data)
        os.lseek(source, 0, os.SEEK_SET)
        child = subprocess.Popen(
            [sys.executable, "-I", "-B", str(_CHILD), order],
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            close_fds=True,
            cwd="/",
            env={"LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"},
            start_new_session=True,
        )
    finally:
        os.close(source)
    assert child.stdout is not None
    try:
        reader = _Reader(child.stdout)
        if reader.line(_START_SECONDS) != b"ready":
            raise SandboxBroken("the picture decoder did not start; run verification/decoder.py by hand to see why")
        reader.deadline = time.monotonic() + limits.wall_seconds
        header = _header(reader.line(limits.wall_seconds), limits)
        payload = np.empty(int(header["bytes"]), np.uint8)
        complete = reader.fill(payload.data) if payload.size else False
    except TimeoutError:
        raise ImageRejected(ReasonCode.IMAGE_TOO_SLOW) from None
    except _BadAnswer:
        raise ImageRejected(ReasonCode.IMAGE_DAMAGED if reader.answered else _why_it_died(child)) from None
    finally:
        if child.poll() is None:
            child.kill()
        child.stdout.close()
        child.wait()
    if "reason" in header:
        raise ImageRejected(ReasonCode(header["reason"]))
    if not complete:
        raise ImageRejected(ReasonCode.IMAGE_DAMAGED)
    _warn(str(header["sandbox"]))
    return header, payload


def _why_it_died(child: subprocess.Popen[bytes]) -> ReasonCode:
    """A child that closed its mouth without a word: out of time or memory, or thrown by the picture."""
    try:
        return ReasonCode.IMAGE_TOO_SLOW if -child.wait(timeout=2.0) in _TOO_SLOW else ReasonCode.IMAGE_DAMAGED
    except subprocess.TimeoutExpired:
        return ReasonCode.IMAGE_TOO_SLOW


class _BadAnswer(Exception):
    """The child died, or said something it never says: what decoded the picture has gone wrong."""


class _Reader:
    """Read the child's pipe against a deadline."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.fd = pipe.fileno()
        self.deadline = 0.0
        self.buffer = b""
        self.answered = False
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.fd, selectors.EVENT_READ)

    def _wait(self) -> None:
        if not self.selector.select(max(0.0, self.deadline - time.monotonic())):
            raise TimeoutError

    def line(self, seconds: float) -> bytes:
        """Return the next line, b"" where the child ended before one. Raises TimeoutError."""
        self.deadline = time.monotonic() + seconds
        while b"\n" not in self.buffer:
            self._wait()
            part = os.read(self.fd, _HEADER)
            if not part:
                return b""
            if len(self.buffer) > _HEADER:
                self.answered = True
                return b""
            self.buffer += part
        line, _, self.buffer = self.buffer.partition(b"\n")
        self.answered = line != b"ready"
        return line

    def fill(self, target: memoryview) -> bool:
        """Fill `target`; False where the child ended before. Raises TimeoutError."""
        have = min(len(self.buffer), len(target))
        target[:have] = self.buffer[:have]
        while have < len(target):
            self._wait()
            got = os.readv(self.fd, [target[have : have + 1024 * 1024]])
            if not got:
                return False
            have += got
        return True


def _header(line: bytes, limits: Limits) -> dict[str, Any]:
    """Check the child's answer as if a stranger had sent it: a decoder that was taken over is one. Raises _BadAnswer."""
    try:
        header = json.loads(line)
        size = int(header["bytes"])
        if "reason" in header:
            ReasonCode(header["reason"])
        elif "shape" in header:
            height, width = header["shape"]
            if not (0 < height <= limits.max_side and 0 < width <= limits.max_side and size == height * width * 3):
                raise _BadAnswer
        elif "shapes" in header:
            shapes = [(int(height), int(width)) for height, width in header["shapes"]]
            if len(shapes) > _FRAMES or not all(0 <= side <= limits.max_side for shape in shapes for side in shape):
                raise _BadAnswer
            if size != sum(height * width * 3 for height, width in shapes):
                raise _BadAnswer
            header["shapes"] = shapes
        if not 0 <= size <= limits.max_side**2 * 3 * (_FRAMES if "shapes" in header else 1):
            raise _BadAnswer
        measured = header.get("quality")
        if measured is not None and not all(v is None or isinstance(v, (int, float)) for v in measured.values()):
            raise _BadAnswer
        if measured is not None and len(bytes.fromhex(header["fingerprint"])) != _FINGERPRINT:
            raise _BadAnswer
        if measured is not None and not isinstance(header["mark"], (str, type(None))):
            raise _BadAnswer
        return dict(header)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise _BadAnswer from None


def _as_dict(limits: Limits) -> dict[str, float]:
    return {name: getattr(limits, name) for name in limits.__slots__}


_warned: set[str] = set()


def _warn(state: str) -> None:
    """Warn once per process where the system call filter is missing."""
    if not state.startswith("seccomp") and state not in _warned:
        _warned.add(state)
        warnings.warn(f"uploads are decoded without a system call filter: {state}", RuntimeWarning, stacklevel=4)
