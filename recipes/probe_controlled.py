"""How simple the rule of a trained controlled model is: what structured probes predict of new
objects, by its own queries.

python recipes/probe_controlled.py runs/controlled-50x50/coverage-0.8
runs/controlled-50x50/coverage-0.2
"""

from __future__ import annotations

import argparse
from pathlib import Path

from conceptbind.controlled import controlled_study, read_trained

PROBES = ("additive", "per_object_product", "global_product", "mlp")


def main() -> None:
    """Print one row for each model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", nargs="+", type=Path)
    print(
        "| model | the model itself | "
        + " | ".join(f"{name.replace('_', ' ')} (R^2)" for name in PROBES)
        + " |"
    )
    print("|---" * (2 + len(PROBES)) + "|")
    for folder in parser.parse_args().folders:
        records = controlled_study(read_trained(folder), folder.name, probes=PROBES)
        found = {
            r.control: r
            for r in records
            if (r.metric, r.split, r["among"]) == ("object_recognition", "unseen", "all")
        }
        cells = [f"{found[name].value:.3f} ({found[name]['probe_r2']:.3f})" for name in PROBES]
        print(
            f"| {folder.name} | {found['none'].value:.3f} | " + " | ".join(cells) + " |", flush=True
        )


if __name__ == "__main__":
    main()
