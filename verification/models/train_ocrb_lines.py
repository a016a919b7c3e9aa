# mypy: allow-subclassing-any, no-warn-return-any
"""Train the small network that reads rows of machine-readable zones, and write `ocrb_lines.onnx`.

    python -m verification.models.train_ocrb_lines [--batches N] [--out FILE] [--resume CHECKPOINT]

Needs requirements/train.txt (PyTorch) and the fonts of requirements/debian-train.txt; nothing that runs needs either.
Convolutions only, CTC over a quarter of the width, 0.39 million weights. A place sees about two characters to each
side, so no language is learned: what it says is what it sees. The same seed and number of batches give the same data in
the same order. See `ocrb_lines.md`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from verification.models.draw_ocrb_lines import CLASSES, sample
from verification.models.training import Along, Batch, Task, batched, convolution, main

BATCH = 48
SEED = 20261122
PEAK_RATE = 2.5e-3


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


def draw(number: int) -> list[Batch]:
    """Batch `number` of the training data, alone in its group. Depends on SEED and `number` only."""
    rng = np.random.default_rng((SEED, number))
    return [batched([sample(rng) for _ in range(BATCH)])]


TASK = Task(classes=CLASSES, net=Reader, step=4, draw=draw, group=1, seed=SEED, rate=PEAK_RATE)

if __name__ == "__main__":
    main(TASK, __doc__, batches=5000, out=Path("var/ocrb_lines.onnx"))
