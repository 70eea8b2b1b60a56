"""Controlled models at the published sizes: making a batch, and one step, against the paper's
procedure, side by side.

    python bench/controlled.py            # C = 2, V = 20, coverage 0.5, batch 512, width 256, 6
    layers python bench/controlled.py --bf16     # our step with bfloat16 products too

The paper's procedure (arXiv 2605.31503, section 7) reimplemented in two forms. Both build tokens,
queries, swap negatives and soft targets in Python loops over scenes, pad sequences to the longest
possible and mask them, and compute every token in every layer. `plain` makes a query of every
occurrence of an object and compares every scene with every query; `frugal` keeps each query once
and looks targets up.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from typing import Any

import torch
from torch.nn.functional import cross_entropy, normalize

from conceptbind.controlled import ControlledModel, Sampler, make_recipe
from conceptbind.controlled.losses import batch_loss
from conceptbind.controlled.training import ROUND_TO, optimisers

PAD = 3


class PaperTower(torch.nn.Module):
    """A transformer of torch's own layers on padded tokens, read at end-of-scene."""

    def __init__(self, n_tokens, longest, shape):
        super().__init__()
        self.tokens, self.positions = (
            torch.nn.Embedding(n_tokens, shape.width),
            torch.nn.Embedding(longest, shape.width),
        )
        layer = torch.nn.TransformerEncoderLayer(
            shape.width,
            shape.heads,
            shape.feed_forward,
            dropout=0.0,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.layers = torch.nn.TransformerEncoder(
            layer, shape.depth, norm=torch.nn.LayerNorm(shape.width), enable_nested_tensor=False
        )
        self.project = torch.nn.Linear(shape.width, shape.dimension)

    def forward(self, tokens, ends):
        x = self.tokens(tokens) + self.positions.weight[: tokens.shape[1]]
        x = self.layers(x, src_key_padding_mask=tokens == PAD)
        return normalize(self.project(x[torch.arange(len(x)), ends]), dim=-1)


def paper_batch(train, sizes, most, n, rng, frugal):
    """Scenes, queries and targets by loops over scenes."""
    start, end, scene_end, first = 0, 1, 2, 4
    offsets = [first + sum(sizes[:k]) for k in range(len(sizes))]
    known, longest = set(train), most * (len(sizes) + 2) + 1

    def padded(objects, length):
        row = []
        for item in objects:
            row += [start, *(offset + v for offset, v in zip(offsets, item, strict=True)), end]
        row.append(scene_end)
        return row + [PAD] * (length - len(row)), len(row) - 1

    scenes = [rng.sample(train, rng.randint(1, most)) for _ in range(n)]
    asked: list[Any] = []
    concepts: dict[Any, Any] = {}
    for scene in scenes:
        for i, item in enumerate(scene):
            asked.append(item)
            for k, v in enumerate(item):
                concepts.setdefault((k, v), len(concepts))
            for j, other in enumerate(scene):
                for k in range(len(sizes)):
                    taken = (*item[:k], other[k], *item[k + 1 :])
                    if j != i and taken in known:
                        asked.append(taken)
    asked = list(dict.fromkeys(asked)) if frugal else asked
    place = {item: number for number, item in enumerate(asked)}
    targets, concept_targets = torch.zeros(n, len(asked)), torch.zeros(n, len(concepts))
    for row, scene in enumerate(scenes):
        held = {(k, v) for item in scene for k, v in enumerate(item)}
        if frugal:
            targets[row, [place[item] for item in scene]] = 1 / len(scene)
        else:
            present = torch.tensor([float(query in scene) for query in asked])
            targets[row] = present / present.sum()
        for value in held:
            concept_targets[row, concepts[value]] = 1 / len(held)
    rows = [padded(scene, longest) for scene in scenes]
    queries = [padded([item], len(sizes) + 3) for item in asked]
    queries += [([offsets[k] + v, scene_end] + [PAD] * (len(sizes) + 1), 1) for k, v in concepts]
    tokens = [torch.tensor([row for row, _ in part]) for part in (rows, queries)]
    ends = [torch.tensor([at for _, at in part]) for part in (rows, queries)]
    return tokens, ends, targets, concept_targets


def in_turn(functions, rounds):
    """Median seconds of each function, called in turn."""
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(rounds):
        for function, seconds in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - start)
    return [statistics.median(seconds[1:]) for seconds in times]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    recipe = make_recipe("published", 0.5)
    shape, split = recipe.shape, recipe.split()
    sizes, most = shape.sizes, shape.most_objects
    torch.manual_seed(0)
    model = ControlledModel(shape)
    sampler, generator, rng = (
        Sampler(sizes, split.train, most, recipe.batch),
        torch.Generator().manual_seed(0),
        random.Random(0),
    )
    train = [divmod(item, sizes[1]) for item in split.train.tolist()]

    def plain():
        return paper_batch(train, sizes, most, recipe.batch, rng, frugal=False)

    def frugal():
        return paper_batch(train, sizes, most, recipe.batch, rng, frugal=True)

    batches = in_turn([lambda: sampler.draw(generator), plain, frugal], 3 * options.rounds)
    print(
        f"{torch.get_num_threads()} threads, batch {recipe.batch}, "
        f"{len(sampler.draw(generator).queries)} object queries"
    )
    for name, seconds in zip(("plain", "frugal"), batches[1:], strict=True):
        print(
            f"batch: ours {1e3 * batches[0]:.2f} ms, {name} {1e3 * seconds:.1f} ms, "
            f"{seconds / batches[0]:.0f} x"
        )
    n_tokens, longest = 4 + sum(sizes), shape.longest
    towers = torch.nn.ModuleList(
        [PaperTower(n_tokens, longest, shape), PaperTower(n_tokens, len(sizes) + 3, shape)]
    )
    (ours,) = optimisers(recipe, dict(model.named_parameters()))
    theirs = torch.optim.AdamW(towers.parameters(), lr=recipe.rate)
    drawn = sampler.draw(generator)
    filled = Sampler(sizes, split.train, most, recipe.batch, round_to=ROUND_TO).draw(generator)

    def our_step(batch=drawn, half=False):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss, concept_loss = batch_loss(model, sampler, batch, generator)
        ours.zero_grad()
        (loss + concept_loss).backward()
        ours.step()

    def their_step(made):
        (tokens, asked), ends, targets, concept_targets = made
        rows, queries = towers[0](tokens, ends[0]), towers[1](asked, ends[1])
        scores = 10.0 * rows @ queries.T
        loss = cross_entropy(scores[:, : targets.shape[1]], targets) + cross_entropy(
            scores[:, targets.shape[1] :], concept_targets
        )
        theirs.zero_grad()
        loss.backward()
        theirs.step()

    made = plain(), frugal()
    half = [lambda: our_step(filled, half=True)] if options.bf16 else []
    steps = in_turn(
        [our_step, lambda: their_step(made[0]), lambda: their_step(made[1]), *half], options.rounds
    )
    for name, seconds in zip(("plain", "frugal"), steps[1:], strict=False):
        print(
            f"step, float32: ours {steps[0]:.2f} s, {name} {seconds:.2f} s, "
            f"{seconds / steps[0]:.2f} x"
        )
    for seconds in steps[3:]:
        print(
            f"step, bfloat16: ours {seconds:.2f} s, {steps[1] / seconds:.2f} x plain, "
            f"{steps[2] / seconds:.2f} x frugal"
        )


if __name__ == "__main__":
    main()
