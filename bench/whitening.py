"""Object recognition on text20:10x10 by whitening, penalty, and where the solver stops.

python bench/whitening.py FOLDER   # embedded before with: conceptbind embed minilm --out FOLDER
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from conceptbind.metrics import recognition
from conceptbind.probes.solver import Rows, solve
from conceptbind.rows.embeddings import load
from conceptbind.scenes import split_scenes, text20

PENALTIES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
TOLERANCES = (1e-4, 1e-8)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    rows = load(parser.parse_args().folder).unit().values
    scenes = text20(10, 10)
    split = split_scenes(scenes, "pair", seed=0)
    classes = torch.tensor(scenes.objects[split.train])
    present = scenes.presence(None, split.test)
    features = torch.tensor(rows[split.train].astype(np.float64))
    variance = Rows(features).axes[0].flip(0)
    print(
        "eigenvalues of S, largest first:",
        ", ".join(f"{variance[i]:.1e}" for i in (0, 10, 50, 100, 200, 300)),
    )
    print(
        "whitening  stops at  "
        + "  ".join(f"{l2:8.0e}" for l2 in PENALTIES)
        + "   object recognition (passes)"
    )
    for whitening in (0.0, 0.25, 0.5):
        coordinates = Rows(features, whitening)
        moment = coordinates.moment(classes, scenes.space.n_objects)
        for tolerance in TOLERANCES:
            cells, start = [], None
            for l2 in PENALTIES:
                solution = solve(
                    coordinates, moment, l2, start=start, tolerance=tolerance, max_passes=3000
                )
                start = solution.weight
                scores = rows[split.test] @ coordinates.in_features(solution.weight).numpy().T
                cells.append(f"{recognition(scores, present).accuracy:.4f} ({solution.passes})")
            print(f"{whitening:9.2f}  {tolerance:8.0e}  " + "  ".join(cells), flush=True)


if __name__ == "__main__":
    main()
