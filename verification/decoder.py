"""The child that decodes one untrusted picture and ends. Started by `sandbox.py`; nobody imports it.

    python -I -B decoder.py ORDER < picture       ORDER: JSON, see `sandbox._run`

It limits itself first, imports, says `ready`, reads the picture, gives up all system calls but those of plain
computing, decodes, and writes one line of JSON and then the pixels or the JPEG.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from typing import Any

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38  # linux/prctl.h

_ALLOWED = (
    "read", "readv", "write", "lseek", "fstat", "newfstatat", "close",
    "mmap", "mremap", "munmap", "mprotect", "madvise", "brk",
    "futex", "sched_yield", "sched_getaffinity", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack",
    "clock_gettime", "clock_getres", "gettimeofday", "getrandom", "getpid", "getcwd", "gettid",
    "restart_syscall", "exit", "exit_group",
)  # fmt: skip
"""What decoding, shrinking and writing to an open pipe need. No open, socket, exec, fork, kill, ptrace or ioctl."""
_REFUSED = (
    "openat", "open", "access", "readlink", "prctl", "clone3", "set_robust_list", "rseq", "prlimit64", "uname", "sysinfo",
)  # fmt: skip
"""Asked for by libraries that live well with a no; everything else kills the process."""


def confine(limits: dict[str, float], parent: int) -> None:
    """Die with the parent, gain nothing by exec, and stay within the limits."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    memory, seconds = int(limits["memory"]), int(limits["cpu_seconds"])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))


def no_processes() -> None:
    """No further process or thread. Root is not held by this limit, the filter is what holds it."""
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def filter_calls(*, threads: bool) -> str:
    """Allow only the calls of plain computing from here on. Returns what was reached.

    `threads` lets threads (never processes) start: libde265, which decodes HEIC, works in one of its own.
    """
    try:
        import pyseccomp as seccomp

        rules = seccomp.SyscallFilter(defaction=seccomp.KILL_PROCESS)
        for name in _ALLOWED:
            if name in ("mmap", "mprotect"):  # never executable memory: argument 2 without PROT_EXEC
                rules.add_rule(seccomp.ALLOW, name, seccomp.Arg(2, seccomp.MASKED_EQ, 4, 0))
            else:
                rules.add_rule(seccomp.ALLOW, name)
        for name in _REFUSED:
            if threads and name in ("set_robust_list", "rseq"):
                rules.add_rule(seccomp.ALLOW, name)
            else:
                rules.add_rule(seccomp.ERRNO(38 if name == "clone3" else 1), name)  # ENOSYS: glibc falls back to clone
        if threads:  # CLONE_THREAD 0x10000 must be set
            rules.add_rule(seccomp.ALLOW, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, 0x10000, 0x10000))
        rules.load()
    except Exception as fault:  # library, kernel or container without it: the limits above still hold
        return f"rlimits only ({type(fault).__name__})"
    return "seccomp and rlimits"


def frames(order: dict[str, Any], data: bytes, state: str) -> tuple[dict[str, Any], bytes]:
    """The same for a burst: each frame with its length before it, in four bytes. A frame that is no picture has no pixels."""
    from verification import images

    limits, at, shapes, payload = images.Limits(**order["limits"]), 0, [], []
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        try:
            picture = images._open_clean(data[at + 4 : at + 4 + size], limits)
            shapes.append((picture.height, picture.width))
            payload.append(picture.tobytes())
        except (images.ImageRejected, MemoryError):
            shapes.append((0, 0))
        at += 4 + size
    pixels = b"".join(payload)
    return {"sandbox": state, "quality": None, "shapes": shapes, "bytes": len(pixels)}, pixels


def work(order: dict[str, Any], data: bytes, state: str) -> tuple[dict[str, Any], bytes]:
    """Return the header and the payload."""
    import io

    from verification import images

    try:
        picture = images._open_clean(data, images.Limits(**order["limits"]))
        header: dict[str, Any] = {"sandbox": state, "quality": None}
        if order["kind"]:
            import numpy as np

            from verification import marks, quality
            from verification.reasons import PhotoKind

            pixels = np.asarray(picture)
            measured = quality.measure(pixels, PhotoKind(order["kind"]))
            header["quality"] = {name: getattr(measured, name) for name in measured.__slots__}
            header["fingerprint"] = quality.fingerprint(pixels).hex()
            header["mark"] = marks.read(pixels)
        if order["form"] == "pixels":
            payload = picture.tobytes()
            header["shape"] = [picture.height, picture.width]
        else:
            out = io.BytesIO()
            picture.save(out, "JPEG", quality=order["limits"]["jpeg_quality"])
            payload = out.getvalue()
        header["bytes"] = len(payload)
        return header, payload
    except images.ImageRejected as rejected:
        return {"reason": rejected.reason.value, "bytes": 0, "sandbox": state}, b""
    except MemoryError:
        return {"reason": "image_too_slow", "bytes": 0, "sandbox": state}, b""


def main() -> None:
    """See the module."""
    order = json.loads(sys.argv[1])
    confine(order["limits"], order["parent"])
    sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    from verification import images

    images.preload()
    if order["kind"]:
        from verification import marks, quality

        quality.preload()
        marks.preload()
    out = sys.stdout.buffer
    out.write(b"ready\n")
    out.flush()
    data = sys.stdin.buffer.read()
    heif = data[4:8] == b"ftyp"
    if heif:
        import pi_heif

        pi_heif.register_heif_opener()
    else:
        no_processes()
    state = filter_calls(threads=heif)
    header, payload = (frames if order["form"] == "burst" else work)(order, data, state)
    out.write(json.dumps(header).encode() + b"\n")
    out.write(payload)
    out.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
