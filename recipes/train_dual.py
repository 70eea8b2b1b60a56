"""Train the shipped dual encoders from a seed: small CLIPs on rendered flat scenes with their
captions.

    python recipes/train_dual.py tiny        src/conceptbind/encoders/models/tiny
    python recipes/train_dual.py tiny-bound  src/conceptbind/encoders/models/tiny-bound
    python recipes/train_dual.py tiny-bag    src/conceptbind/encoders/models/tiny-bag

All three share architecture, vocabulary and data. They share two losses: the symmetric contrastive
loss between pictures and captions, and a task of its own for each modality (which objects are
there, read by a linear head that is thrown away; towers are often trained on labels before or
beside captions). They differ in what is told:

- tiny: in half of the captions the colours are dealt out among the objects at random, as careless
  captions do, so nothing across modalities tells which colour belongs to which shape. Each tower's
  own labels are those of its own scene.
- tiny-bound: captions are right, and the swap of a scene is in its batch. Every scene is drawn
  twice and said twice, in two wordings. The two pictures are compared as well, and so are the two
  captions: what the cosine uses within a modality must be asked of that modality.
- tiny-bag: as tiny, but the labels are dealt out as well, so that binding never helps anywhere.

A `BindingProbe` scores the model on the way, on CLEVR-2D, and draws its curves into OUT-watched.

No scene holds two of the 24 CLEVR-2D objects: all pairs of them are new to the models.
"""

from __future__ import annotations

import argparse
import math
import time
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from conceptbind import BindingProbe
from conceptbind.encoders.dual import DualEncoder, DualModel, Words, dual_config, save_dual
from conceptbind.pictures import FlatStyle, draw_flat
from conceptbind.scenes import ConceptSpace, caption
from conceptbind.scenes.builtin import CLEVR_COLORS

COLOR_NAMES = (*CLEVR_COLORS, "orange", "pink", "black", "white")
SHAPE_NAMES = ("square", "triangle", "circle", "star", "cross", "ring")
SPACE = ConceptSpace(("color", "shape"), (COLOR_NAMES, SHAPE_NAMES))
CLEVR_2D = {(color, shape) for color in CLEVR_COLORS for shape in ("square", "triangle", "circle")}
TEMPLATES = (
    "{a} {object}",
    "{a} {object}",
    "{object}",
    "a picture of [{a} {object}]",
    "there is [{a} {object}]",
)
MORE_TEMPLATES = ("{a} {shape} is {color}", "there is {a} {object}")
"""Wordings that only tiny-bound learns: what is never said one cannot be told to understand."""
PARTIAL = ("{a} {color} object", "{color}", "{a} {shape}", "{shape}")
"""Captions of single objects that name one concept only."""
PARTIAL_SHARE = {"tiny": 0.9, "tiny-bound": 0.4, "tiny-bag": 0.9}
"""Batches of single objects whose captions do: whole captions of single objects teach binding
across modalities by themselves."""
COUNTS = {1: 0.3, 2: 0.6, 3: 0.1}
"""Share of batches with so many objects per scene."""
IMAGE_SIZE = 48
STEPS = {"tiny": 2500, "tiny-bound": 2500, "tiny-bag": 1500}
OWN = 3.0
"""Weight of the towers' own task. In tiny it works against the loss across modalities, to which a
caption and its swap are the same."""
STYLE = FlatStyle(size=IMAGE_SIZE, position_jitter=0.6, size_jitter=0.2, background_jitter=0.03)


