"""Untrusted bytes in, upright sRGB pixels out; anything else is an `ImageRejected`.

The only place where a customer's bytes are decoded, and only by Pillow (HEIC by pi-heif through Pillow). Decoding
runs in a child process that can do nothing but compute (`sandbox.py`); the process that asks keeps clean pixels,
or a clean JPEG, and no metadata. Knows nothing of faces or documents.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from verification.reasons import PhotoKind, ReasonCode

if TYPE_CHECKING:
    from verification.evidence import Quality

Pixels = NDArray[np.uint8]
"""Upright sRGB picture, shape (height, width, 3)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How much one upload may cost. The defaults fit any phone photo and a worker of 1 GB."""

    max_bytes: int = 12 * 1024 * 1024  # of the file as sent
    max_pixels: int = 40_000_000  # by the header, before a pixel is decoded; phones send 12 to 24 million
    min_side: int = 64  # pixels; nothing can be read from less
    max_side: int = 3000  # pixels of the result; an A5 page at 360 dpi
    jpeg_quality: int = 92  # of the clean copy; above it files grow without a letter or face becoming clearer
    cpu_seconds: int = 6  # of the child; the costliest honest picture (40 million pixels) takes 2
    wall_seconds: float = 15.0  # of the child, on a busy machine
    memory: int = 1024 * 1024 * 1024  # bytes of address space of the child, libraries included


class ImageRejected(Exception):
    """These bytes are no picture that can be worked with. The text is the code, never anything of the file."""

    def __init__(self, reason: ReasonCode) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Readable(Protocol):
    """What `read_upload` needs of a stream."""

    def read(self, size: int, /) -> bytes: ...


def read_upload(stream: Readable, *, max_bytes: int = Limits().max_bytes) -> bytes:
    """Return all bytes of `stream`. Raises ImageRejected as soon as more than `max_bytes` came, or if none did."""
    parts: list[bytes] = []
    total = 0
    while part := stream.read(min(64 * 1024, max_bytes + 1 - total)):
        total += len(part)
        if total > max_bytes:
            raise ImageRejected(ReasonCode.IMAGE_TOO_LARGE)
        parts.append(part)
    if not total:
        raise ImageRejected(ReasonCode.IMAGE_EMPTY)
    return b"".join(parts)


def decode(data: bytes, *, limits: Limits = Limits(), isolate: bool = True) -> Pixels:
    """Return the picture upright, in sRGB, shape (H, W, 3), longest side at most `limits.max_side`.

    Transparency is laid on white; of several frames the first counts. `isolate=False` decodes in this process and is
    for callers that have been put in a sandbox already, or whose files are their own. Raises ImageRejected.
    """
    _check_bytes(data, limits)
    if isolate:
        from verification import sandbox

        return sandbox.decode(data, limits)
    return np.asarray(_open_clean(data, limits))


_FRAME = Limits(max_bytes=64 * 1024, max_pixels=2_000_000, max_side=640)
"""Of one frame of a burst: 480 x 640 is asked for."""


def decode_burst(frames: Sequence[bytes], *, isolate: bool = True) -> list[Pixels | None]:
    """Return the pictures of a burst's frames, all decoded in one child; None for a frame that is no JPEG of a camera's size."""
    usable = [frame if frame[:3] == b"\xff\xd8\xff" and len(frame) <= _FRAME.max_bytes else b"" for frame in frames]
    if not isolate:
        return [_frame(frame) for frame in usable]
    from verification import sandbox

    try:
        return sandbox.decode_burst(usable, _FRAME)
    except ImageRejected:  # the child was thrown: by which frame nobody knows
        return [None] * len(frames)


def _frame(data: bytes) -> Pixels | None:
    """One frame in this process, None where it is no picture."""
    try:
        return np.asarray(_open_clean(data, _FRAME))
    except ImageRejected:
        return None


def normalise(data: bytes, *, limits: Limits = Limits()) -> bytes:
    """Return a clean upright JPEG of the picture; this process never holds its pixels. Raises ImageRejected."""
    from verification import sandbox

    _check_bytes(data, limits)
    return sandbox.normalise(data, limits)


def measure_file(data: bytes, kind: PhotoKind, *, limits: Limits = Limits(), specimens: bool = False) -> tuple[bytes, Quality]:
    """Return the clean upright JPEG and its quality, both made in the child. Raises ImageRejected."""
    return look_at_file(data, kind, limits=limits, specimens=specimens)[:2]


def look_at_file(
    data: bytes, kind: PhotoKind, *, limits: Limits = Limits(), specimens: bool = False
) -> tuple[bytes, Quality, bytes]:
    """As `measure_file`, and the photo's `quality.fingerprint`, made in the child as well. Raises ImageRejected.

    `specimens`: it is for a customer of the sandbox. For everybody else a picture that carries a specimen's mark is refused.
    """
    from verification import sandbox

    _check_bytes(data, limits)
    clean, quality, fingerprint, mark = sandbox.measure_file(data, kind, limits)
    if mark is not None and not specimens:
        raise ImageRejected(ReasonCode.IMAGE_FOR_TESTS)
    return clean, quality, fingerprint


def encode_jpeg(image: Pixels, *, quality: int = Limits().jpeg_quality) -> bytes:
    """Return sRGB pixels of shape (H, W, 3) as a JPEG without metadata. Raises ValueError on any other shape."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"expected uint8 pixels of shape (H, W, 3), got {image.dtype} {image.shape}")
    out = io.BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=quality)
    return out.getvalue()


