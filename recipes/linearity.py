"""Do linearity and right angles on seen combinations predict accuracy on new ones? Over controlled
models of sweeps, or over checkpoints that were measured.

    conceptbind sweep --spaces 12x12 --steps 300 --probes [] --out runs/steps300
    python recipes/linearity.py --sweeps runs/steps150 runs/steps300 runs/steps600
    conceptbind measure hf:CHECKPOINT --studies factors --out runs/one      # for each checkpoint
    python recipes/linearity.py --runs runs/one runs/two --modality text
"""

from __future__ import annotations

import argparse
from pathlib import Path

from conceptbind.controlled import read_trained
from conceptbind.controlled.study import model_name
from conceptbind.core.names import Control, Metric
from conceptbind.factors import carried_sentences, measured_controlled, measured_of
from conceptbind.factors.carried import Measured
from conceptbind.report.finished import load_run


def of_sweep(folder: Path) -> list[Measured]:
    """Every model of a sweep, with its recognition of new objects."""
    records = load_run(folder).records
    asked = {"metric": Metric.OBJECT_RECOGNITION, "split": "unseen", "among": "all"}
    found = []
    for place in sorted((folder / "models").iterdir()):
        trained = read_trained(place)
        mine = records.one(**asked, control=Control.NONE, encoder=model_name(trained.recipe))
        name = f"{folder.name}, {place.name.rpartition('-')[0]}"
        found.append(measured_controlled(trained, mine.value or 0.0, name))
    return found


def main() -> None:
    """Print a row for each model, then the two sentences."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sweeps", nargs="*", type=Path, default=[])
    parser.add_argument("--runs", nargs="*", type=Path, default=[])
    parser.add_argument("--modality", default="text")
    options = parser.parse_args()
    models = [model for folder in options.sweeps for model in of_sweep(folder)]
    for folder in options.runs:
        records = load_run(folder).records.where(modality=options.modality)
        models.append(measured_of(records, folder.name))
    print("| model | R^2, seen | mean |cos|, seen | accuracy, new |\n|---|---|---|---|")
    for one in models:
        told = f"{one.linearity:.3f} | {one.overlap:.3f} | {one.accuracy:.3f}"
        print(f"| {one.name} | {told} |", flush=True)
    print()
    print("\n".join(carried_sentences(models)))


if __name__ == "__main__":
    main()
