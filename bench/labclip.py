"""LABCLIP: our solvers against the published loop, side by side, and the memory of a COCO-sized
fit.

    python bench/labclip.py                     # 100,000 planted pairs, d = 512: seconds,
    validation loss, held-out binding python bench/labclip.py --clevr FOLDER      # the CLEVR
    setting on an adapter folder of: conceptbind repair tiny --out FOLDER python bench/labclip.py
    --coco FOLDER       # 566,000 captions in half precision on disk (1.8 GB are written to FOLDER)

The published loop is reimplemented (arXiv 2502.03566, section 5): autograd, torch.optim.Adam, the
identity and t = 0 to start with, an epoch's pairs in random batches, hard negatives as further
captions. Each method runs in a process of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch.nn import functional

from conceptbind.crossmodal import caption_bank
from conceptbind.repairs.labclip import Pairs, fit_pairs, open_rows
from conceptbind.repairs.labclip.solver import Judge
from conceptbind.rows.embeddings import load
from conceptbind.scenes import load_scenes, orbit_ids, pair_ids

HELD = 10_000


def planted(n: int, d: int, seed: int = 0):
    """Pictures, captions and swaps (n, d) of two objects: concepts agree across modalities, objects
    are hidden by a rotation.

    Directions have falling variance and each modality has a mean of its own, as CLIP's have.
    """
    rng, colors, nouns = np.random.default_rng(seed), 40, 60
    spectrum = (np.arange(1, d + 1) ** -0.5).astype(np.float32)
    turn = np.linalg.qr(rng.normal(size=(d, d)))[0].astype(np.float32)
    ambient = spectrum[:, None] * turn * np.sqrt(d / (spectrum**2).sum())
    hidden = np.linalg.qr(rng.normal(size=(d, d)))[0].astype(np.float32)

    def code(k: int):
        return rng.normal(size=(k, d)).astype(np.float32) / np.sqrt(d)

    of_color, of_noun, of_object, gap, style = (
        code(colors),
        code(nouns),
        code(colors * nouns),
        code(2),
        code(n),
    )
    c, s = rng.integers(colors, size=(n, 2)), rng.integers(nouns, size=(n, 2))
    c[:, 1], s[:, 1] = (
        (c[:, 0] + rng.integers(1, colors, n)) % colors,
        (s[:, 0] + rng.integers(1, nouns, n)) % nouns,
    )

    def rows(c, s, text: bool):
        objects = of_object[c * nouns + s].sum(1)
        scene = (
            of_color[c].sum(1) + of_noun[s].sum(1) + 0.5 * (objects @ hidden if text else objects)
        )
        values = (scene + 0.6 * style + 0.3 * code(len(c))) @ ambient + 2 * gap[int(text)]
        return values / np.linalg.norm(values, axis=1, keepdims=True)

    return rows(c, s, False), rows(c, s, True), rows(c[:, ::-1], s, True)


def published_loop(
    train: Pairs, _validation: Pairs, seed: int, *, rate: float, batch: int, epochs: int
):
    """The published training, plainly; returns A and t at the end."""
    torch.manual_seed(seed)
    every = train.batch(np.arange(len(train)))
    x, texts = every.images, every.texts.split(len(train))
    linear = torch.nn.Linear(x.shape[1], x.shape[1], bias=False)
    torch.nn.init.eye_(linear.weight)
    t = torch.nn.Parameter(torch.zeros(()))
    adam = torch.optim.Adam([*linear.parameters(), t], lr=rate)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(batch):
            mapped = functional.normalize(linear(torch.cat([part[rows] for part in texts])), dim=1)
            logits = t.exp() * x[rows] @ mapped.T
            own = torch.arange(len(rows))
            loss = (
                functional.cross_entropy(logits, own)
                + functional.cross_entropy(logits[:, : len(rows)].T, own)
            ) / 2
            adam.zero_grad()
            loss.backward()
            adam.step()
    return linear.weight.detach(), float(t.detach())


def ours(solver: Literal["quick", "published"]):
    """One of our solvers with the same signature."""

    def fit(train: Pairs, validation: Pairs, seed: int, *, rate: float, batch: int, epochs: int):
        chosen: dict[str, Any] = {"rate": rate, "epochs": epochs} if solver == "published" else {}
        found = fit_pairs(
            train, validation, solver=solver, batch=batch, seed=seed, **chosen
        ).adapter
        return torch.from_numpy(found.weight), found.log_temperature

    return fit


METHODS = {
    "published loop": published_loop,
    "ours, published": ours("published"),
    "ours, quick": ours("quick"),
}


def binding(weight: torch.Tensor, pairs: Pairs) -> float:
    """Held-out binding accuracy, in the order of mention of each pair."""
    batch = pairs.batch(np.arange(len(pairs)))
    true, false = (
        (batch.images * part).sum(1)
        for part in functional.normalize(batch.texts @ weight.T, dim=1).split(len(pairs))
    )
    return float((true > false).float().mean())


def work(pipe, name: str, n: int, d: int) -> None:
    """One method on planted pairs, in this process."""
    pairs = Pairs.of(*planted(n + 2 * HELD, d))
    train, validation, test = (
        pairs.select(rows) for rows in np.split(np.arange(len(pairs)), [n, n + HELD])
    )
    # first calls
    METHODS[name](
        train.select(np.arange(2048)),
        validation.select(np.arange(2048)),
        0,
        rate=1e-3,
        batch=1024,
        epochs=1,
    )
    start = time.perf_counter()
    weight, t = METHODS[name](train, validation, 0, rate=1e-3, batch=1024, epochs=10)
    seconds = time.perf_counter() - start
    judge = Judge(validation, 1024, 0)
    judge.identity(torch.eye(d))
    pipe.send(
        (seconds, judge(weight, t, 1).loss, binding(weight, test), binding(torch.eye(d), test))
    )


def speed(n: int, d: int) -> None:
    """Seconds, validation loss (at the best temperature of each) and held-out binding of every
    method.
    """
    context, base = multiprocessing.get_context("spawn"), 0.0
    for name in METHODS:
        here, there = context.Pipe()
        process = context.Process(target=work, args=(there, name, n, d))
        process.start()
        seconds, loss, after, before = here.recv()
        process.join()
        base = base or seconds
        print(
            f"{name:16s} {seconds:7.1f} s  {base / seconds:5.1f} x  validation loss {loss:.4f}  "
            f"held-out binding {after:.4f} (before {before:.4f})",
            flush=True,
        )


def clevr(folder: Path, seeds: int = 5) -> None:
    """The CLEVR setting (Adam 1e-2, batch 128, 50 epochs) on CLEVR-2D: mean and spread over seeds
    of split and training.
    """
    scenes = load_scenes("clevr2d")
    bank = caption_bank(scenes)
    x, y = (load(folder / "embeddings" / part).unit().values for part in ("image", "captions"))
    of, meaning = np.repeat(bank.swap_of, 2), pair_ids(bank.scenes)
    true, swap = bank.true[bank.swap_of].reshape(-1), bank.swaps.reshape(-1)
    pairs = Pairs.of(
        x, y[true], y[swap], image_of=of, text_ids=meaning[true], negative_ids=meaning[swap]
    )
    orbits = orbit_ids(scenes)[of]
    found: dict[str, list[float]] = {name: [] for name in ("no repair", *METHODS)}
    for seed in range(seeds):
        groups = np.random.default_rng(seed).permutation(np.unique(orbits))
        parts = np.split(groups, [int(0.8 * len(groups)), int(0.9 * len(groups))])
        train, validation, test = (
            pairs.select(np.flatnonzero(np.isin(orbits, part))) for part in parts
        )
        found["no repair"].append(binding(torch.eye(x.shape[1]), test))
        for name, method in METHODS.items():
            found[name].append(
                binding(method(train, validation, seed, rate=1e-2, batch=128, epochs=50)[0], test)
            )
    for name, values in found.items():
        print(
            f"{name:16s} held-out binding {np.mean(values):.3f}, spread {np.std(values):.3f} over "
            f"{seeds} seeds",
            flush=True,
        )


def coco(folder: Path, n: int = 566_000, n_images: int = 113_000, d: int = 512) -> None:
    """A fit on arrays that stay on disk: seconds and peak memory."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for name, rows in (("images", n_images), ("texts", n), ("negatives", n)):
        if not (folder / f"{name}.npy").exists():
            out = np.lib.format.open_memmap(
                folder / f"{name}.npy", mode="w+", dtype=np.float16, shape=(rows, d)
            )
            for start in range(0, rows, 4096):
                out[start : start + 4096] = rng.normal(size=(len(out[start : start + 4096]), d))
            out.flush()
    process = multiprocessing.get_context("spawn").Process(
        target=coco_fit, args=(folder, n, n_images)
    )
    process.start()
    process.join()


def coco_fit(folder: Path, n: int, n_images: int) -> None:
    """The fit itself, in a process whose peak is its own."""
    start = time.perf_counter()
    arrays = [open_rows(folder / f"{name}.npy") for name in ("images", "texts", "negatives")]
    pairs = Pairs.of(*arrays, image_of=np.arange(n) * n_images // n)
    rows = np.random.default_rng(0).permutation(n)
    fit_pairs(pairs.select(rows[25_000:]), pairs.select(rows[:25_000]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{n:,} captions of {n_images:,} pictures in float16 on disk: "
        f"{time.perf_counter() - start:.0f} s, peak memory {peak:.2f} GiB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--clevr", type=Path)
    parser.add_argument("--coco", type=Path)
    options = parser.parse_args()
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    if options.clevr:
        clevr(options.clevr)
    elif options.coco:
        coco(options.coco)
    else:
        speed(options.pairs, 512)


if __name__ == "__main__":
    main()