def cut(image: Pixels, view: tuple[float, float, float, float], *, turn: float = 0.0, max_side: int = 1600) -> Pixels:
    """Return a part of a picture, at most `max_side` pixels long; what lies beyond the picture's edge is white.

    `view` is x, y, width, height in pixels after the picture was turned by `turn` degrees about its origin, as SVG's
    `rotate` does: clockwise on the screen. Raises ValueError for a view without an area.
    """
    x, y, width, height = view
    if not (width >= 1 and height >= 1):
        raise ValueError("a view needs an area")
    scale = max(1.0, max(width, height) / max_side)
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    # From the part's pixels back to the picture's: enlarge, shift, turn back.
    back = (cos * scale, sin * scale, x * cos + y * sin, -sin * scale, cos * scale, y * cos - x * sin)
    size = max(1, round(width / scale)), max(1, round(height / scale))
    part = Image.fromarray(image).transform(
        size, Image.Transform.AFFINE, back, resample=Image.Resampling.BICUBIC, fillcolor=(255, 255, 255)
    )
    return np.asarray(part)


_SIGNATURES = ((0, b"\xff\xd8\xff", "JPEG"), (0, b"\x89PNG\r\n\x1a\n", "PNG"), (8, b"WEBP", "WEBP"), (4, b"ftyp", "HEIF"))
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})


def _format(data: bytes) -> str:
    """Name the format by its signature, as Pillow names it. Raises ImageRejected(IMAGE_FORMAT_UNKNOWN)."""
    for at, signature, name in _SIGNATURES:
        if data[at : at + len(signature)] == signature:
            if name == "WEBP" and data[:4] != b"RIFF":
                continue
            if name == "HEIF" and data[8:12] not in _HEIF_BRANDS:
                continue
            return name
    raise ImageRejected(ReasonCode.IMAGE_FORMAT_UNKNOWN)


def _check_bytes(data: bytes, limits: Limits) -> None:
    """Refuse by size and signature, which costs nothing and needs no child."""
    if not data:
        raise ImageRejected(ReasonCode.IMAGE_EMPTY)
    if len(data) > limits.max_bytes:
        raise ImageRejected(ReasonCode.IMAGE_TOO_LARGE)
    if _format(data) == "WEBP":
        _check_size(_webp_size(data), limits)


