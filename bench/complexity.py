"""Approximators of the binding function: ours against the paper's procedure, side by side in one
process, and the whole sweep.

The paper fits by full-batch Adam, 4,000 steps, learning rate 1e-2. Its validation error is the
lowest on the way, its time that of all steps.

    python bench/complexity.py                   # PUG:SPARE size, 7,392 x 512, planted embeddings;
    coverage 0.5 python bench/complexity.py --coverage 0.9 --steps 100   # the paper's time for all
    steps extrapolated from 100 python bench/complexity.py --sweep           # 9 coverages x (4
    structured probes + 4 widths) x 3 seeds python bench/complexity.py --cells           # seconds
    of each of its fits at coverage 0.9
"""

from __future__ import annotations

import argparse
import resource
import time
from dataclasses import replace

import numpy as np
import torch

from conceptbind.complexity import FULL, Labelled, complexity_study, cover, make
from conceptbind.probes import fit_scene_probes
from conceptbind.rows.embeddings import Embeddings
from conceptbind.scenes import split_scenes
from like_real import embeddings_of, scenes_like

STEPS, WIDTH, RANK, EMBEDDED = 4_000, 1024, 512, 64
LOOK = 25
PRODUCTS = ("additive", "per_object_product", "global_product", "global_product_alone")
WIDTHS = tuple(model for model in FULL.models if model[0] == "mlp")
SWEEP = replace(FULL, models=(*((name, 16) for name in PRODUCTS), *WIDTHS), seeds=3, planted=())


def timed(function):
    """Seconds and result."""
    start = time.perf_counter()
    found = function()
    return time.perf_counter() - start, found


class PaperMLP(torch.nn.Module):
    """A vector for each slot and value, concatenated, and one hidden layer."""

    def __init__(self, sizes, n_slots, dimension):
        super().__init__()
        self.vectors = torch.nn.ModuleList(
            torch.nn.Embedding(size, EMBEDDED) for size in sizes * n_slots
        )
        self.hidden, self.out = (
            torch.nn.Linear(EMBEDDED * len(self.vectors), WIDTH),
            torch.nn.Linear(WIDTH, dimension),
        )

    def forward(self, table):
        joined = torch.cat([vectors(table[:, f]) for f, vectors in enumerate(self.vectors)], dim=1)
        return self.out(torch.relu(self.hidden(joined)))


class PaperProbe(torch.nn.Module):
    """Sums of vectors of values, products of others, a linear map."""

    def __init__(self, sizes, n_slots, dimension, products):
        super().__init__()
        self.n_slots, self.sizes, self.products = n_slots, sizes, products
        self.sums = torch.nn.ModuleList(torch.nn.Embedding(size, RANK) for size in sizes)
        self.factors = torch.nn.ModuleList(
            torch.nn.Embedding(size, RANK) for size in sizes * n_slots
        )
        self.out = torch.nn.Linear(RANK, dimension)

    def forward(self, table):
        n_concepts = len(self.sizes)
        hidden = sum(self.sums[f % n_concepts](table[:, f]) for f in range(table.shape[1]))
        factors = [vectors(table[:, f]) for f, vectors in enumerate(self.factors)]
        if self.products == "additive":
            return self.out(hidden)
        if self.products == "global_product":
            return self.out(hidden + torch.stack(factors).prod(dim=0))
        for i in range(self.n_slots):
            hidden = hidden + torch.stack(factors[i * n_concepts : (i + 1) * n_concepts]).prod(
                dim=0
            )
        return self.out(hidden)


def paper(model, train, held, steps):
    """Seconds of the published training, and its lowest error on validation."""
    torch.manual_seed(0)
    tables = [torch.as_tensor(part.labels.reshape(len(part), -1).copy()) for part in (train, held)]
    values = [torch.as_tensor(part.values, dtype=torch.float32) for part in (train, held)]
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    seconds, best = 0.0, float("inf")
    for step in range(steps):
        start = time.perf_counter()
        optimiser.zero_grad()
        (model(tables[0]) - values[0]).square().mean().backward()
        optimiser.step()
        seconds += time.perf_counter() - start
        if step % LOOK == LOOK - 1:
            with torch.no_grad():
                best = min(best, float((model(tables[1]) - values[1]).square().sum(1).mean()))
    return seconds, best


def side_by_side(coverage, steps, only):
    scenes = scenes_like("pug")
    values = embeddings_of(scenes).astype(np.float64)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    parts = cover(scenes, coverage)
    train, held = (
        Labelled(scenes.table[rows], values[rows]) for rows in (parts.train, parts.validation)
    )
    sizes, m, dimension = scenes.space.sizes, scenes.n_slots, values.shape[1]
    level = float(np.square(held.values - train.values.mean(0)).sum(1).mean())
    print(
        f"coverage {coverage}: {len(train)} train scenes, {len(held)} for validation, d = "
        f"{dimension}, {torch.get_num_threads()} threads"
    )
    print("| fit | ours | paper | ratio | validation error, ours | paper | of a constant |")
    print("|---|---|---|---|---|---|---|")
    for name in only or ("additive", "mlp", "per_object_product", "global_product"):
        ours, model = timed(
            lambda name=name: make(name, sizes, m, width=WIDTH if name == "mlp" else 16).fit(
                train, held
            )
        )
        theirs = (
            PaperMLP(sizes, m, dimension)
            if name == "mlp"
            else PaperProbe(sizes, m, dimension, name)
        )
        seconds, error = paper(theirs, train, held, steps)
        seconds *= STEPS / steps
        print(
            f"| {name} | {ours:.2f} s | {seconds:.0f} s | {seconds / ours:.0f} x | "
            f"{model.validation_:.4f} | {error:.4f} | {level:.4f} |",
            flush=True,
        )


def cells():
    scenes = scenes_like("pug")
    values = embeddings_of(scenes).astype(np.float64)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    parts = cover(scenes, 0.9)
    train, held = (
        Labelled(scenes.table[rows], values[rows]) for rows in (parts.train, parts.validation)
    )
    for name, width in SWEEP.models:
        seconds, model = timed(
            lambda name=name, width=width: make(
                name, scenes.space.sizes, scenes.n_slots, width=width
            ).fit(train, held)
        )
        print(
            f"{name} {width or ''}: {seconds:.1f} s, validation {model.validation_:.4f}", flush=True
        )


def sweep():
    scenes = scenes_like("pug")
    split = split_scenes(scenes)
    rows = Embeddings(
        embeddings_of(scenes), "image", scenes.content_hash, scenes.name, "planted", "1"
    )
    probes = fit_scene_probes(rows.unit().values, scenes, split)
    done = []
    start = time.perf_counter()

    def report(n):
        done.append(n)
        if sum(done) % 24 == 0:
            print(f"{sum(done)} cells, {time.perf_counter() - start:.0f} s", flush=True)

    seconds, study = timed(
        lambda: complexity_study(rows, scenes, split, probes, sweep=SWEEP, on_cell=report)
    )
    peak = (
        max(
            resource.getrusage(who).ru_maxrss
            for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
        / 2**20
    )
    print(f"{len(SWEEP.cells())} cells in {seconds:.0f} s, at most {peak:.2f} GiB a process")
    for record in study.scores():
        print(
            record["approximator"],
            record["width"],
            "-" if record.value is None else f"{record.value:.3f}",
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--coverage", type=float, default=0.5)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--sweep", action="store_true")
    parser.add_argument("--cells", action="store_true")
    options = parser.parse_args()
    if options.sweep:
        sweep()
    elif options.cells:
        cells()
    else:
        side_by_side(options.coverage, options.steps, options.only)
