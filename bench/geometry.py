"""Additive fits and edits: ours against the paper's procedure and a loop over cases, side by side
in one process.

The paper's fit of object vectors (order 2 here): one vector per slot and object and a mean, trained
by 10,000 AdamW steps on minibatches of 2,048 scenes, learning rate 1e-2. Edits, case by case: the
edited embedding, its cosine with all scenes, the scores of all probes.

    python bench/geometry.py                  # PUG:SPARE size, 7,392 x 512, planted embeddings
    python bench/geometry.py --text20 FOLDER  # all studies on text20, embedded before with:
    conceptbind embed minilm --scenes text20
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import numpy as np
import torch

from conceptbind.crossmodal import query_texts
from conceptbind.encoders import resolve
from conceptbind.geometry import (
    Editor,
    all_edits,
    explained,
    fit_additive,
    geometry_study,
    read,
    retrieve,
)
from conceptbind.probes import fit_scene_probes
from conceptbind.rows.embeddings import load
from conceptbind.scenes import split_scenes, text20
from like_real import embeddings_of, scenes_like

CASES = 1_000


def timed(function):
    """Seconds and result."""
    start = time.perf_counter()
    found = function()
    return time.perf_counter() - start, found


def paper_fit(rows, scenes, steps=10_000):
    """Predictions after the published training."""
    torch.manual_seed(0)
    columns = torch.from_numpy(scenes.objects + np.arange(scenes.n_slots) * scenes.space.n_objects)
    vectors = torch.nn.Embedding(scenes.n_slots * scenes.space.n_objects, rows.shape[1])
    mean = torch.nn.Parameter(torch.zeros(rows.shape[1]))
    values = torch.from_numpy(rows)
    optimiser = torch.optim.AdamW([*vectors.parameters(), mean], lr=1e-2)
    for _ in range(steps):
        batch = torch.randint(len(rows), (2048,))
        loss = (mean + vectors(columns[batch]).sum(1) - values[batch]).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        predicted = (mean + vectors(columns).sum(1)).numpy()
    return 1 - np.square(rows - predicted).sum() / np.square(rows - rows.mean(0)).sum()


def by_case(rows, scenes, edits, probes):
    """Hits of each edit, one after the other: what a plain script does."""
    m, hits = scenes.n_slots, []
    means = np.stack(
        [
            [
                rows[scenes.objects[:, s] == o].mean(0)
                if (scenes.objects[:, s] == o).any()
                else rows[0]
                for o in range(scenes.space.n_objects)
            ]
            for s in range(m)
        ]
    )
    counts = np.stack(
        [np.bincount(scenes.objects[:, s], minlength=scenes.space.n_objects) for s in range(m)]
    )
    for source, target, slot in zip(edits.source, edits.target, edits.slot, strict=True):
        old, new = scenes.objects[source, slot], scenes.objects[target, slot]
        u_old = (means[slot, old] * counts[slot, old] - rows[source]) / (counts[slot, old] - 1)
        u_new = (means[slot, new] * counts[slot, new] - rows[target]) / (counts[slot, new] - 1)
        z = rows[source] - u_old + u_new
        right = int(np.argmax(rows @ z)) == target
        read_all = True
        for concept in (*range(len(scenes.space.concepts)), None):
            probe = probes.head(concept)
            held = scenes.objects[target] if concept is None else scenes.table[target, :, concept]
            scores, there = probe.weight @ z, np.isin(probe.candidates, held)
            read_all &= scores[there].min() > scores[~there].max()
        hits.append((right, read_all))
    return np.array(hits)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--text20", type=Path)
    folder = parser.parse_args().text20
    if folder is not None:
        scenes = text20()
        embeddings = load(folder)
        split = split_scenes(scenes, "pair", seed=0)
        alone = resolve("minilm", device="cpu").encode_texts(query_texts(scenes, None))
        seconds, probes = timed(lambda: fit_scene_probes(embeddings.unit().values, scenes, split))
        print(f"text20: probes {seconds:.1f} s")
        seconds, _ = timed(lambda: geometry_study(embeddings, scenes, split, probes, singles=alone))
        print(
            f"text20: all studies of geometry {seconds:.1f} s, peak "
            f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB"
        )
        return
    scenes = scenes_like("PUG:SPARE")
    rows = embeddings_of(scenes)
    fit_additive(rows[:, :8], scenes)  # first calls load libraries
    mine, fit = timed(lambda: fit_additive(rows, scenes))
    theirs, r2 = timed(lambda: paper_fit(rows, scenes))
    print(f"object vectors ours {mine:8.4f} s  R^2 {explained(rows, fit):.4f}")
    print(f"               paper {theirs:7.2f} s  R^2 {r2:.4f}  ratio {theirs / mine:,.0f} x")
    edits = all_edits(scenes, values="one")
    probes = fit_scene_probes(rows, scenes, split_scenes(scenes, "pair", seed=0))
    editor = Editor.fit(rows, scenes, "avg+pos")
    edits = edits.select(np.flatnonzero(editor.possible(edits)))
    mine, found = timed(lambda: (retrieve(editor, edits).hit, read(editor, edits, probes).hit))
    theirs, plain = timed(lambda: by_case(rows, scenes, edits.select(np.arange(CASES)), probes))
    theirs *= len(edits) / CASES
    agree = (np.stack([part[:CASES] for part in found], 1) == plain).mean()
    print(
        f"{len(edits):,} edits   ours {mine:8.2f} s  by case {theirs:.2f} s ({CASES:,} timed; "
        f"{agree:.4f} agree)  ratio {theirs / mine:.1f} x"
    )


if __name__ == "__main__":
    main()
