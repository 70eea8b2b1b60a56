"""Models an hour of the small preset, one by one against stacked.

python bench/stacked.py [--device cuda] [--models 8] [--steps 20] [--values 10] [--width 256]
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import torch

from conceptbind.controlled import make_recipe, train, train_stacked


def main() -> None:
    """Print both, and the ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--models", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--values", type=int, default=10)
    parser.add_argument("--width", type=int, default=None)
    options = parser.parse_args()
    recipes = [
        replace(make_recipe("small", 0.7, seed, values=options.values, width=options.width, steps=options.steps), looks=1)
        for seed in range(options.models)
    ]
    whole = make_recipe("small", 0.7, values=options.values).steps

    def timed(run):
        start = time.perf_counter()
        run()
        if options.device.startswith("cuda"):
            torch.cuda.synchronize()
        return time.perf_counter() - start

    train(recipes[0], device=options.device)  # what is loaded once
    apart = timed(lambda: [train(recipe, device=options.device) for recipe in recipes])
    together = timed(lambda: train_stacked(recipes, device=options.device))
    for name, seconds in (("one by one", apart), ("stacked", together)):
        print(f"{name}: {seconds:.1f} s for {options.steps} steps of {options.models} models, "
              f"{3600 * options.models * options.steps / (seconds * whole):.1f} models of {whole:,} steps an hour")  # fmt: skip
    print(f"ratio {apart / together:.2f} x")


if __name__ == "__main__":
    main()
