"""Untrusted bytes: what comes out is upright sRGB without metadata, or a reason; nothing harms the process that asked."""

from __future__ import annotations

import io
import os
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
import warnings
import zlib
from base64 import b64decode
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from verification import decoder, images, sandbox
from verification.images import ImageRejected, Limits
from verification.reasons import PhotoKind, ReasonCode

RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 160, 40), (30, 40, 200), (240, 230, 40)


def four_colours(width: int = 160, height: int = 120) -> Image.Image:
    """Red and green above blue and yellow: each turn and mirror image looks different."""
    picture = Image.new("RGB", (width, height), RED)
    picture.paste(GREEN, (width // 2, 0, width, height // 2))
    picture.paste(BLUE, (0, height // 2, width // 2, height))
    picture.paste(YELLOW, (width // 2, height // 2, width, height))
    return picture


def as_bytes(picture: Image.Image, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def corners(pixels: np.ndarray) -> list[tuple[int, ...]]:
    """The four colours as nearest named ones: top left, top right, bottom left, bottom right."""
    h, w = pixels.shape[:2]
    named = np.array([RED, GREEN, BLUE, YELLOW])
    spots = [pixels[y, x].astype(int) for y in (h // 4, 3 * h // 4) for x in (w // 4, 3 * w // 4)]
    return [tuple(named[np.abs(named - s).sum(1).argmin()]) for s in spots]


def reason_of(data: bytes, **options: object) -> ReasonCode:
    with pytest.raises(ImageRejected) as caught:
        images.decode(data, **options)  # type: ignore[arg-type]
    assert str(caught.value) == caught.value.reason.value
    return caught.value.reason


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_each_format_comes_back_as_it_is(form):
    pixels = images.decode(as_bytes(four_colours(), form))
    assert pixels.shape == (120, 160, 3) and pixels.dtype == np.uint8
    assert corners(pixels) == [RED, GREEN, BLUE, YELLOW]


def test_a_heic_photo_is_decoded_and_upright():
    # Four colours with EXIF orientation 6, encoded once by pillow-heif; pi-heif, which ships here, only decodes.
    pixels = images.decode(b64decode(HEIC))
    assert pixels.shape == (160, 120, 3)
    assert corners(pixels) == [BLUE, RED, YELLOW, GREEN]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_as_pillow_applies_it(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = as_bytes(four_colours(), "JPEG", exif=exif, quality=95)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    pixels = images.decode(data)
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).max() <= 1


def test_nothing_but_pixels_survives():
    exif = Image.Exif()
    exif[0x010E] = "SECRET PLACE"
    exif[0x8825] = {1: "N", 2: (55.0, 45.0, 7.0)}
    data = (
        as_bytes(four_colours(), "JPEG", exif=exif, comment=b"SECRET REMARK", dpi=(300, 300))
        + b"<script>alert(1)</script>PK\x03\x04"
    )
    clean = images.normalise(data)
    for trace in (b"SECRET", b"Exif", b"<script", b"PK\x03\x04"):
        assert trace in data and trace not in clean
    assert corners(np.asarray(Image.open(io.BytesIO(clean)))) == [RED, GREEN, BLUE, YELLOW]
    assert not Image.open(io.BytesIO(clean)).getexif()


def test_transparency_is_laid_on_white():
    picture = Image.new("RGBA", (100, 80), (0, 0, 0, 0))
    picture.paste((200, 0, 0, 255), (0, 0, 50, 80))
    pixels = images.decode(as_bytes(picture, "PNG"))
    assert tuple(pixels[40, 75]) == (255, 255, 255) and tuple(pixels[40, 25]) == (200, 0, 0)
    grey = images.decode(as_bytes(Image.new("LA", (100, 80), (0, 0)), "PNG"))
    assert (grey == 255).all()


@pytest.mark.parametrize("picture", [
    four_colours().convert("P", palette=Image.Palette.ADAPTIVE),
    four_colours().quantize(16),
], ids=["palette", "quantised"])  # fmt: skip
def test_palettes_are_resolved(picture):
    assert corners(images.decode(as_bytes(picture, "PNG"))) == [RED, GREEN, BLUE, YELLOW]


def test_a_transparent_palette_entry_is_white():
    picture = Image.new("P", (100, 80), 1)
    picture.putpalette([10, 20, 30, 200, 0, 0])
    picture.paste(0, (0, 0, 50, 80))
    pixels = images.decode(as_bytes(picture, "PNG", transparency=0))
    assert tuple(pixels[40, 25]) == (255, 255, 255) and tuple(pixels[40, 75]) == (200, 0, 0)


def test_grey_one_bit_and_sixteen_bit_pictures_keep_their_tones():
    assert (images.decode(as_bytes(Image.new("L", (80, 80), 77), "PNG")) == 77).all()
    assert (images.decode(as_bytes(Image.new("1", (80, 80), 1), "PNG")) == 255).all()
    deep = Image.fromarray(np.full((80, 80), 32768, np.uint16))
    assert deep.mode == "I;16"
    assert (images.decode(as_bytes(deep, "PNG")) == 128).all()
    dim = Image.fromarray(np.full((80, 80), 200, np.uint16))  # nearly black at 16 bits
    assert (images.decode(as_bytes(dim, "PNG")) == 0).all()


def test_cmyk_becomes_rgb():
    pixels = images.decode(as_bytes(four_colours().convert("CMYK"), "JPEG", quality=95))
    assert corners(pixels) == [RED, GREEN, BLUE, YELLOW]


def test_a_colour_profile_is_applied_and_a_damaged_one_ignored():
    lab_like = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = bytearray(lab_like)
    # Exchange the red and the blue primary: what the file calls red is then blue.
    tags = {
        lab_like[i : i + 4]: struct.unpack(">II", lab_like[i + 4 : i + 12])
        for i in range(132, 132 + 12 * struct.unpack(">I", lab_like[128:132])[0], 12)
    }
    (r, n), (b, m) = tags[b"rXYZ"], tags[b"bXYZ"]
    swapped[r : r + n], swapped[b : b + m] = lab_like[b : b + m], lab_like[r : r + n]
    pixels = images.decode(as_bytes(four_colours(), "PNG", icc_profile=bytes(swapped)))
    assert pixels[30, 40, 2] > 180 > 90 > pixels[30, 40, 0]
    for broken in (b"not a profile", lab_like[:200], b"\x00" * 3000):
        assert corners(images.decode(as_bytes(four_colours(), "PNG", icc_profile=broken))) == [RED, GREEN, BLUE, YELLOW]


def test_the_first_frame_of_an_animation_counts():
    frames = [four_colours(), Image.new("RGB", (160, 120), (0, 0, 0))]
    data = as_bytes(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=100, lossless=True)
    assert corners(images.decode(data)) == [RED, GREEN, BLUE, YELLOW]
    data = as_bytes(frames[0], "PNG", save_all=True, append_images=frames[1:], duration=100)
    assert corners(images.decode(data)) == [RED, GREEN, BLUE, YELLOW]


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_large_picture_is_shrunk_to_the_longest_side(form):
    pixels = images.decode(as_bytes(four_colours(4000, 1000), form))
    assert pixels.shape == (750, 3000, 3)
    assert corners(pixels) == [RED, GREEN, BLUE, YELLOW]


def test_what_the_child_returns_is_what_decoding_here_returns():
    noise = np.random.default_rng(3).integers(0, 256, (300, 200, 3), dtype=np.uint8)
    for data in (as_bytes(Image.fromarray(noise), "JPEG"), as_bytes(Image.fromarray(noise), "PNG")):
        assert (images.decode(data) == images.decode(data, isolate=False)).all()


def test_a_file_is_measured_in_the_child():
    from verification import quality

    data = as_bytes(four_colours(800, 600), "PNG")
    clean, measured = images.measure_file(data, PhotoKind.SELFIE)
    assert measured == quality.measure(images.decode(data), PhotoKind.SELFIE)
    assert Image.open(io.BytesIO(clean)).size == (800, 600)
    assert images.decode(clean).shape == (600, 800, 3)


def test_a_jpeg_is_made_of_pixels_only():
    pixels = images.decode(as_bytes(four_colours(), "PNG"))
    assert corners(images.decode(images.encode_jpeg(pixels))) == [RED, GREEN, BLUE, YELLOW]
    with pytest.raises(ValueError, match="shape"):
        images.encode_jpeg(pixels[..., 0])


# What is refused


def png(width: int, height: int, body: bytes) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@cache
def bomb() -> bytes:
    """20,000 x 20,000 black pixels: 1.2 GB in a few megabytes."""
    packer = zlib.compressobj(1)
    row = b"\x00" * (20_000 * 3 + 1)
    return png(20_000, 20_000, b"".join(packer.compress(row) for _ in range(20_000)) + packer.flush())


def test_nothing_is_no_picture():
    assert reason_of(b"") is ReasonCode.IMAGE_EMPTY


@pytest.mark.parametrize("data", [
    b"hello", b"GIF89a" + b"\x00" * 100, b"%PDF-1.7", b"PK\x03\x04", b"BM" + b"\x00" * 60, b"II*\x00" + b"\x00" * 60,
    b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"RIFF\x00\x00\x00\x00WAVEfmt ", b"\x00\x00\x00\x18ftypmp42",
], ids=["text", "gif", "pdf", "zip", "bmp", "tiff", "svg", "wave", "mp4"])  # fmt: skip
def test_other_formats_are_not_decoded(data):
    assert reason_of(data) is ReasonCode.IMAGE_FORMAT_UNKNOWN


def test_too_many_bytes_are_refused_while_they_stream():
    class Endless:
        taken = 0

        def read(self, size: int, /) -> bytes:
            self.taken += size
            return b"x" * size

    stream = Endless()
    with pytest.raises(ImageRejected) as caught:
        images.read_upload(stream, max_bytes=1_000_000)
    assert caught.value.reason is ReasonCode.IMAGE_TOO_LARGE
    assert stream.taken <= 1_000_001
    assert images.read_upload(io.BytesIO(b"x" * 1000), max_bytes=1000) == b"x" * 1000
    with pytest.raises(ImageRejected) as caught:
        images.read_upload(io.BytesIO(b""))
    assert caught.value.reason is ReasonCode.IMAGE_EMPTY
    assert reason_of(b"\xff\xd8\xff" + b"\x00" * 2000, limits=Limits(max_bytes=1000)) is ReasonCode.IMAGE_TOO_LARGE


def test_too_few_pixels_are_refused():
    assert reason_of(as_bytes(four_colours(200, 63), "PNG")) is ReasonCode.IMAGE_TOO_SMALL
    assert images.decode(as_bytes(four_colours(200, 64), "PNG")).shape == (64, 200, 3)
    assert reason_of(as_bytes(Image.new("RGB", (9000, 100)), "PNG")) is ReasonCode.IMAGE_TOO_SMALL  # 33 high when shrunk


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_truncated_file_is_damaged(form):
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (200, 300, 3), dtype=np.uint8))
    data = as_bytes(noise, form)
    for share in (0.9, 0.5, 0.1):
        assert reason_of(data[: int(len(data) * share)]) is ReasonCode.IMAGE_DAMAGED


def test_wrong_colours_for_the_signature_are_damaged():
    jpeg = as_bytes(four_colours(), "JPEG")
    assert reason_of(b"\x89PNG\r\n\x1a\n" + jpeg) is ReasonCode.IMAGE_DAMAGED
    assert reason_of(b"RIFF\x00\x00\x00\x00WEBP" + jpeg) is ReasonCode.IMAGE_DAMAGED
    assert reason_of(b"\x00\x00\x00\x18ftypheic" + jpeg) is ReasonCode.IMAGE_DAMAGED


def test_bombs_are_refused_by_their_header():
    data = bomb()
    assert len(data) < Limits().max_bytes
    begun = time.monotonic()
    assert reason_of(data) is ReasonCode.IMAGE_TOO_MANY_PIXELS
    assert time.monotonic() - begun < 6.0
    canvas = b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + b"\x00\x00\x00\x00" + b"\xfe\xff\x00" * 2
    assert reason_of(canvas) is ReasonCode.IMAGE_TOO_MANY_PIXELS


def test_a_lie_about_the_size_is_not_believed():
    rows = zlib.compress(b"\x00" * (1000 * 3 + 1) * 200, 9)
    assert reason_of(png(1000, 5000, rows[:-8])) is ReasonCode.IMAGE_DAMAGED
    assert images.decode(png(1000, 100, rows)).shape == (100, 1000, 3)  # what follows the last row is not looked at


def test_the_asking_process_does_not_grow():
    """Measured in a process of its own: bombs, a 40-megapixel photo and noise add less than 50 MB at the peak."""
    measure = """
import sys
sys.path.insert(0, ROOT)
import resource
from verification import images
from verification.evidence import Quality
from verification.reasons import PhotoKind
inputs = [open(p, "rb").read() for p in sys.argv[1:]]
images.measure_file(inputs[0], PhotoKind.SELFIE)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
said = []
for data in inputs:
    for ask in (images.normalise, lambda d: images.measure_file(d, PhotoKind.DOCUMENT), images.decode):
        try:
            ask(data)
            said.append("ok")
        except images.ImageRejected as rejected:
            said.append(rejected.reason.value)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, *said)
"""
    noise = np.random.default_rng(0).integers(0, 256, (675, 912, 3), dtype=np.uint8)
    photo = as_bytes(Image.fromarray(noise).resize((7296, 5400), Image.Resampling.BICUBIC), "JPEG", quality=60)
    files = {
        "plain": as_bytes(four_colours(), "PNG"),
        "bomb": bomb(),
        "photo": photo,
        "cut": photo[:-1000],
        "tail": photo + b"\x00" * 1_000_000,
    }
    assert len(photo) < Limits().max_bytes
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, data in files.items():
            (path := Path(folder) / name).write_bytes(data)
            paths.append(str(path))
        root = str(Path(__file__).resolve().parents[2])
        done = subprocess.run(
            [sys.executable, "-c", measure.replace("ROOT", repr(root)), *paths], capture_output=True, text=True, check=True
        )
    grown, *said = done.stdout.split()
    assert said == ["ok"] * 3 + ["image_too_many_pixels"] * 3 + ["ok"] * 3 + ["image_damaged"] * 3 + ["ok"] * 3
    assert int(grown) * 1024 < 50_000_000


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow on broken EXIF
@pytest.mark.parametrize("seed", range(40))
def test_flipped_bytes_end_in_pixels_or_a_reason(seed):
    """Decoded here, without the child: no exception but ImageRejected may leave, whatever the bytes."""
    dice = random.Random(seed)
    form = dice.choice(["JPEG", "PNG", "WEBP", "HEIF"])
    exif = Image.Exif()
    exif[0x0112] = 6
    whole = b64decode(HEIC) if form == "HEIF" else as_bytes(four_colours(), form, exif=exif)
    for _ in range(25):
        data = bytearray(whole)
        for _ in range(dice.choice([1, 3, 30])):
            data[dice.randrange(len(data))] = dice.randrange(256)
        try:
            pixels = images.decode(bytes(data), isolate=False)
            assert pixels.ndim == 3 and max(pixels.shape[:2]) <= 3000
        except ImageRejected:
            pass


# The child


def test_the_state_of_the_sandbox_is_said():
    assert sandbox.sandbox_state() in ("seccomp and rlimits",) or sandbox.sandbox_state().startswith("rlimits only (")


def test_a_missing_filter_is_warned_of_once(monkeypatch):
    monkeypatch.setattr(sandbox, "_warned", set())
    with pytest.warns(RuntimeWarning, match="rlimits only"):
        sandbox._warn("rlimits only (ImportError)")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sandbox._warn("rlimits only (ImportError)")
        sandbox._warn("seccomp and rlimits")


def test_starting_the_child_is_quick():
    data = as_bytes(four_colours(), "JPEG")
    images.decode(data)
    seconds = []
    for _ in range(5):
        begun = time.monotonic()
        images.decode(data)
        seconds.append(time.monotonic() - begun)
    assert min(seconds) < 0.5


def test_a_child_that_hangs_is_killed_and_told(monkeypatch, tmp_path):
    hanging = tmp_path / "decoder.py"
    hanging.write_text("import sys, time\nprint('ready', flush=True)\nsys.stdin.buffer.read()\ntime.sleep(60)\n")
    monkeypatch.setattr(sandbox, "_CHILD", hanging)
    begun = time.monotonic()
    assert reason_of(as_bytes(four_colours(), "PNG"), limits=Limits(wall_seconds=0.5)) is ReasonCode.IMAGE_TOO_SLOW
    assert time.monotonic() - begun < 5.0


@pytest.mark.parametrize("answer", [
    "b'{}'", "b'not json'", "b'[]'", "b''", "b'x' * 100000",
    "b'{\"bytes\": 3000000000, \"shape\": [1, 1, 3], \"sandbox\": \"x\"}'",
    "b'{\"bytes\": 12, \"shape\": [2, 2, 3], \"sandbox\": \"seccomp\", \"quality\": {\"sharpness\": \"<script>\"}}'",
    "b'{\"bytes\": 0, \"reason\": \"made_up\"}'",
    "b'{\"bytes\": 12, \"shape\": [2, 2], \"sandbox\": \"seccomp\"}\\nshort'",
])  # fmt: skip
def test_a_child_that_was_taken_over_is_not_believed(monkeypatch, tmp_path, answer):
    rogue = tmp_path / "decoder.py"
    rogue.write_text(
        f"import sys\nout = sys.stdout.buffer\nout.write(b'ready\\n')\nsys.stdin.buffer.read()\nout.write({answer} + b'\\n')\n"
    )
    monkeypatch.setattr(sandbox, "_CHILD", rogue)
    assert reason_of(as_bytes(four_colours(), "PNG")) is ReasonCode.IMAGE_DAMAGED


def test_a_child_that_cannot_start_is_a_fault_of_the_installation(monkeypatch, tmp_path):
    monkeypatch.setattr(sandbox, "_CHILD", tmp_path / "absent.py")
    with pytest.raises(sandbox.SandboxBroken):
        images.decode(as_bytes(four_colours(), "PNG"))


HARM = {
    "open a file": "open('/etc/hostname')",
    "write a file": "open('/tmp/escaped', 'w').write('x')",
    "open a socket": "import socket; socket.socket()",
    "run a program": "import subprocess; subprocess.run(['/bin/true'])",
    "fork": "import os; os.fork()",
    "kill": "import os, signal; os.kill(os.getppid(), 0)",
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM.keys())
def test_the_confined_child_can_only_compute(harm):
    """Run the child's own confinement and then code that an attacker would run."""
    if not sandbox.sandbox_state().startswith("seccomp"):
        pytest.skip("no seccomp here: " + sandbox.sandbox_state())
    assert _confined(harm)[0] != 0 and b"escaped" not in _confined(harm)[1]


def test_the_confined_child_can_compute():
    assert _confined("sum(range(1000))") == (0, b"escaped\n")


@pytest.mark.parametrize(
    ("harm", "signals"), [("while True: pass", {-24, -9}), ("bytearray(3 << 30)", {1})], ids=["spin", "3 GB"]
)
def test_time_and_memory_of_the_child_are_limited(harm, signals):
    begun = time.monotonic()
    assert _confined(harm)[0] in signals
    assert time.monotonic() - begun < 10.0


def _confined(code: str) -> tuple[int, bytes]:
    script = (
        "import sys, os, importlib.util\n"
        f"spec = importlib.util.spec_from_file_location('decoder', {decoder.__file__!r})\n"
        "child = importlib.util.module_from_spec(spec); spec.loader.exec_module(child)\n"
        f"import socket, subprocess, signal\nchild.confine({{'memory': 1 << 30, 'cpu_seconds': 1}}, {os.getpid()})\n"
        "child.filter_calls(threads=False)\n"
        f"exec({code!r})\n"
        "os.write(1, b'escaped\\n'); os._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, check=False, timeout=60)
    return done.returncode, done.stdout


def test_many_threads_may_ask_at_once():
    from concurrent.futures import ThreadPoolExecutor

    data = [as_bytes(four_colours(160 + 2 * n, 120), "JPEG") for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        assert [p.shape[1] for p in pool.map(images.decode, data)] == [160 + 2 * n for n in range(6)]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 0  # the limits are the child's, never ours


HEIC = (
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAaFtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAADRpbG9jAAAAAERA"
    "AAIAAQAAAAABxQABAAAAAAAAAa8AAgAAAAADdAABAAAAAAAAAD4AAAA4aWluZgAAAAAAAgAAABVpbmZlAgAAAAABAABodmMxAAAAABVpbmZlAgAAAQAC"
    "AABFeGlmAAAAAA5waXRtAAAAAAABAAAA4GlwcnAAAADAaXBjbwAAAHhodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAA"
    "AAMAAAMAHroCQGEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoBQgeWW6kkprm4CGgwIAAAMAMgAAAwACEGIAAQAHRAHBcrBiQAAAABNjb2xybmNseAABAA0A"
    "BoAAAAAUaXNwZQAAAAAAAACgAAAAeAAAABBwaXhpAAAAAAMICAgAAAAJaXJvdAMAAAAYaXBtYQAAAAAAAAABAAEFgQIDBIUAAAAaaXJlZgAAAAAAAAAO"
    "Y2RzYwACAAEAAQAAAfVtZGF0AAABqygBrwnQifghOXVf//yCP//8Yjch/AogcQzkUmR/4klwLX/wylzwcZPwhww5MApuvl79z134k6e2pJg46vcQArJ/"
    "uvi/WD5e5bn/ThgoEoLv2N/k/keneO2V/+hTbxjwjYYMYk6O7VRr5RmDTCM68Zs5xVLnH/0lYVRpUJzdrjZ2nixmFJyRGzrlW4wiOSaKylLPU2OJqr9b"
    "LejL4UxtFKNcKVoqwD4I6IIAAAMAAAMAAAMAAAMBh6rXazH+HVWatDRVfE2dfChMmqMrwYAK1euqUaseVqTm/NOmXiVti098XXX9ie97/T/74lo7ldGt"
    "lNn1SDwRaZ5IVNt0TQ4Ebwwi6/LUqZdYASZlCPF8C0K/mekvyoRG9/kgEmIUqRwfhK9nntBPIlcGvZzW8yTSpGhecOhd9nu3LPdbOHVbhGSukw93bluw"
    "18z8LPJwaTp2o8zTU4mozlifErzntD15tYx835vk6keu5p421av1aIFRMiqxBwv7uygM6w+BFEkgJhXjkc1DcBhVtDExT8pWo21cD1kBNHkEi3uq2onb"
    "S0q/UDAAAAMAjAAABVwAAAAGRXhpZgAATU0AKgAAAAgAAgEOAAIAAAANAAAAJgESAAMAAAABAAYAAAAAAABzZWNyZXQgcGxhY2UAAA=="
)
