"""Linear probes: our solver against the paper's procedure, side by side, each in a process of its
own.

The paper's procedure (arXiv 2605.31503, section 3; their code): one linear map a concept and one
for objects, all trained together by 10,000 full-batch Adam steps, learning rate 1e-2 with a cosine
schedule, no penalty. Ours includes choosing whitening and penalty on validation.

    python bench/probes.py                            # CLEVR and PUG:SPARE sizes, planted
    embeddings, d = 512 python bench/probes.py --text20 FOLDER            # also text20, embedded
    before with: conceptbind embed minilm --scenes text20 python bench/probes.py --text20 FOLDER
    --steps 0  # its 10,000 Adam steps in full (three hours on 2 cores) python bench/probes.py
    --text20 FOLDER --blocks   # only where the paper's 10,000 steps end on text20: the same steps,
    their
                                                      # gradient computed by blocks of rows (an hour
                                                      and a half on one core)
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from pathlib import Path

import numpy as np
import torch

from conceptbind.metrics import recognition
from conceptbind.probes import fit_scene_probes
from conceptbind.rows.embeddings import load
from conceptbind.scenes import Split, split_scenes, text20
from like_real import embeddings_of, scenes_like

STEPS = 10_000


def data(name: str, folder: str | None):
    """Scenes, unit rows and the split of a case."""
    if name == "text20":
        scenes, rows = text20(), load(Path(folder or "")).unit().values
    else:
        scenes = scenes_like(name)
        rows = embeddings_of(scenes)
    return scenes, rows, split_scenes(scenes, "pair", seed=0)


def ours(rows, scenes, split: Split, _steps: int):
    """Weights (concepts, then objects), and the steps that were skipped (none)."""
    probes = fit_scene_probes(rows, scenes, split)
    return [probe.weight for probe in (*probes.concepts, probes.objects)], 1.0


def paper(rows, scenes, split: Split, steps: int):
    """The same, by the paper's procedure; with fewer steps than 10,000, the factor by which the
    time is to be multiplied.
    """
    torch.manual_seed(0)
    features = torch.from_numpy(rows[split.train])
    targets = [
        torch.from_numpy(scenes.presence(k, split.train).astype(np.float32))
        for k in (*range(len(scenes.space.sizes)), None)
    ]
    held = [scenes.table[split.train][:, :, k] for k in range(len(scenes.space.sizes))] + [
        scenes.objects[split.train]
    ]
    for target, classes in zip(targets, held, strict=True):  # the share of each occurrence
        target.zero_()
        for slot in range(scenes.n_slots):
            target[torch.arange(len(target)), torch.from_numpy(classes[:, slot].copy())] += (
                1 / scenes.n_slots
            )
    heads = [torch.nn.Linear(features.shape[1], target.shape[1], bias=False) for target in targets]
    optimiser = torch.optim.Adam(
        [parameter for head in heads for parameter in head.parameters()], lr=1e-2
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(steps or STEPS):
        optimiser.zero_grad()
        losses = [
            torch.nn.functional.cross_entropy(head(features), target)
            for head, target in zip(heads, targets, strict=True)
        ]
        loss = torch.stack(losses).sum()
        loss.backward()
        optimiser.step()
        schedule.step()
    return [head.weight.detach().numpy() for head in heads], STEPS / (steps or STEPS)


def by_blocks(rows, scenes, split: Split, steps: int, report=lambda step, weights: None):
    """The steps of `paper` with the gradient written out, over blocks of rows that stay in the
    cache: the same weights, sooner.
    """
    torch.manual_seed(0)
    features, n = torch.from_numpy(rows[split.train]), len(split.train)
    sizes = [*scenes.space.sizes, scenes.space.n_objects]
    # the same start
    heads = [torch.nn.Linear(features.shape[1], size, bias=False) for size in sizes]
    weight = torch.cat([head.weight.detach() for head in heads]).requires_grad_()
    columns = [
        *(scenes.table[split.train][:, :, k] for k in range(len(scenes.space.sizes))),
        scenes.objects[split.train],
    ]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    # the part of the gradient that comes from the targets does not change
    constant = torch.zeros_like(weight)
    for start, classes in zip(starts, columns, strict=False):
        for slot in range(scenes.n_slots):
            constant.index_add_(
                0,
                torch.from_numpy(classes[:, slot].astype(np.int64)) + int(start),
                features,
                alpha=-1 / scenes.n_slots,
            )
    optimiser = torch.optim.Adam([weight], lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for step in range(steps or STEPS):
        with torch.no_grad():
            gradient = constant.clone()
            for block in features.split(512):
                logits = block @ weight.T
                shares = torch.cat([part.softmax(1) for part in logits.split(sizes, dim=1)], dim=1)
                gradient.addmm_(shares.T, block)
        weight.grad = gradient / n
        optimiser.step()
        schedule.step()
        if (step + 1) % 500 == 0:
            report(step + 1, [part.numpy() for part in weight.detach().split(sizes)])
    return [part.numpy() for part in weight.detach().split(sizes)], STEPS / (steps or STEPS)


def held_out(rows, scenes, split: Split, weights) -> dict[str, float]:
    """Recognition of every concept and of objects on the test scenes."""
    objects, scores = np.unique(scenes.objects), {}
    for k, weight in zip((*scenes.space.concepts, None), weights, strict=True):
        concept = None if k is None else scenes.space.index(k)
        present = scenes.presence(concept, split.test)
        kept = weight if concept is not None or len(weight) == len(objects) else weight[objects]
        outcome = recognition(
            rows[split.test] @ kept.T, present if concept is not None else present[:, objects]
        )
        scores[k or "objects"] = outcome.accuracy
    return scores


def where_the_paper_ends(folder: str) -> None:
    """Held-out recognition after all the paper's steps on text20; before, that the two ways to take
    them agree.
    """
    scenes, rows, split = data("text20", folder)
    plain, quick = (method(rows, scenes, split, 5)[0] for method in (paper, by_blocks))
    print(
        "largest difference of a weight after 5 steps: "
        f"{max(np.abs(a - b).max() for a, b in zip(plain, quick, strict=True)):.1e}"
    )
    start = time.perf_counter()

    def report(step: int, weights) -> None:
        scores = ", ".join(
            f"{key} {value:.4f}" for key, value in held_out(rows, scenes, split, weights).items()
        )
        print(f"step {step:6,d}  {time.perf_counter() - start:6.0f} s  {scores}", flush=True)

    by_blocks(rows, scenes, split, 0, report)


def work(pipe, method, name: str, folder: str | None, steps: int) -> None:
    """Run one method in this process and send what came out; a toy problem comes first, since the
    first calls load libraries.
    """
    scenes, rows, split = data(name, folder)
    small = text20(3, 3)
    method(
        np.random.default_rng(0).normal(size=(len(small), 16)).astype(np.float32),
        small,
        split_scenes(small, "pair"),
        5,
    )
    start = time.perf_counter()
    weights, factor = method(rows, scenes, split, steps)
    seconds = (time.perf_counter() - start) * factor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    pipe.send((seconds, peak, held_out(rows, scenes, split, weights)))


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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--text20", help="folder written by conceptbind embed --scenes text20")
    parser.add_argument(
        "--steps",
        type=int,
        default=60,
        help="Adam steps timed on text20, multiplied up to 10,000; 0 runs them all",
    )
    parser.add_argument(
        "--blocks",
        action="store_true",
        help="only all the paper's steps on text20, by blocks of rows",
    )
    options = parser.parse_args()
    if options.blocks:
        where_the_paper_ends(options.text20 or parser.error("--blocks needs --text20 FOLDER"))
        return
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    for name, steps in (
        ("clevr", 0),
        ("pug-spare", 0),
        *((("text20", options.steps),) if options.text20 else ()),
    ):
        mine = measure(ours, name, options.text20, 0)
        theirs = measure(paper, name, options.text20, steps)
        for label, (seconds, peak, scores) in (("ours", mine), ("paper", theirs)):
            shown = ", ".join(f"{key} {value:.4f}" for key, value in scores.items())
            partial = (
                " (extrapolated; scores after few steps)" if label == "paper" and steps else ""
            )
            print(f"{name:10s} {label:6s} {seconds:9.2f} s  {peak:5.2f} GiB  {shown}{partial}")
        print(f"{name:10s} ratio  {theirs[0] / mine[0]:9.0f} x", flush=True)


if __name__ == "__main__":
    main()