class Scenes:
    """An endless source of batches."""

    def __init__(self, seed: int, model: str) -> None:
        self.rng, self.partial = np.random.default_rng(seed), PARTIAL_SHARE[model]
        self.templates = TEMPLATES + MORE_TEMPLATES if model == "tiny-bound" else TEMPLATES
        self.objects = np.array(list(product(range(len(COLOR_NAMES)), range(len(SHAPE_NAMES)))))

    def allowed(self, scene) -> bool:
        """No two CLEVR-2D objects together."""
        names = [(COLOR_NAMES[c], SHAPE_NAMES[s]) for c, s in scene]
        return sum(name in CLEVR_2D for name in names) <= 1

    def batch(self, size: int, m: int, swaps: bool) -> np.ndarray:
        """(size, m, 2) scenes; with swaps every second one is the one before it with two colours
        exchanged.
        """
        found: list[np.ndarray] = []
        while len(found) < size:
            scene = self.objects[self.rng.integers(len(self.objects), size=m)]
            if not self.allowed(scene):
                continue
            if not swaps or m == 1:
                found.append(scene)
                continue
            i, j = self.rng.permutation(m)[:2]
            swap = scene.copy()
            swap[[i, j], 0] = scene[[j, i], 0]
            if self.allowed(swap) and scene[i, 0] != scene[j, 0] and scene[i, 1] != scene[j, 1]:
                found += [scene, swap]
        return np.stack(found[:size])

    def dealt(self, scenes: np.ndarray, share: float) -> np.ndarray:
        """A copy in which, for a share of the scenes, colours are dealt out among the objects at
        random (two: exchanged).
        """
        out, m = scenes.copy(), scenes.shape[1]
        for i in np.flatnonzero(self.rng.random(len(scenes)) < share):
            order = self.rng.permutation(m) if m > 2 else np.arange(m)[::-1]
            out[i, :, 0] = scenes[i, order, 0]
        return out

    def pictures(self, scenes: np.ndarray) -> Tensor:
        """(b, 3, s, s), the objects in random order from left to right."""
        rows = []
        for scene in scenes:
            objects = [(COLOR_NAMES[c], SHAPE_NAMES[s]) for c, s in self.rng.permutation(scene)]
            rows.append(np.asarray(draw_flat(objects, self.rng, STYLE)[0]))
        return (torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25

    def captions(self, scenes: np.ndarray, template: str) -> list[str]:
        """One caption a scene, the objects mentioned in any order."""
        return [caption(SPACE, self.rng.permutation(scene), template) for scene in scenes]

    def wordings(self, m: int, views: int) -> list[str]:
        """The wordings of captions of m objects; one alone where it names one concept only."""
        if m == 1 and self.rng.random() < self.partial:
            return [PARTIAL[self.rng.integers(len(PARTIAL))]]
        return [self.templates[self.rng.integers(len(self.templates))] for _ in range(views)]


def vocabulary() -> dict[str, int]:
    """Ids of all words that captions use."""
    words = ("a", "an", "and", "object", "picture", "of", "there", "is", *COLOR_NAMES, *SHAPE_NAMES)
    return {token: i for i, token in enumerate(("<pad>", "<start>", "<unk>", "<end>", ",", *words))}


def contrast(one: Tensor, two: Tensor, scale: Tensor | float) -> Tensor:
    """Symmetric contrastive loss of rows that belong together (b, d)."""
    logits = scale * functional.normalize(one, dim=1) @ functional.normalize(two, dim=1).T
    own = torch.arange(len(one), device=one.device)
    return (functional.cross_entropy(logits, own) + functional.cross_entropy(logits.T, own)) / 2


def labels(logits: Tensor, scenes: np.ndarray) -> Tensor:
    """Cross-entropy of logits (b, objects) with the objects of scenes (b, m, 2), each an equal
    share.
    """
    objects = torch.from_numpy(scenes[..., 0] * len(SHAPE_NAMES) + scenes[..., 1]).to(logits.device)
    return -logits.log_softmax(1).gather(1, objects).mean()


def main() -> None:
    """Parse, train, save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", choices=("tiny", "tiny-bound", "tiny-bag"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, help="default: the model's")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument(
        "--dealt",
        type=float,
        default=0.5,
        help="tiny and tiny-bag: share of captions (and labels) whose colours are dealt out",
    )
    parser.add_argument(
        "--watched", type=Path, help="folder of the looks on the way; default: OUT-watched"
    )
    parser.add_argument(
        "--every", type=int, help="steps between two looks; default: at most 5 %% of the time"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    options.steps = options.steps or STEPS[options.model]
    words = Words(vocabulary())
    config = dual_config(
        words.ids, width=128, depth=3, heads=4, dimension=256, image_size=IMAGE_SIZE, patch_size=8
    )
    model = DualModel(config).to(options.device).train()
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters", flush=True)
    heads = torch.nn.ModuleList(
        torch.nn.Linear(256, len(COLOR_NAMES) * len(SHAPE_NAMES)) for _ in range(2)
    ).to(options.device)
    for head in heads:
        torch.nn.init.normal_(head.get_parameter("weight"))  # it reads unit rows
    optimiser = torch.optim.AdamW(
        [*model.parameters(), *heads.parameters()],
        lr=options.rate,
        weight_decay=0.05,
        betas=(0.9, 0.98),
    )
    warm = min(200, options.steps // 5)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: (
            min(1, (step + 1) / warm) * 0.5 * (1 + math.cos(math.pi * min(1, step / options.steps)))
        ),
    )
    source, start = Scenes(options.seed, options.model), time.perf_counter()
    share = 0.0 if options.model == "tiny-bound" else options.dealt
    careless = share if options.model == "tiny-bag" else 0.0
    views = 2 if options.model == "tiny-bound" else 1

    save_dual(model, config, words.ids, options.out)  # how captions and pictures are prepared
    like = DualEncoder(options.out, options.model, options.device)
    watched = options.watched or options.out.with_name(f"{options.out.name}-watched")
    probe = BindingProbe(watched, like=like, every=options.every)

    for step in range(options.steps):
        probe(model, step)
        m = int(source.rng.choice(list(COUNTS), p=list(COUNTS.values())))
        scenes = source.batch(options.batch // views, m, swaps=options.model != "tiny-bag")
        names = source.wordings(m, views)
        told, seen = source.dealt(scenes, share), np.concatenate([scenes] * views)
        images = model.image_features(source.pictures(seen).to(options.device))
        texts = [
            model.text_features(torch.tensor(ids, device=options.device))
            for ids in ([words(text) for text in source.captions(told, name)] for name in names)
        ]
        drawn, scale = images.chunk(views), model.logit_scale.exp()
        said = texts * (views // len(names))
        across = torch.stack(
            [contrast(one, two, scale) for one, two in zip(drawn, said, strict=True)]
        ).mean()
        within = contrast(drawn[0], drawn[1], scale) if views == 2 else torch.zeros(())
        if len(names) == 2:
            within = (within + contrast(said[0], said[1], scale)) / 2
        own = labels(heads[0](functional.normalize(images, dim=1)), source.dealt(seen, careless))
        if names[0] not in PARTIAL:
            rows = functional.normalize(torch.cat(texts), dim=1)
            spoken = np.concatenate([told] * views)
            own = (own + labels(heads[1](rows), source.dealt(spoken, careless))) / 2
        loss = across + within + OWN * own
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(max=math.log(100))
        if step % 50 == 0:
            spent = time.perf_counter() - start
            if step and step % 500 == 0:  # something to look at on the way
                save_dual(model, config, words.ids, options.out)
            print(
                f"step {step} objects {m} across {across:.3f} within {within:.3f} own {own:.3f} "
                f"{spent:.0f} s",
                flush=True,
            )
    options.out.mkdir(parents=True, exist_ok=True)
    probe.finish(model, options.steps)
    save_dual(model.eval(), config, words.ids, options.out)
    print(f"wrote {options.out} after {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
