# mypy: allow-subclassing-any, no-warn-return-any
"""Train the network that reads printed lines, Cyrillic and Latin, by the shapes of their letters: `cyrillic_lines.onnx`.

    python -m verification.models.train_cyrillic_lines [--batches N] [--out FILE] [--resume CHECKPOINT]

Needs requirements/train.txt (PyTorch), the fonts of requirements/debian-train.txt and the blanks in `../shared/data/blanks`;
nothing that runs needs any of them. Convolutions only, CTC over half of the width. A place sees about two letters to each
side, so no language is learned: what it says is what it sees. The same seed and number of batches give the same data in the
same order. See `cyrillic_lines.md`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from verification.models.draw_cyrillic_lines import forms, sample
from verification.models.shapes import CLASSES
from verification.models.training import Along, Batch, Task, batched, convolution, main

BATCH = 64
GROUP = 5  # batches drawn together and sorted by width: a third less padding
SEED = 20261124
EASY = 100  # groups over which clean lines give way to photographed ones: it starts to read a hundred batches sooner
PEAK_RATE = 1.6e-3


class Reader(nn.Module):
    """Rows, shape (N, 1, 32, W), W a multiple of 4, to logits of shape (N, 1 + len(CLASSES), W / 2); class 0 is blank.

    The layers work at a quarter of the width; the last but one makes two steps of each, for narrow letters side by side.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            convolution(1, 24, 5, 2), convolution(24, 48), nn.MaxPool2d(2),
            convolution(48, 88), convolution(88, 88), nn.MaxPool2d((2, 1)),
            convolution(88, 136), nn.MaxPool2d((2, 1)),
            nn.Conv2d(136, 208, (2, 3), padding=(0, 1), bias=False), nn.BatchNorm2d(208), nn.ReLU(),
            Along(208), Along(208),
            nn.ConvTranspose2d(208, 128, (1, 2), stride=(1, 2), bias=False), nn.BatchNorm2d(128), nn.ReLU(),
            nn.Conv2d(128, 1 + len(CLASSES), 1),
        )  # fmt: skip
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = 0.01  # batches differ by width: what is kept must be the mean of many

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x).squeeze(2)


def draw(number: int) -> list[Batch]:
    """Group `number` of the training data: GROUP batches of lines of about one width each. Depends on SEED and `number` only."""
    rng = np.random.default_rng((SEED, number))
    drawn = [sample(rng, plain=max(0.0, 1 - number / EASY)) for _ in range(GROUP * BATCH)]
    drawn.sort(key=lambda one: one[0].shape[1])
    return [batched(drawn[at * BATCH : (at + 1) * BATCH]) for at in rng.permutation(GROUP)]


TASK = Task(classes=CLASSES, net=Reader, step=2, draw=draw, group=GROUP, seed=SEED, rate=PEAK_RATE, half=True)

if __name__ == "__main__":
    forms()  # says at once what is missing
    main(TASK, __doc__, batches=12000, out=Path("var/cyrillic_lines.onnx"))
