"""Train the small network that reads rows of machine-readable zones, and write `ocrb_lines.onnx`.

    python -m verification.models.train_ocrb_lines [--batches N] [--out FILE] [--resume CHECKPOINT]

Needs requirements/train.txt (PyTorch) and the fonts of requirements/debian-train.txt; nothing that runs needs either.
Convolutions only, CTC over a quarter of the width, 0.39 million weights. A place sees about two characters to each
side, so no language is learned: what it says is what it sees. The same seed and number of batches give the same data in
the same order. See `ocrb_lines.md`.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing as mp
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from verification.models.draw_ocrb_lines import CLASSES, HEIGHT, sample

BATCH = 48
SEED = 20261122
PEAK_RATE = 2.5e-3
WARM_UP = 150  # batches


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


class Reader(nn.Module):
    """Rows, shape (N, 1, 32, W), W a multiple of 4, to logits of shape (N, 1 + len(CLASSES), W / 4); class 0 is blank."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            convolution(1, 16, 5, 2), convolution(16, 32), nn.MaxPool2d(2),
            convolution(32, 64), convolution(64, 64), nn.MaxPool2d((2, 1)),
            convolution(64, 96), nn.MaxPool2d((2, 1)),
            nn.Conv2d(96, 128, (2, 3), padding=(0, 1), bias=False), nn.BatchNorm2d(128), nn.ReLU(),
            Along(128), Along(128), nn.Conv2d(128, 1 + len(CLASSES), 1),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x).squeeze(2)


def normal(crop: np.ndarray) -> np.ndarray:
    """Standardise a grey crop, as `verification.documents.lines` does before reading."""
    grey = crop.astype(np.float32)
    return (grey - grey.mean()) / (grey.std() + 8)


def batch(number: int) -> tuple[np.ndarray, list[str], list[int]]:
    """Batch `number` of the training data: rows padded to one width, texts, widths. Depends on SEED and `number` only."""
    rng = np.random.default_rng((SEED, number))
    drawn = [sample(rng) for _ in range(BATCH)]
    wide = (max(crop.shape[1] for crop, _ in drawn) + 7) // 8 * 8
    rows = np.zeros((BATCH, 1, HEIGHT, wide), np.float32)
    for at, (crop, _) in enumerate(drawn):
        rows[at, 0, :, : crop.shape[1]] = normal(crop)
    return rows, [text for _, text in drawn], [crop.shape[1] for crop, _ in drawn]


def _draw_batches(queue: Any, start: int, stop: int, step: int) -> None:
    import cv2

    cv2.setNumThreads(1)
    for number in range(start, stop, step):
        queue.put(batch(number))


def decoded(logits: torch.Tensor, lengths: list[int]) -> list[str]:
    """Greedy CTC decoding."""
    texts = []
    for row, length in zip(logits.argmax(1).tolist(), lengths, strict=True):
        text, previous = [], 0
        for step in row[:length]:
            if step and step != previous:
                text.append(CLASSES[step - 1])
            previous = step
        texts.append("".join(text))
    return texts


def export(net: Reader, file: Path) -> None:
    """Write the network as ONNX: input `x` (1, 1, 32, W), output `odds` (1, W / 4, classes), softmax included."""

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


def train(batches: int, out: Path, *, threads: int, workers: int, resume: Path | None) -> None:
    """Train, printing the loss and the share of exact rows, and write a checkpoint beside `out` now and then."""
    torch.set_num_threads(threads)
    torch.manual_seed(SEED)
    net = Reader().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(net.parameters(), lr=PEAK_RATE, weight_decay=1e-4)
    done = 0
    if resume is not None:
        state = torch.load(resume)
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        done = state["done"]
    print(f"{sum(p.numel() for p in net.parameters())} weights, {batches} batches of {BATCH}", flush=True)
    context = mp.get_context("spawn")
    queues = [context.Queue(4) for _ in range(workers)]
    for at, queue in enumerate(queues):
        context.Process(target=_draw_batches, args=(queue, done + at, batches, workers), daemon=True).start()
    began, average = time.perf_counter(), None
    exact: list[float] = []
    for number in range(done, batches):
        for group in optimiser.param_groups:
            group["lr"] = PEAK_RATE * min(1, (number + 1) / WARM_UP) * (0.5 * (1 + math.cos(math.pi * number / batches)) + 0.004)
        rows, texts, widths = queues[(number - done) % workers].get()
        logits = net(torch.from_numpy(rows).contiguous(memory_format=torch.channels_last))
        lengths = [min(logits.shape[2], (w + 3) // 4) for w in widths]
        loss = nn.functional.ctc_loss(
            logits.log_softmax(1).permute(2, 0, 1),
            torch.tensor([CLASSES.index(c) + 1 for text in texts for c in text]),
            torch.tensor(lengths), torch.tensor([len(t) for t in texts]), zero_infinity=True,
        )  # fmt: skip
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        average = loss.item() if average is None else 0.98 * average + 0.02 * loss.item()
        if number % 50 == 49 or number + 1 == batches:
            right = [a == b for a, b in zip(decoded(logits.detach(), lengths), texts, strict=True)]
            exact = [*exact[-9:], sum(right) / len(right)]
            print(
                f"{number + 1} {time.perf_counter() - began:.0f} s loss {average:.4f} exact {100 * sum(exact) / len(exact):.1f}%",
                flush=True,
            )
        if number % 250 == 249 or number + 1 == batches:
            torch.save({"net": net.state_dict(), "optimiser": optimiser.state_dict(), "done": number + 1}, out.with_suffix(".pt"))
            export(net, out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=5000)
    parser.add_argument("--out", type=Path, default=Path("var/ocrb_lines.onnx"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--resume", type=Path)
    options = parser.parse_args()
    train(options.batches, options.out, threads=options.threads, workers=options.workers, resume=options.resume)


if __name__ == "__main__":
    main()
