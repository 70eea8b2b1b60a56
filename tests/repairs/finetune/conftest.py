"""Two flat objects per scene, drawn once, with their captions, hard negatives and parts by
orbit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conceptbind.crossmodal.bank import caption_bank
from conceptbind.crossmodal.comparing import compare, either_order
from conceptbind.pictures import FlatStyle, draw_pictures
from conceptbind.pictures.files import read_picture
from conceptbind.scenes import Scenes, load_scenes, pair_ids, split_scenes
from encoders.conftest import clip_folder, dino_folder, siglip_folder  # noqa: F401


@dataclass
class Combinations:
    """Scenes whose colours can be exchanged; each caption stands in both orders of mention."""

    paths: list[Path]
    captions: list[str]
    negatives: list[str]
    ids: dict[str, Any]
    parts: dict[str, np.ndarray]
    _score: Any

    def arguments(self) -> tuple[Any, ...]:
        return self.paths, self.captions, self.negatives

    def options(self) -> dict[str, Any]:
        return {**self.ids, "train": self.parts["train"], "validation": self.parts["validation"]}

    def binding(self, encoder: Any) -> float:
        """Binding accuracy on combinations of no other part, over all orders of mention."""
        return self._score(encoder)


def combinations(scenes: Scenes, folder: Path) -> Combinations:
    scenes = draw_pictures(scenes, folder, style=FlatStyle(size=48))
    split = split_scenes(scenes, "orbit", fractions=(0.6, 0.1, 0.3), seed=0)
    bank = caption_bank(scenes)
    texts, meaning = (
        [bank.scenes.caption(i) for i in range(len(bank.scenes))],
        pair_ids(bank.scenes),
    )
    of, true, false = (
        np.repeat(bank.swap_of, 2),
        bank.true[bank.swap_of].reshape(-1),
        bank.swaps.reshape(-1),
    )
    paths = [folder / name for name in scenes.images or ()]
    parts = {
        name: np.flatnonzero(np.isin(of, getattr(split, name)))
        for name in ("train", "validation", "test")
    }

    def score(encoder: Any) -> float:
        swaps = np.flatnonzero(np.isin(bank.swap_of, split.test))
        x, y = (
            encoder.encode_images([read_picture(path) for path in paths]),
            encoder.encode_texts(texts),
        )
        x, y = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (x, y))
        right, _ = either_order(
            compare(x[bank.swap_of[swaps]], y, bank.true[bank.swap_of[swaps]], bank.swaps[swaps])
        )
        return float(right.mean())

    ids = {"image_of": of, "text_ids": meaning[true], "negative_ids": meaning[false]}
    return Combinations(
        paths, [texts[i] for i in true], [texts[i] for i in false], ids, parts, score
    )


def of_colours(names: list[str], folder: Path) -> Combinations:
    """CLEVR-2D scenes of two objects that differ in both concepts, in some colours."""
    scenes = load_scenes("clevr2d")
    known = [scenes.space.values[0].index(name) for name in names]
    rows = (scenes.table[:, 0] != scenes.table[:, 1]).all(axis=1) & np.isin(
        scenes.table[:, :, 0], known
    ).all(axis=1)
    return combinations(scenes.select(rows), folder)


@pytest.fixture(scope="session")
def flat(tmp_path_factory: pytest.TempPathFactory) -> Combinations:
    """180 scenes, two captions each."""
    return of_colours(
        ["red", "blue", "green", "yellow", "purple", "gray"], tmp_path_factory.mktemp("flat")
    )


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> Combinations:
    """72 scenes in words that the random CLIP's tokenizer knows."""
    return of_colours(["red", "blue", "green", "yellow"], tmp_path_factory.mktemp("few"))
