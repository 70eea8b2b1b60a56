"""Pictures, captions and swapped captions whose repair is known."""

from __future__ import annotations

import numpy as np

from conceptbind.repairs.labclip import Pairs

COLORS, NOUNS, HALF = 6, 8, 24


def planted(
    kind: str, n: int = 2000, seed: int = 0, noise: float = 0.1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n, 48) pictures, captions and captions with the two colours swapped.

    Two objects per scene. The first 24 dimensions are a bag of values, equal for a caption and its
    swap. The other 24 tell which colour belongs to which noun, by one code for each object.
    Captions hold these codes

    - `rotated`: turned, so that the identity cannot use them and a rotation of these dimensions
      uses them fully;
    - `lost`: not at all, but noise in their place that no picture knows of;
    - `aligned`: as the pictures do, so that there is nothing to repair.
    """
    codes = np.random.default_rng(99)  # the same world for every seed of scenes
    colors, nouns, objects = (codes.normal(size=(k, HALF)) for k in (COLORS, NOUNS, COLORS * NOUNS))
    turn = np.linalg.qr(codes.normal(size=(HALF, HALF)))[0]
    rng = np.random.default_rng(seed)
    color = np.array([rng.choice(COLORS, 2, replace=False) for _ in range(n)])
    noun = np.array([rng.choice(NOUNS, 2, replace=False) for _ in range(n)])

    def rows(color: np.ndarray, *, text: bool) -> np.ndarray:
        bag = colors[color].sum(1) + nouns[noun].sum(1)
        bound = objects[color * len(nouns) + noun].sum(1)
        if text and kind == "rotated":
            bound = bound @ turn
        if text and kind == "lost":
            bound = rng.normal(size=bound.shape) * np.sqrt(2)
        return np.hstack([bag, bound]) + noise * rng.normal(size=(n, 2 * HALF))

    whole = (rows(color, text=False), rows(color, text=True), rows(color[:, ::-1], text=True))
    return tuple(part.astype(np.float32) for part in whole)  # type: ignore[return-value]


def planted_pairs(kind: str, n: int = 2000, seed: int = 0) -> Pairs:
    """The same as pairs."""
    return Pairs.of(*planted(kind, n, seed))


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows divided by their length, in double precision."""
    rows = np.asarray(rows, dtype=np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def binding_accuracy(
    weight: np.ndarray, images: np.ndarray, texts: np.ndarray, negatives: np.ndarray
) -> float:
    """Written out from the definition: a caption must score strictly above its negative."""
    x, true, false = unit(images), unit(texts @ weight.T), unit(negatives @ weight.T)
    return float(((x * true).sum(1) > (x * false).sum(1)).mean())
