"""Edits: does exchanging one object's vector inside an embedding lead to the scene with that object
exchanged?

z' = z - k (u_old - u_new) (arXiv 2605.31503, section 5). Only one attribute of one object changes,
to a value that no object of the scene has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import (
    ShapeError,
    UnknownNameError,
    ValueRangeError,
    counted,
    cut,
    nearest,
)
from conceptbind.geometry.additive import design, moments
from conceptbind.metrics.choices import every
from conceptbind.metrics.recognitions import Recognition, held_among, recognised_by
from conceptbind.metrics.retrieval import ranks, within

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from conceptbind.core.typing import Bools, Floats, Ints
    from conceptbind.probes.scene_probes import SceneProbes
    from conceptbind.scenes.table import Scenes

Protocol = Literal["strict", "paper"]
Vectors = Literal["avg", "avg+pos", "single"]
CHUNK = 4096
"""Edits made at once."""


@dataclass(frozen=True, eq=False)
class Edits:
    """e single-attribute replacements whose results are scenes of the table."""

    source: Int[Ints, " edits"]
    """(e,) row of the scene that is edited."""
    target: Int[Ints, " edits"]
    """(e,) row of the scene that it should become."""
    slot: Int[Ints, " edits"]
    """(e,) slot of the exchanged object."""
    concept: Int[Ints, " edits"]
    """(e,) the concept whose value changes."""
    shared: Bool[Bools, " edits"]
    """(e,) another object of the scene has the value that is replaced."""
    n_missing: int
    """Edits that are left out since the table does not hold their result."""

    def __len__(self) -> int:
        return len(self.source)

    def select(self, rows: Int[Ints, " rows"]) -> Edits:
        """Some of the edits."""
        return Edits(
            self.source[rows],
            self.target[rows],
            self.slot[rows],
            self.concept[rows],
            self.shared[rows],
            self.n_missing,
        )


@explains_arguments
def all_edits(scenes: Scenes, *, values: Literal["all", "one"] = "all", seed: int = 0) -> Edits:
    """Every scene, slot and attribute, with every new value that no object of the scene has (or
    with one drawn from a seed).

    Attributes are all concepts but the last, the noun. Scenes with two objects of the same noun are
    left out, and so are edits whose result is not in the table; those are counted. A table of one
    concept has its objects exchanged as they are.

    Args:
        scenes: the scene table.
        values: every new value, or one for each scene, slot and attribute.
        seed: decides which value, where one is drawn.
    """
    space, (n, m, n_concepts) = scenes.space, scenes.table.shape
    nouns = np.sort(scenes.table[:, :, -1], axis=1)
    clear = np.ones(n, bool) if n_concepts == 1 else (nouns[:, 1:] != nouns[:, :-1]).all(axis=1)
    rng = np.random.default_rng(seed)
    keys, order = _keys(scenes)
    found: list[tuple[Ints, ...]] = []
    n_missing = 0
    for k in range(max(n_concepts - 1, 1)):
        held = np.zeros((n, space.sizes[k]), bool)
        np.put_along_axis(held, scenes.table[:, :, k], True, axis=1)
        for slot in range(m):
            free = ~held & clear[:, None]  # (n, V) values that no object has
            if values == "one":
                chance = np.where(free, rng.random(free.shape), -1.0)
                drawn = np.zeros_like(free)
                drawn[np.arange(n), chance.argmax(axis=1)] = True
                free &= drawn
            source, value = np.nonzero(free)
            objects = scenes.objects[source].copy()
            changed = scenes.table[source, slot].copy()
            old = changed[:, k].copy()
            changed[:, k] = value
            objects[:, slot] = space.object_ids(changed)
            target = _lookup(objects, space.n_objects, keys, order)
            there = target >= 0
            n_missing += int((~there).sum())
            others = np.delete(scenes.table[source, :, k], slot, axis=1)
            shared = (others == old[:, None]).any(axis=1)
            found.append(
                (
                    source[there],
                    target[there],
                    np.full(there.sum(), slot),
                    np.full(there.sum(), k),
                    shared[there],
                )
            )
    joined = [np.concatenate(column) for column in zip(*found, strict=True)]
    return Edits(joined[0], joined[1], joined[2], joined[3], joined[4].astype(bool), n_missing)


def _keys(scenes: Scenes) -> tuple[Ints, Ints]:
    """Sorted numbers of the scenes, and which row each belongs to; of equal scenes the first is
    found.
    """
    if scenes.space.n_objects**scenes.n_slots >= 2**62:
        raise ValueRangeError(
            f"scenes of {scenes.n_slots} of {counted(scenes.space.n_objects, 'object')} are "
            "too many to number"
        )
    keys = np.ravel_multi_index(tuple(scenes.objects.T), (scenes.space.n_objects,) * scenes.n_slots)
    order = np.argsort(keys, kind="stable")
    return keys[order], order


def _lookup(objects: Ints, n_objects: int, keys: Ints, order: Ints) -> Ints:
    """(e,) row of the scene with these objects, or -1."""
    wanted = np.ravel_multi_index(tuple(objects.T), (n_objects,) * objects.shape[1])
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    rows: Ints = np.where(keys[at] == wanted, order[at], -1)
    return rows


@dataclass(frozen=True, eq=False)
class Editor:
    """Makes edited embeddings from object vectors of one kind."""

    values: Float[Floats, "scenes width"]
    """(n, d) unit embeddings: what is edited, and the bank that is searched."""
    scenes: Scenes
    vectors: Vectors
    protocol: Protocol
    sums: Float[Floats, "parameters width"]
    """(P, d) sum of the embeddings that hold each object; for `single` their own."""
    counts: Float[Floats, " parameters"]
    """(P,)"""
    columns: Int[Ints, "scenes slots"]
    """(n, m) parameter of each slot's object."""
    new_columns: Int[Ints, "slots objects"]
    """(|slots|, |O|) parameter of an object in a slot; -1 where it never stands there."""

    @classmethod
    def fit(
        cls,
        values: Float[Floats, "scenes width"],
        scenes: Scenes,
        vectors: Vectors,
        *,
        protocol: Protocol = "strict",
        singles: Float[Floats, "objects width"] | None = None,
    ) -> Editor:
        """Object vectors from all scenes, or from the embeddings of single objects (|O|, d).

        Args:
            values: (n, d)
            scenes: the n scenes.
            vectors: `avg`, `avg+pos` or `single`; see `fit_additive`.
            protocol: `strict` leaves the target scene out of the mean that makes u_new, and the
            edited scene out of the one that makes u_old. Both are means over the same
                companions. `paper` keeps them in, so that u_new has seen the answer.
            singles: for `single`.

        Raises:
            UnknownNameError, ValueRangeError, ShapeError: unknown names, no singles, or rows that
                do not fit.
        """
        if vectors not in ("avg", "avg+pos", "single"):
            raise UnknownNameError(
                f"unknown object vectors '{cut(vectors)}'; "
                f"{nearest(vectors, ('avg', 'avg+pos', 'single'))}"
            )
        if protocol not in ("strict", "paper"):
            raise UnknownNameError(
                f"unknown protocol '{cut(protocol)}'; {nearest(protocol, ('strict', 'paper'))}"
            )
        values = np.asarray(values)
        if values.ndim != 2 or len(values) != len(scenes):
            raise ShapeError(
                f"one embedding per scene: {counted(len(scenes), 'scene')} but embeddings of shape "
                f"{values.shape}"
            )
        m, n_objects = scenes.n_slots, scenes.space.n_objects
        if vectors == "single":
            if singles is None or len(singles) != n_objects:
                raise ValueRangeError(
                    f"'single' needs the embeddings of all {n_objects} single objects"
                )
            table = np.tile(np.arange(n_objects), (m, 1))
            return cls(
                values,
                scenes,
                vectors,
                protocol,
                np.asarray(singles, float),
                np.ones(n_objects),
                scenes.objects,
                table,
            )
        terms = design(scenes, 2, per_slot=vectors == "avg+pos")
        counts, sums, _ = moments(values, terms, np.arange(len(scenes)))
        table = np.full((m, n_objects), -1)
        for slot in range(m):
            for where in range(m) if vectors == "avg" else (slot,):
                table[slot, scenes.objects[:, where]] = terms.columns[:, where]
        return cls(values, scenes, vectors, protocol, sums, counts, terms.columns, table)

    def possible(self, edits: Edits) -> Bool[Bools, " edits"]:
        """(e,) whether both object vectors can be made: other scenes hold the old object, and
        others than the target the new one.
        """
        old, new = self._columns(edits)
        there = self.counts[new] - self._seen(edits.target, new) > 0
        return (new >= 0) & there & (self.counts[old] - self._seen(edits.source, old) > 0)

    def edited(self, edits: Edits, strength: float = 1.0) -> Float[Floats, "edits width"]:
        """(e, d) z' = z - strength (u_old - u_new)."""
        old, new = self._columns(edits)
        change = self._mean(old, edits.source) - self._mean(new, edits.target)
        made: Floats = (self.values[edits.source] - strength * change).astype(self.values.dtype)
        return made

    def _columns(self, edits: Edits) -> tuple[Ints, Ints]:
        """(e,) parameters of the old and of the new object."""
        new = self.new_columns[edits.slot, self.scenes.objects[edits.target, edits.slot]]
        return self.columns[edits.source, edits.slot], new

    def _mean(self, parameter: Ints, scene: Ints) -> Floats:
        """(e, d) mean of the embeddings that hold each object, without those of one scene where the
        protocol says so.
        """
        seen = self._seen(scene, parameter)[:, None]
        mean: Floats = (self.sums[parameter] - seen * self.values[scene]) / (
            self.counts[parameter, None] - seen
        )
        return mean

    def _seen(self, scene: Ints, parameter: Ints) -> Floats:
        """(e,) how often each scene is part of the mean of its object."""
        if self.vectors == "single" or self.protocol == "paper":
            return np.zeros(len(scene))
        return (self.columns[scene] == parameter[:, None]).sum(axis=1).astype(float)


