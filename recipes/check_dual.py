"""What a shipped dual encoder does on pairs of CLEVR-2D objects that it never saw.

python recipes/check_dual.py tiny [--pictures 4]   # several pictures of every scene
"""

from __future__ import annotations

import argparse
from tempfile import TemporaryDirectory

import numpy as np

from conceptbind import measure
from conceptbind.report.numbers import shown


def main() -> None:
    """Measure with several seeds of the pictures and print means."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("--pictures", type=int, default=4)
    options = parser.parse_args()
    rows: dict[tuple[str, str], list[float]] = {}
    for seed in range(options.pictures):
        with TemporaryDirectory() as folder:
            run = measure(
                options.model, seed=seed, geometry=False, complexity="none", out=f"{folder}/run"
            )
        for record in run.records:
            whole = not record["noun"] and not record["wording"]
            if record.control == "none" and whole and record.value is not None:
                words = [
                    str(record[key])
                    for key in ("setting", "concept", "order", "queries")
                    if record[key]
                ]
                words += [f"repair {record['repair']}"] if record.repair else []
                name = " ".join([record.study, record.modality, record.metric, *words])
                rows.setdefault((name, record.metric), []).append(record.value)
    for (name, metric), values in rows.items():
        mean, least, most = (
            shown(metric, float(value)) for value in (np.mean(values), min(values), max(values))
        )
        print(f"{name:70s} {mean}  (from {least} to {most} over {len(values)} seeds)")


if __name__ == "__main__":
    main()
