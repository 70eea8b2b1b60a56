"""Linear probes: our solver against the paper's procedure, side by side, each in a process of its own.

The paper's procedure (arXiv 2605.31503, section 3; their code): one linear map a concept and one for objects, all trained together by
10,000 full-batch Adam steps, learning rate 1e-2 with a cosine schedule, no penalty. Ours includes choosing whitening and penalty on
validation.

    python bench/probes.py                            # CLEVR and PUG:SPARE sizes, planted embeddings, d = 512
    python bench/probes.py --text20 FOLDER            # also text20, embedded before with: conceptbind embed minilm --scenes text20
    python bench/probes.py --text20 FOLDER --steps 0  # its 10,000 Adam steps in full (over an hour on 2 cores)
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from pathlib import Path

import numpy as np
import torch

from conceptbind.embeddings import load
from conceptbind.metrics import recognition
from conceptbind.probes import fit_scene_probes
from conceptbind.scenes import Split, split_scenes, text20
from planted import embeddings_of, scenes_like

STEPS = 10_000


def data(name: str, folder: str | None):
    """Scenes, unit rows and the split of a case."""
    if name == "text20":
        scenes, rows = text20(), load(Path(folder)).unit().values
    else:
        scenes = scenes_like(name)
        rows = embeddings_of(scenes)
    return scenes, rows, split_scenes(scenes, "pair", seed=0)


def ours(rows, scenes, split: Split, _steps: int):
    """Weights (concepts, then objects), and the steps that were skipped (none)."""
    probes = fit_scene_probes(rows, scenes, split)
    return [probe.weight for probe in (*probes.concepts, probes.objects)], 1.0


def paper(rows, scenes, split: Split, steps: int):
    """The same, by the paper's procedure; with fewer steps than 10,000, the factor by which the time is to be multiplied."""
    torch.manual_seed(0)
    features = torch.from_numpy(rows[split.train])
    targets = [
        torch.from_numpy(scenes.presence(k, split.train).astype(np.float32)) for k in (*range(len(scenes.space.sizes)), None)
    ]
    held = [scenes.table[split.train][:, :, k] for k in range(len(scenes.space.sizes))] + [scenes.objects[split.train]]
    for target, classes in zip(targets, held, strict=True):  # the share of each occurrence
        target.zero_()
        for slot in range(scenes.n_slots):
            target[torch.arange(len(target)), torch.from_numpy(classes[:, slot].copy())] += 1 / scenes.n_slots
    heads = [torch.nn.Linear(features.shape[1], target.shape[1], bias=False) for target in targets]
    optimiser = torch.optim.Adam([parameter for head in heads for parameter in head.parameters()], lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(steps or STEPS):
        optimiser.zero_grad()
        loss = sum(torch.nn.functional.cross_entropy(head(features), target) for head, target in zip(heads, targets, strict=True))
        loss.backward()
        optimiser.step()
        schedule.step()
    return [head.weight.detach().numpy() for head in heads], STEPS / (steps or STEPS)


def work(pipe, method, name: str, folder: str | None, steps: int) -> None:
    """Run one method in this process and send what came out; a toy problem comes first, since the first calls load libraries."""
    scenes, rows, split = data(name, folder)
    small = text20(3, 3)
    method(np.random.default_rng(0).normal(size=(len(small), 16)).astype(np.float32), small, split_scenes(small, "pair"), 5)
    start = time.perf_counter()
    weights, factor = method(rows, scenes, split, steps)
    seconds = (time.perf_counter() - start) * factor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    objects = np.unique(scenes.objects)
    scores = {}
    for k, weight in zip((*scenes.space.concepts, None), weights, strict=True):
        concept = None if k is None else scenes.space.index(k)
        present = scenes.presence(concept, split.test)
        kept = weight if concept is not None or len(weight) == len(objects) else weight[objects]
        outcome = recognition(rows[split.test] @ kept.T, present if concept is not None else present[:, objects])
        scores[k or "objects"] = outcome.accuracy
    pipe.send((seconds, peak, scores))


def measure(method, name: str, folder: str | None, steps: int):
    """Seconds, peak memory (GiB) and held-out recognition of one method, in a new process."""
    context = multiprocessing.get_context("spawn")
    ours_end, theirs_end = context.Pipe()
    process = context.Process(target=work, args=(theirs_end, method, name, folder, steps))
    process.start()
    result = ours_end.recv()
    process.join()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text20", help="folder written by conceptbind embed --scenes text20")
    parser.add_argument(
        "--steps", type=int, default=60, help="Adam steps timed on text20, multiplied up to 10,000; 0 runs them all"
    )
    options = parser.parse_args()
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    for name, steps in (("clevr", 0), ("pug-spare", 0), *((("text20", options.steps),) if options.text20 else ())):
        mine = measure(ours, name, options.text20, 0)
        theirs = measure(paper, name, options.text20, steps)
        for label, (seconds, peak, scores) in (("ours", mine), ("paper", theirs)):
            shown = ", ".join(f"{key} {value:.4f}" for key, value in scores.items())
            partial = " (extrapolated; scores after few steps)" if label == "paper" and steps else ""
            print(f"{name:10s} {label:6s} {seconds:9.2f} s  {peak:5.2f} GiB  {shown}{partial}")
        print(f"{name:10s} ratio  {theirs[0] / mine[0]:9.0f} x", flush=True)


if __name__ == "__main__":
    main()