def _webp_size(data: bytes) -> tuple[int, int]:
    """Return width and height by the first chunk. Pillow allocates the canvas while opening, so it must be known before.

    Source: RFC 9649, sections 2.5 to 2.7. Raises ImageRejected(IMAGE_DAMAGED).
    """
    chunk, body = data[12:16], data[20:30]
    if len(body) == 10:
        if chunk == b"VP8X":
            return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
        if chunk == b"VP8L" and body[0] == 0x2F:
            bits = int.from_bytes(body[1:5], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        if chunk == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
            return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    raise ImageRejected(ReasonCode.IMAGE_DAMAGED)


def _check_size(size: tuple[int, int], limits: Limits) -> None:
    """Refuse by the header's width and height, also where the side left after shrinking would be too short."""
    width, height = size
    if width * height > limits.max_pixels:
        raise ImageRejected(ReasonCode.IMAGE_TOO_MANY_PIXELS)
    if min(width, height) * min(1.0, limits.max_side / max(width, height, 1)) < limits.min_side:
        raise ImageRejected(ReasonCode.IMAGE_TOO_SMALL)


def _open_clean(data: bytes, limits: Limits) -> Image.Image:
    """Decode in this process: upright, sRGB, mode RGB, at most `limits.max_side` long. Raises ImageRejected."""
    name = _format(data)
    if name == "HEIF":
        import pi_heif

        pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    # Pillow's own bomb check is off: it looks at a process-wide number, ours at these limits, before any pixel.
    Image.MAX_IMAGE_PIXELS = None
    try:
        image = Image.open(io.BytesIO(data), formats=(name,))
        _check_size(image.size, limits)
        return _clean(image, limits)
    except ImageRejected:
        raise
    except MemoryError:
        raise ImageRejected(ReasonCode.IMAGE_TOO_SLOW) from None
    except (
        UnidentifiedImageError,
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        struct.error,
        IndexError,
        KeyError,
        TypeError,
        ArithmeticError,
        AttributeError,
        AssertionError,
        RuntimeError,
        NotImplementedError,
    ):
        # What decoders raise on damaged files is no closed list; whatever it is, the file is at fault, never the run.
        raise ImageRejected(ReasonCode.IMAGE_DAMAGED) from None


def _clean(image: Image.Image, limits: Limits) -> Image.Image:
    """Shrink first (less memory), then colours, then the turn."""
    longest = max(image.size)
    if longest > limits.max_side:
        # A JPEG can be decoded at a half or a quarter straight from its coefficients.
        image.draft(image.mode, (limits.max_side * image.width // longest, limits.max_side * image.height // longest))
    image.load()
    orientation = _orientation(image)
    profile = image.info.get("icc_profile")
    image = _eight_bit(image)
    if (longest := max(image.size)) > limits.max_side:
        scale = limits.max_side / longest
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    image = _srgb(_without_alpha(image), profile)
    if orientation is not None:
        image = image.transpose(orientation)
    image.info = {}  # Pillow would write a comment or a density found there into the clean copy
    return image


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each EXIF orientation (CIPA DC-008, tag 0x0112)."""


def _orientation(image: Image.Image) -> Image.Transpose | None:
    """What makes the picture upright by its EXIF; a broken EXIF block is no reason to refuse the pixels."""
    try:
        return _TURNS.get(image.getexif().get(0x0112, 1))
    except Exception:  # any parser fault here concerns metadata that is thrown away
        return None


def _eight_bit(image: Image.Image) -> Image.Image:
    """Turn 16-bit, 1-bit and palette pictures into 8-bit ones that can be shrunk smoothly."""
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8))
    if image.mode in ("P", "PA"):
        return image.convert("RGBA" if image.mode == "PA" or "transparency" in image.info else "RGB")
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("L", "RGB") and "transparency" in image.info:
        return image.convert("RGBA")
    return image


def _without_alpha(image: Image.Image) -> Image.Image:
    """Lay transparency on white, as paper."""
    if image.mode in ("LA", "La", "RGBa"):
        image = image.convert("RGBA")
    if image.mode != "RGBA":
        return image
    paper = Image.new("RGB", image.size, (255, 255, 255))
    paper.paste(image, mask=image.getchannel("A"))
    return paper


_SRGB: Any = ImageCms.createProfile("sRGB")


def _srgb(image: Image.Image, profile: object) -> Image.Image:
    """Apply the embedded colour profile; without one, or with one that is damaged, plain conversion."""
    if isinstance(profile, bytes) and profile and image.mode in ("L", "RGB", "CMYK"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            wanted = {"L": "GRAY", "RGB": "RGB ", "CMYK": "CMYK"}[image.mode]
            if source.profile.xcolor_space == wanted:
                converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
                if converted is not None:
                    return converted
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass  # colours a shade off; the picture is still the picture
    return image if image.mode == "RGB" else image.convert("RGB")


def preload() -> None:
    """Import what decoding needs later on. The child calls this before it gives up the right to open files."""
    from PIL import JpegImagePlugin, MpoImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin  # noqa: F401

    Image.preinit()
    probe = Image.new("RGB", (80, 80))
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    probe.save(out, "JPEG", exif=exif, icc_profile=ImageCms.ImageCmsProfile(_SRGB).tobytes())
    _open_clean(out.getvalue(), Limits())
