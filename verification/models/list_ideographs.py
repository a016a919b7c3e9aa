"""List the ideographs that PP-OCRv6's recogniser sees on the pictures of some folders: what `narrowed` keeps of them.

    python -m verification.models.list_ideographs FOLDER ... [--odds 0.001]

Run over `../shared/data/documents` and specimens; some minutes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from PIL import Image, ImageOps

from verification import models
from verification.documents import lines
from verification.models import narrowed


def main() -> None:
    """Read every printed line from both ends, and list the ideographs that came up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--odds", type=float, default=1e-3, help="least odds at any place, 0-1")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    whole = onnxruntime.InferenceSession(str(models.path("ppocr_rec")), providers=["CPUExecutionProvider"])
    listed = whole.get_modelmeta().custom_metadata_map["character"].split("\n")
    highest = np.zeros(len(listed) + 2, np.float32)
    places = 0
    for folder in options.folders:
        for name in sorted(folder.glob("*.[jp][pn]*g")):
            with Image.open(name) as opened:
                picture = np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))
            for line in lines.find(picture, longest=736):
                for quad in (line.quad, lines.reversed_quad(line.quad)):
                    odds = whole.run(None, {"x": lines.planes(lines.crop(picture, quad))})[0][0]
                    highest = np.maximum(highest, odds.max(axis=0))
                    places += len(odds)
    some = [c for at, c in enumerate(listed) if narrowed.is_ideograph(c) and highest[at + 1] >= options.odds]
    narrowed.IDEOGRAPHS.write_text(
        "\n".join(" ".join(some[at : at + 40]) for at in range(0, len(some), 40)) + "\n", encoding="utf-8"
    )
    print(f"{places} places, {len(some)} of {sum(map(narrowed.is_ideograph, listed))} ideographs reach {options.odds:g}")


if __name__ == "__main__":
    main()
