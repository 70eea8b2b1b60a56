"""Models an hour of the small preset, one by one against stacked, and what share of the device's
products that is.

    python bench/stacked.py --device cuda                  # eight models of 50 x 50 values, 2,400
    steps python bench/stacked.py --models 8 --width 32 --threads 1

The share is the floating-point operations of the matrix products of all models (counted by torch)
over the time they took, beside what one product of two large matrices reaches on the same device in
the same precision.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import torch
from torch.utils.flop_counter import FlopCounterMode

from conceptbind.controlled import choose_precision, make_recipe, train, train_stacked


def main() -> None:
    """Print both, and their ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="auto", choices=("auto", "float32", "bf16"))
    parser.add_argument("--models", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--values", type=int, default=None)
    parser.add_argument("--width", type=int, default=None)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    device, precision = options.device, choose_precision(options.precision, options.device)
    recipes = [
        replace(
            make_recipe(
                "small",
                0.7,
                seed,
                precision=precision,
                values=options.values,
                width=options.width,
                steps=options.steps,
            ),
            looks=1,
        )
        for seed in range(options.models)
    ]
    whole = make_recipe("small", 0.7).steps

    def apart():
        for recipe in recipes:
            train(recipe, device=device)

    def together():
        train_stacked(recipes, device=device)

    with FlopCounterMode(display=False) as counter:
        train(replace(recipes[0], steps=1), device=device)  # what is loaded once is loaded here
        first = counter.get_total_flops()
        train(replace(recipes[0], steps=2), device=device)
    one_step = counter.get_total_flops() - 2 * first  # the look at the end of both is left out
    together()
    peak = largest_product(device, torch.bfloat16 if precision == "bf16" else torch.float32)
    rounds = [(timed(apart, device), timed(together, device)) for _ in range(options.rounds)]
    print(
        f"{device}, {torch.get_num_threads()} threads, {precision}, {recipes[0].sizes_name}, width "
        f"{recipes[0].shape.width}: "
        f"{one_step / 1e9:.1f} GFLOP a step, a large product reaches {peak / 1e12:.2f} TFLOP/s"
    )
    for name, seconds in zip(
        ("one by one", "stacked"), map(min, zip(*rounds, strict=True)), strict=True
    ):
        rate = options.models * options.steps / seconds
        print(
            f"{name}: {seconds:.2f} s for {options.steps} steps of {options.models} models, "
            f"{3600 * rate / whole:.1f} models of {whole:,} "
            f"steps an hour, {rate * one_step / 1e12:.3f} TFLOP/s = {rate * one_step / peak:.1%} "
            "of a large product"
        )
    print("ratio " + ", ".join(f"{one / other:.2f}" for one, other in rounds))


def timed(run, device):
    """Seconds."""
    start = time.perf_counter()
    run()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - start


def largest_product(device, kind, side=4096):
    """Floating-point operations a second of one product of two square matrices."""
    a, b = (torch.randn(side, side, device=device, dtype=kind) for _ in range(2))
    return 2 * side**3 / min(timed(lambda: a @ b, device) for _ in range(5))


if __name__ == "__main__":
    main()
