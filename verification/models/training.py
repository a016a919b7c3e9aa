# mypy: allow-subclassing-any, no-warn-return-any
"""Train a small line reader: layers, the loop, greedy decoding and export, shared by the `train_...` scripts.

Needs requirements/train.txt (PyTorch); nothing that runs does.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing as mp
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from verification.models.drawing import HEIGHT, Floats

WARM_UP = 150  # batches


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Rows padded to one width, shape (N, 1, HEIGHT, W), what each says, and its own width in pixels."""

    rows: Floats
    texts: list[str]
    widths: list[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What to train. `draw` makes group number i of the data, `group` batches in it; it must depend on i alone."""

    classes: str  # class 0 is CTC's blank, class 1 + i is classes[i]
    net: Callable[[], nn.Module]  # (N, 1, HEIGHT, W) to logits (N, 1 + len(classes), T)
    step: int  # pixels of a row to one of T
    draw: Callable[[int], list[Batch]]
    group: int
    seed: int
    rate: float  # the highest learning rate
    half: bool = False  # compute the layers in bfloat16: faster where the processor has it


def convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """A convolution that keeps its size (or divides it by `stride`), normalised, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class Along(nn.Module):
    """A residual block along the row."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(channels, channels, (1, 5), padding=(0, 2), bias=False), nn.BatchNorm2d(channels), nn.ReLU(),
            nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.inner(x))


def normal(crop: NDArray[np.uint8]) -> Floats:
    """Standardise a grey crop, as `verification.documents.lines` does before reading."""
    grey = crop.astype(np.float32)
    return (grey - grey.mean()) / (grey.std() + 8)


def batched(drawn: list[tuple[NDArray[np.uint8], str]]) -> Batch:
    """Pad crops to one width, a multiple of 8."""
    wide = (max(crop.shape[1] for crop, _ in drawn) + 7) // 8 * 8
    rows = np.zeros((len(drawn), 1, HEIGHT, wide), np.float32)
    for at, (crop, _) in enumerate(drawn):
        rows[at, 0, :, : crop.shape[1]] = normal(crop)
    return Batch(rows=rows, texts=[text for _, text in drawn], widths=[crop.shape[1] for crop, _ in drawn])


def _draw_groups(queue: Any, draw: Callable[[int], list[Batch]], start: int, stop: int, step: int) -> None:
    cv2.setNumThreads(1)
    for number in range(start, stop, step):
        for batch in draw(number):
            queue.put((batch.rows, batch.texts, batch.widths))


def decoded(logits: torch.Tensor, lengths: list[int], classes: str) -> list[str]:
    """Greedy CTC decoding."""
    texts = []
    for row, length in zip(logits.argmax(1).tolist(), lengths, strict=True):
        text, previous = [], 0
        for step in row[:length]:
            if step and step != previous:
                text.append(classes[step - 1])
            previous = step
        texts.append("".join(text))
    return texts


def export(net: nn.Module, file: Path) -> None:
    """Write the network as ONNX: input `x` (n, 1, HEIGHT, w), output `odds` (n, t, classes), softmax included."""

    class WithOdds(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.net(x).softmax(1).permute(0, 2, 1)

    net.eval()
    axes = {"x": {0: "n", 3: "w"}, "odds": {0: "n", 1: "t"}}
    torch.onnx.export(
        WithOdds().eval(), (torch.zeros(1, 1, HEIGHT, 640),), str(file), input_names=["x"], output_names=["odds"],
        dynamic_axes=axes, opset_version=17, dynamo=False,
    )  # fmt: skip
    net.train()


def train(task: Task, batches: int, out: Path, *, threads: int, workers: int, resume: Path | None) -> None:
    """Train, printing the loss and the share of exact rows, and write a checkpoint beside `out` now and then.

    `resume` goes on from a checkpoint; with another number of batches the rate follows the new one's course.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(task.seed)
    net = task.net().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(net.parameters(), lr=task.rate, weight_decay=1e-4)
    done = 0
    if resume is not None:
        state = torch.load(resume)
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        done = state["done"] // task.group * task.group
    print(f"{sum(p.numel() for p in net.parameters())} weights, {batches} batches", flush=True)
    context = mp.get_context("spawn")
    queues = [context.Queue(2 * task.group + 2) for _ in range(workers)]
    groups = -(-batches // task.group)
    for at, queue in enumerate(queues):
        rest = (task.draw, done // task.group + at, groups, workers)
        context.Process(target=_draw_groups, args=(queue, *rest), daemon=True).start()
    began, average, waited = time.perf_counter(), None, 0.0
    exact: list[float] = []
    for number in range(done, batches):
        for group in optimiser.param_groups:
            group["lr"] = task.rate * min(1, (number + 1) / WARM_UP) * (0.5 * (1 + math.cos(math.pi * number / batches)) + 0.004)
        asked = time.perf_counter()
        rows, texts, widths = queues[(number - done) // task.group % workers].get()
        waited += time.perf_counter() - asked
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=task.half):
            logits = net(torch.from_numpy(rows).contiguous(memory_format=torch.channels_last))
        logits = logits.float()
        lengths = [min(logits.shape[2], -(-w // task.step)) for w in widths]
        loss = nn.functional.ctc_loss(
            logits.log_softmax(1).permute(2, 0, 1),
            torch.tensor([task.classes.index(c) + 1 for text in texts for c in text]),
            torch.tensor(lengths), torch.tensor([len(t) for t in texts]), zero_infinity=True,
        )  # fmt: skip
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        average = loss.item() if average is None else 0.98 * average + 0.02 * loss.item()
        if number % 50 == 49 or number + 1 == batches:
            right = [a == b for a, b in zip(decoded(logits.detach(), lengths, task.classes), texts, strict=True)]
            exact = [*exact[-9:], sum(right) / len(right)]
            spent = time.perf_counter() - began
            share = 100 * sum(exact) / len(exact)
            print(f"{number + 1} {spent:.0f} s, {waited:.0f} s for data, loss {average:.4f} exact {share:.1f}%", flush=True)
        if number % 250 == 249 or number + 1 == batches:
            state = {"net": net.state_dict(), "optimiser": optimiser.state_dict(), "done": number + 1}
            torch.save(state, out.with_suffix(".part"))
            out.with_suffix(".part").replace(out.with_suffix(".pt"))
            export(net, out)


def main(task: Task, about: str | None, *, batches: int, out: Path) -> None:
    """Run the command line of a training script."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=batches)
    parser.add_argument("--out", type=Path, default=out)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--resume", type=Path)
    options = parser.parse_args()
    train(task, options.batches, options.out, threads=options.threads, workers=options.workers, resume=options.resume)
