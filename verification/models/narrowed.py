"""Leave out classes of a network's last layer that no picture of ours ever asks for.

PP-OCRv6's recogniser tells 18,709 characters apart, 15,906 of them ideographs; knowing them costs a tenth of its time (17.3 CPU
ms a line for 19.2, side by side). On the lines of the development pictures, also read from their other end, and of specimens
all but 1,944 ideographs stayed below 1 in 1,000 at every place (`list_ideographs.py` writes them to
`ppocr_ideographs.txt`): those and everything that is no ideograph are kept, so that what is no Latin print goes on being
told from it. The file from the wheel is checked by its hash and stays as it is; the narrower network lives in memory only.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

IDEOGRAPHS: Final = Path(__file__).with_name("ppocr_ideographs.txt")

# The few parts of ONNX's format (onnx.proto, field numbers as published) that are looked at; all others pass through unread.
_PARTS: Final = {
    "Dimension": (("dim_value", 1, "int64", "optional"),),
    "Shape": (("dim", 1, "Dimension", "repeated"),),
    "TensorType": (("shape", 2, "Shape", "optional"),),
    "Type": (("tensor_type", 1, "TensorType", "optional"),),
    "ValueInfo": (("name", 1, "string", "optional"), ("type", 2, "Type", "optional")),
    "Tensor": (("dims", 1, "int64", "repeated"), ("name", 8, "string", "optional"), ("raw_data", 9, "bytes", "optional")),
    "Graph": (
        ("initializer", 5, "Tensor", "repeated"),
        ("output", 12, "ValueInfo", "repeated"),
        ("value_info", 13, "ValueInfo", "repeated"),
    ),
    "Entry": (("key", 1, "string", "optional"), ("value", 2, "string", "optional")),
    "Model": (("graph", 7, "Graph", "optional"), ("metadata_props", 14, "Entry", "repeated")),
}


class NotNarrowed(Exception):
    """The file is not the network this was written for: its last layer does not have that many classes."""


@cache
def _model() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="onnx_parts.proto", package="onnx_parts", syntax="proto2")
    kinds = {"int64": 3, "string": 9, "bytes": 12}  # google.protobuf.FieldDescriptorProto.Type
    for name, parts in _PARTS.items():
        message = file.message_type.add(name=name)
        for part, number, kind, label in parts:
            field = message.field.add(name=part, number=number, label=3 if label == "repeated" else 1)
            if kind in kinds:
                field.type = kinds[kind]
            else:
                field.type, field.type_name = 11, f".onnx_parts.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("onnx_parts.Model"))


def recogniser(file: Path) -> tuple[bytes, list[str]]:
    """Return PP-OCRv6's recogniser with fewer classes, and what its classes from 1 on stand for. Raises NotNarrowed."""
    model = _model().FromString(file.read_bytes())
    listed: list[str] = next((entry.value.split("\n") for entry in model.metadata_props if entry.key == "character"), [])
    listed.append(" ")  # PaddleOCR adds the space behind the listed characters
    kept = columns(listed)
    return narrowed(file, kept, len(listed) + 1, model), [listed[column - 1] for column in kept if column]


def narrowed(file: Path, keep: Sequence[int], classes: int, model: Any = None) -> bytes:
    """Return the ONNX network in `file` with only the columns `keep` of its last layer, in that order.

    `classes`: how many it has. Every float32 weight whose last dimension is `classes` is cut. Raises NotNarrowed where none is.
    `model`: the file as read already; it is changed.
    """
    model = model if model is not None else _model().FromString(file.read_bytes())
    cut = 0
    for tensor in model.graph.initializer:
        if tensor.dims and tensor.dims[-1] == classes:
            values = np.frombuffer(tensor.raw_data, np.float32).reshape(tuple(tensor.dims))
            tensor.raw_data = np.ascontiguousarray(values[..., list(keep)]).tobytes()
            tensor.dims[-1] = len(keep)
            cut += 1
    if not cut:
        raise NotNarrowed(f"{file.name}: no layer has {classes} classes")
    for value in (*model.graph.output, *model.graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_value == classes:
                dim.dim_value = len(keep)
    narrow: bytes = model.SerializeToString()
    return narrow


def is_ideograph(character: str) -> bool:
    """Whether it is one of the unified ideographs of Chinese, Japanese and Korean."""
    return len(character) == 1 and unicodedata.name(character, "").startswith("CJK UNIFIED IDEOGRAPH")


@cache
def kept_ideographs() -> frozenset[str]:
    """The ideographs that are kept."""
    return frozenset(IDEOGRAPHS.read_text(encoding="utf-8").split())


def columns(characters: Sequence[str]) -> list[int]:
    """Return which classes to keep. `characters`: of the classes from 1 on; class 0 is CTC's blank."""
    some = kept_ideographs()
    return [0, *(at + 1 for at, c in enumerate(characters) if not is_ideograph(c) or c in some)]
