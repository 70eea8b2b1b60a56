"""Do linearity and right angles on seen combinations predict accuracy on new ones? Over controlled
models of sweeps, or over checkpoints that were measured.

    conceptbind sweep --spaces 12x12 --steps 300 --probes [] --out runs/steps300
    python recipes/linearity.py --sweeps runs/steps150 runs/steps300 runs/steps600
    conceptbind measure hf:CHECKPOINT --studies factors --out runs/one      # for each checkpoint
    python recipes/linearity.py --runs runs/one runs/two --modality text
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from conceptbind.controlled import read_trained
from conceptbind.controlled.store import CONFIG
from conceptbind.controlled.study import model_name
from conceptbind.core.errors import ConceptBindError, FileError, ValueRangeError
from conceptbind.core.names import Control, Metric
from conceptbind.factors import carried_sentences, measured_controlled, measured_of
from conceptbind.factors.carried import Measured
from conceptbind.factors.study import STUDY
from conceptbind.report.finished import load_run


def of_sweep(folder: Path, known: set[str]) -> list[Measured]:
    """Every model of a sweep, with its recognition of new objects, but for the known ones: a recipe
    gives one model, in whichever sweep it stands.
    """
    records = load_run(folder).records
    if not (folder / "models").is_dir():
        raise FileError(
            f"{folder} is no sweep: it has no models; give a folder of conceptbind sweep"
        )
    asked = {"metric": Metric.OBJECT_RECOGNITION, "split": "unseen", "among": "all"}
    found = []
    for place in sorted((folder / "models").iterdir()):
        if place.name in known or not (place / CONFIG).is_file():  # half trained
            continue
        known.add(place.name)
        trained = read_trained(place)
        mine = records.one(**asked, control=Control.NONE, encoder=model_name(trained.recipe))
        name = f"{folder.name}, {place.name.rpartition('-')[0]}"
        found.append(measured_controlled(trained, mine.value or 0.0, name))
    return found


def of_run(folder: Path, modality: str) -> Measured:
    """A checkpoint that was measured."""
    records = load_run(folder).records.where(study=STUDY)
    mine = records.where(modality=modality)
    if records and not mine:
        there = " and ".join(str(one) for one in records.distinct("modality"))
        raise ValueRangeError(
            f"'{folder}' was measured with --modality {there}, not {modality}; give runs of one "
            "modality, and --modality with it"
        )
    return measured_of(mine, folder.name)


def main() -> None:
    """Print a row for each model, once, then the two sentences."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sweeps", nargs="*", type=Path, default=[])
    parser.add_argument("--runs", nargs="*", type=Path, default=[])
    parser.add_argument("--modality", choices=("text", "image"), default="text")
    options = parser.parse_args()
    if not options.sweeps and not options.runs:
        parser.error("give folders with --sweeps or --runs")
    try:
        tell(options.sweeps, options.runs, options.modality)
    except ConceptBindError as error:
        sys.exit(f"{parser.prog}: error: {error}")


def tell(sweeps: list[Path], runs: list[Path], modality: str) -> None:
    """Measure, and print."""
    known: set[str] = set()
    models = [model for folder in sweeps for model in of_sweep(folder, known)]
    places = {folder.resolve(): folder for folder in runs}
    models += [of_run(folder, modality) for folder in places.values()]
    print("| model | R^2, seen | mean |cos|, seen | accuracy, new |\n|---|---|---|---|")
    for one in models:
        told = f"{one.linearity:.3f} | {one.overlap:.3f} | {one.accuracy:.3f}"
        print(f"| {one.name} | {told} |", flush=True)
    print()
    print("\n".join(carried_sentences(models)))


if __name__ == "__main__":
    main()