@dataclass(frozen=True, eq=False)
class Hits:
    """Outcome of each edit."""

    hit: Bool[Bools, " edits"]
    tied: Bool[Bools, " edits"]


def retrieve(editor: Editor, edits: Edits, strength: float = 1.0) -> Hits:
    """Is the nearest real scene (cosine) the target? Scenes with the embeddings of `editor.values`,
    which must be unit rows.

    Args:
        editor: embeddings with the vectors of objects.
        edits: the edits to make.
        strength: k, the factor of the exchanged vectors; 1 exchanges them whole.
    """
    rank, ties = [], []
    for start in range(0, len(edits), CHUNK):
        part = edits.select(np.arange(start, min(start + CHUNK, len(edits))))
        found = ranks(editor.edited(part, strength), editor.values, part.target)
        rank.append(found[0])
        ties.append(found[1])
    return Hits(*within(np.concatenate(rank), np.concatenate(ties), 1))


@explains_arguments
def read(editor: Editor, edits: Edits, probes: SceneProbes, strength: float = 1.0) -> Hits:
    """Do the probes recognise exactly the target's concepts and objects?

    Args:
        editor: embeddings with the vectors of objects.
        edits: the edits to make.
        probes: probes that were fitted on real embeddings.
        strength: k, the factor of the exchanged vectors.
    """
    hit, tied = [], []
    for start in range(0, len(edits), CHUNK):
        part = edits.select(np.arange(start, min(start + CHUNK, len(edits))))
        rows = editor.edited(part, strength)
        outcomes = [
            _outcome(rows, probes, editor.scenes, part.target, concept)
            for concept in (*range(len(editor.scenes.space.concepts)), None)
        ]
        right, ties = every(
            [(outcome.correct | ~outcome.scored, outcome.tied) for outcome in outcomes]
        )
        hit.append(right)
        tied.append(ties)
    return Hits(np.concatenate(hit), np.concatenate(tied))


def _outcome(
    rows: Floats, probes: SceneProbes, scenes: Scenes, labels: Ints, concept: int | None
) -> Recognition:
    """Recognition of what the target scenes hold."""
    probe = probes.head(concept)
    held = scenes.objects[labels] if concept is None else scenes.table[labels, :, concept]
    return recognised_by(probe.weight, rows, held_among(probe.candidates, held))


STRENGTHS: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
"""Strengths of the sweep."""
