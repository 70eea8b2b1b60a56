"""Pairs of which it is known what repairs them."""

from __future__ import annotations

import numpy as np

from conceptbind.repairs.labclip import Pairs, groups_of
from conceptbind.repairs.labclip.estimator import hold_out
from conceptbind.repairs.labclip.pairs import read_unit
from conceptbind.repairs.laboratory import Fitted, Method

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]


def scene_codes(n: int, width: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(n, d) what concepts a scene has, and how they are bound; a swap turns the latter's sign."""
    return rng.normal(size=(n, width)), rng.normal(size=(n, width))


def bound(
    concepts: np.ndarray,
    bonds: np.ndarray,
    picture: np.ndarray,
    caption: np.ndarray,
    noise: float,
    rng: np.random.Generator,
) -> Arrays:
    """Pictures, captions and swaps whose bonds go through a matrix of their own on each side."""

    def rows(turned: np.ndarray) -> np.ndarray:
        whole = np.hstack([concepts, turned])
        return (whole + noise * rng.normal(size=whole.shape)).astype(np.float32)

    return rows(bonds @ picture.T), rows(bonds @ caption.T), rows(-bonds @ caption.T)


def turned(n: int = 800, width: int = 8, seed: int = 0, noise: float = 0.05) -> Arrays:
    """Captions hold the bonds turned: a rotation repairs them, and no weights of dimensions do."""
    turn = np.linalg.qr(np.random.default_rng(9).normal(size=(width, width)))[0]
    rng = np.random.default_rng(seed)
    return bound(*scene_codes(n, width, rng), np.eye(width), turn, noise, rng)


def stretched(n: int = 800, width: int = 8, seed: int = 0) -> Arrays:
    """Half of the bonds are faint and true, half loud and upside down: weights of dimensions, some
    of them negative, repair that; a rotation cannot make the faint ones loud.
    """
    rng = np.random.default_rng(seed)
    concepts, bonds = scene_codes(n, width, rng)
    signs = np.where(np.arange(width) < width // 2, 0.3, -1.0)
    return bound(concepts, bonds, np.diag(np.abs(signs)), np.diag(signs), 0.02, rng)


def one_direction(n: int = 60, width: int = 24, seed: int = 0) -> Arrays:
    """Few pairs in many dimensions, whose bonds stand in one direction, turned upside down."""
    rng = np.random.default_rng(seed)
    concepts = 0.5 * rng.normal(size=(n, width))
    bonds = np.zeros((n, width))
    bonds[:, 0] = rng.choice([-1.0, 1.0], n) * rng.uniform(0.5, 1.5, n)
    return bound(0.0 * concepts, bonds, np.eye(width), -np.eye(width), 0.3, rng)


def confounded(n: int = 60, width: int = 24, seed: int = 0, loud: float = 20.0) -> Arrays:
    """Bonds agree, but pictures show four loud concepts where captions hold bonds, and few pairs
    are there to learn from: taking these four directions out is enough.
    """
    world, rng = np.random.default_rng(5), np.random.default_rng(seed)
    concepts, bonds = rng.normal(size=(n, 4)), rng.normal(size=(n, width))
    seen = loud * np.linalg.qr(world.normal(size=(width, 4)))[0]
    said = np.linalg.qr(world.normal(size=(width, 4)))[0]

    def rows(part: np.ndarray) -> np.ndarray:
        return (part + 0.1 * rng.normal(size=part.shape)).astype(np.float32)

    heard = concepts @ said.T
    return rows(concepts @ seen.T + bonds), rows(heard + bonds), rows(heard - bonds)


def bag(n: int = 600, width: int = 8, seed: int = 0) -> Arrays:
    """Captions of a bag of concepts: a caption and its swap differ by noise alone."""
    rng = np.random.default_rng(seed)
    concepts, bonds = scene_codes(n, width, rng)
    return bound(concepts, bonds, np.eye(width), np.zeros((width, width)), 0.2, rng)


def exclusive(n: int = 1500, seed: int = 0) -> Arrays:
    """What is bound is the sign of a product of two signs (exclusive or), which no inner product
    reads; a matrix can, in part, by the lengths that it gives to captions.
    """
    rng = np.random.default_rng(seed)
    a, b = rng.choice([-1.0, 1.0], (2, n))

    def text(b: np.ndarray) -> np.ndarray:
        return np.stack([a, b, np.full(n, 0.2), np.zeros(n)], axis=1)

    picture = np.stack([0 * a, 0 * a, np.ones(n), 2 * a * b], axis=1)
    noise = 0.1
    parts = (picture, text(b), text(-b))
    return tuple((p + noise * rng.normal(size=p.shape)).astype(np.float32) for p in parts)  # type: ignore[return-value]


def binding(fitted: Fitted, pairs: Pairs) -> float:
    """Written out: captions must score strictly above their negative."""
    rows = np.arange(len(pairs))
    assert pairs.negatives is not None
    x = read_unit(pairs.images, pairs.image_of[rows])
    true, false = read_unit(pairs.texts, rows), read_unit(pairs.negatives, rows)
    if fitted.pictures is not None:
        x = fitted.pictures(x)
    if fitted.captions is not None:
        true, false = fitted.captions(true), fitted.captions(false)
    return float(((x * true).sum(1) > (x * false).sum(1)).mean())


def fitted_on(method: Method, arrays: Arrays, test: Arrays, seed: int = 0) -> tuple[Fitted, float]:
    """A method fitted on pairs, a fifth of which choose, and its binding on others."""
    pairs = Pairs.of(*arrays)
    assert len(np.unique(groups_of(pairs))) == len(pairs)
    train, chooses = hold_out(pairs, 0.2, seed)
    fitted = method.fit(pairs.select(train), pairs.select(chooses), seed)
    return fitted, binding(fitted, Pairs.of(*test))
