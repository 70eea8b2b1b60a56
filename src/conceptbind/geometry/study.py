"""What the embeddings of one modality are made of: additive fits, spectrum, removal, edits and
scaling as one study.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ConceptBindError, counted
from conceptbind.core.names import Control, Metric, recognised
from conceptbind.core.records import Records
from conceptbind.core.scored import Ledger
from conceptbind.geometry.additive import AdditiveFit, Order, explained, fit_additive
from conceptbind.geometry.edits import STRENGTHS, Editor, Edits, Hits, all_edits, read, retrieve
from conceptbind.geometry.removal import REMOVED, remove_part
from conceptbind.geometry.scaling import PUBLISHED, Scaling, ScalingWay, scale_quadruple
from conceptbind.geometry.spectra import Spectrum, spectrum
from conceptbind.metrics.intervals import share_interval
from conceptbind.metrics.retrieval import ranks, within
from conceptbind.probes.scene_probes import SceneProbes, fit_scene_probes
from conceptbind.probes.threads import steady
from conceptbind.scenes.split import Split
from conceptbind.scenes.swaps import pair_ids
from conceptbind.scenes.table import Scenes

T = TypeVar("T")
if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.columns import Value
    from conceptbind.core.typing import Bools, Floats, Ints, Modality
    from conceptbind.geometry.additive import Estimator
    from conceptbind.rows.embeddings import Embeddings

MOST_PRODUCTS = 2e11
"""Multiplications that one retrieval may cost; where all queries would cost more, a seeded sample
of them is scored."""
MOST_EDITS = 100_000
"""Above this number of edits, one new value is drawn for each scene, slot and attribute."""
SWEPT = 2_000
"""Edits that the sweep over strengths makes."""
REMOVAL_SCENES = 8_000
"""Train scenes that the probes of the removal are fitted on, at most."""
STORED: dict[Order, int] = {2: 1, 1: 2}
"""What records hold as the `additive_level` of vectors (the paper's numbers), by the order of their
terms."""
FITS: tuple[tuple[Estimator, bool], ...] = (
    ("avg", False),
    ("avg+pos", True),
    ("single", False),
    ("least_squares", True),
    ("least_squares", False),
)
"""Estimators, and whether each slot has vectors of its own."""
STEPS = ("additive fits", "reconstructions", "spectrum", "removal", "edits", "scaling")
"""What `geometry_study` reports to `on_step`."""


@dataclass(frozen=True, eq=False)
class GeometryStudy:
    """What one modality's scene embeddings are made of (arXiv 2605.31503, sections 4, 5 and 8)."""

    modality: Modality
    records: Records
    spectra: Mapping[str, Spectrum]
    """Spectra by control; `none` is the encoder itself."""
    scaling: Scaling | None
    notes: tuple[str, ...]
    """What was left out, sampled or could not be fitted, with the reason."""
    cases: tuple[Scored, ...] = ()
    """Every edit that was made with all its kind, where they are kept."""


class Scored(NamedTuple):
    """Edits of one kind, and which of them hit."""

    metric: Metric
    """Whether retrieval or probes tell what hits."""
    vectors: str
    """What the exchanged vectors are; see `fit_additive`."""
    strength: float
    edits: Edits
    hits: Hits


@explains_arguments
@steady()
def geometry_study(
    embeddings: Embeddings,
    scenes: Scenes,
    split: Split,
    probes: SceneProbes,
    *,
    singles: Float[Floats, "objects width"] | None = None,
    controls: Mapping[str, Embeddings] | None = None,
    seed: int = 0,
    strength: float = 1.0,
    keep_edits: bool = False,
    published: bool = False,
    scaling: ScalingWay = PUBLISHED,
    device: str = "cpu",
    on_step: Callable[[str], None] = lambda _: None,
) -> GeometryStudy:
    """Additive fits with their reconstructions, the interaction spectrum, targeted removal, edits
    and scaling.

    Everything that is fitted is fitted on the train rows and scored on the test rows; R^2 is also
    given for one fit of all scenes.

    Args:
        embeddings: one modality of one encoder; they are made unit rows.
        scenes: the table that they belong to.
        split: as for the probes.
        probes: fitted on the train rows of the same split.
        singles: (|O|, d) embeddings of scenes of one object, in the order of object ids.
        controls: other encoders for the same scenes (random weights): their R^2 and spectra.
        seed: of samples, permutations and the scaling.
        strength: k of edits; other than 1 it is scored beside 1.
        keep_edits: whether every edit is kept, with what it hit.
        published: whether edits are scored by the protocol `paper` too, which leaves the scene that
            an edit should lead to in the mean of its new object.
        scaling: which quadruple is scaled, and how.
        device: where the probes of the removal are fitted.
        on_step: called before each of `STEPS`.

    Raises:
        MismatchError: the embeddings belong to another table.
    """
    embeddings.check(scenes)
    values = embeddings.unit().values
    if singles is not None:
        singles = singles / np.linalg.norm(singles, axis=1, keepdims=True)
    repeated = len(scenes) - len(np.unique(scenes.objects, axis=0))
    study = _Study(
        values, scenes, split, probes, singles, seed, embeddings.modality, embeddings.encoder
    )
    study.strengths = tuple(dict.fromkeys((1.0, strength)))
    study.keep, study.published = keep_edits, published
    if repeated:
        study.notes.append(
            f"{counted(repeated, 'scene')} with the objects of an earlier one: retrieval takes "
            "such a scene for a miss, and edits aim at the first."
        )
    on_step("additive fits")
    study.additive(Control.NONE, values)
    spectra = {}
    for name, other in (controls or {}).items():
        other.check(scenes)
        study.additive(name, other.unit().values)
    on_step("reconstructions")
    study.reconstructions()
    on_step("spectrum")
    compared: dict[str, Floats] = {Control.NONE: values}
    compared |= {name: other.unit().values for name, other in (controls or {}).items()}
    for name, rows in compared.items():
        found = study.attempt("spectrum", spectrum, rows, scenes)
        if found is not None:
            spectra[name] = found
            study.shares(name, found)
    on_step("removal")
    study.removal(device)
    on_step("edits")
    study.edits()
    on_step("scaling")
    scaled = None
    if len(scenes.space.concepts) > 1 and scenes.n_slots > 1:
        scale = partial(scale_quadruple, way=scaling)
        scaled = study.attempt("scaling", scale, values, scenes, seed=seed)
    missing = (
        f"no {', '.join(dict.fromkeys(names))}: {reason}."
        for reason, names in study.missing.items()
    )
    return GeometryStudy(
        embeddings.modality,
        Records(study.ledger.records),
        spectra,
        scaled,
        tuple(dict.fromkeys([*missing, *study.notes])),
        tuple(study.cases),
    )


class _Study:
    """The inputs of a study, and the records that its parts add."""

    def __init__(
        self,
        values: Floats,
        scenes: Scenes,
        split: Split,
        probes: SceneProbes,
        singles: Floats | None,
        seed: int,
        modality: Modality,
        encoder: str,
    ) -> None:
        self.values, self.scenes, self.split, self.probes, self.singles, self.seed = (
            values,
            scenes,
            split,
            probes,
            singles,
            seed,
        )
        self.ledger = Ledger(modality, scenes.name, encoder)
        self.groups = pair_ids(scenes)
        self.concepts = (*range(len(scenes.space.concepts)), None)
        self.notes: list[str] = []
        self.strengths: tuple[float, ...] = (1.0,)
        """Strengths at which all edits are made."""
        self.keep, self.published = False, False
        self.cases: list[Scored] = []
        self.missing: dict[str, list[str]] = {}
        """What could not be done, by reason."""
        self.train_fits: dict[tuple[str, Order], AdditiveFit] = {}

    def attempt(
        self, what: str, make: Callable[..., T], *arguments: Any, **options: Any
    ) -> T | None:
        """What `make` returns, or None and a note that says why it cannot be done."""
        try:
            return make(*arguments, **options)
        except ConceptBindError as error:
            self.missing.setdefault(str(error), []).append(what)
            return None

    def share(
        self, study: str, metric: str, hits: Hits, scene: Ints, split: str, **own: Any
    ) -> None:
        """A share of hits; scenes of one set of objects are one draw."""
        if len(hits.hit) == 0:
            return
        interval = share_interval(hits.hit.astype(float), self.groups[scene])
        self.ledger.add(
            study,
            metric,
            float(hits.hit.mean()),
            len(hits.hit),
            split,
            ties=int(hits.tied.sum()),
            interval=interval,
            **own,
        )

    def additive(self, control: str, values: Floats) -> None:
        """R^2 of every estimator and order, on all scenes and on held-out ones."""
        for order, stored in STORED.items():
            for estimator, per_slot in FITS:
                if estimator == "single" and (self.singles is None or control != Control.NONE):
                    continue
                options: dict[str, Any] = {
                    "order": order,
                    "estimator": estimator,
                    "per_slot": per_slot,
                    "singles": self.singles,
                }
                facts: dict[str, Any] = {
                    "additive_level": stored,
                    "estimator": estimator,
                    "slots": "apart" if per_slot else "together",
                    "control": control,
                }
                name = f"{estimator} fit of order {order}"
                whole = self.attempt(name, fit_additive, values, self.scenes, **options)
                r2 = (
                    None
                    if whole is None
                    else self.attempt(f"R^2 of the {name}", explained, values, whole)
                )
                if r2 is not None:
                    self.ledger.add("additive", Metric.R2, r2, len(values), "all", **facts)
                fit = self.attempt(
                    f"{name} on the train scenes",
                    fit_additive,
                    values,
                    self.scenes,
                    self.split.train,
                    **options,
                )
                if fit is None:
                    continue
                if control == Control.NONE and (per_slot or estimator != "least_squares"):
                    self.train_fits[estimator, order] = fit
                scored = self.split.test[fit.covered(self.split.test)]
                if len(scored) < 2:
                    self.notes.append(
                        f"no held-out R^2 of the {name}: the train scenes hold all objects of "
                        f"{counted(len(scored), 'test scene')} only."
                    )
                    continue
                centre = values[self.split.train].mean(axis=0, dtype=np.float64)
                r2 = self.attempt(
                    f"held-out R^2 of the {name}", explained, values, fit, scored, centre
                )
                if r2 is not None:
                    self.ledger.add("additive", Metric.R2, r2, len(scored), "test", **facts)

    def reconstructions(self) -> None:
        """Is a sum's nearest scene its own, and do the probes still recognise it?"""
        rng = np.random.default_rng(self.seed)
        for (estimator, order), fit in self.train_fits.items():
            rows = self.split.test[fit.covered(self.split.test)]
            if len(rows) == 0:
                continue
            facts: dict[str, Any] = {"additive_level": STORED[order], "estimator": estimator}
            asked = self.sample(rows, self.values.size, rng, "reconstructions")
            rank, ties = ranks(fit[asked].astype(self.values.dtype), self.values, asked)
            self.share(
                "additive",
                Metric.RETRIEVAL_TOP1,
                Hits(*within(rank, ties, 1)),
                asked,
                "test",
                **facts,
            )
            predicted = _Rows(fit, self.values.dtype)
            for concept in self.concepts:
                outcome = self.probes.recognise(predicted, self.scenes, rows, concept)  # type: ignore[arg-type]
                metric, name = self.named(concept)
                self.ledger.recognised(
                    outcome,
                    self.groups[rows],
                    study="additive",
                    metric=metric,
                    split="test",
                    concept=name,
                    **facts,
                )

    def sample(self, rows: Ints, cost: float, rng: np.random.Generator, what: str) -> Ints:
        """All rows, or as many of them, drawn at random, as the most products allow."""
        most = max(int(MOST_PRODUCTS / cost), 1000)
        if len(rows) <= most:
            return rows
        self.notes.append(
            f"retrieval of {what}: {most:,} of {len(rows):,} drawn at random; a call from Python "
            "can score all."
        )
        return np.sort(rng.permutation(rows)[:most])

    def named(self, concept: int | None) -> tuple[str, str | None]:
        """Metric and concept of a record."""
        name = None if concept is None else self.scenes.space.concepts[concept]
        return recognised(concept), name

    def shares(self, control: str, found: Spectrum) -> None:
        """A record for every part of a spectrum, and the binding share."""
        n, method = len(self.values), found.method
        for part in found.parts:
            factors = " x ".join(part.factors) or "rest"
            self.ledger.add(
                "spectrum",
                Metric.VARIANCE_SHARE,
                part.share,
                n,
                "all",
                factors=factors,
                kind=part.kind,
                freedom=part.freedom,
                method=method,
                control=control,
            )
        if any(part.kind == "object" for part in found.parts):
            self.ledger.add(
                "spectrum",
                Metric.BINDING_SHARE,
                found.binding_share,
                n,
                "all",
                kind="object",
                freedom=found.freedom("object"),
                method=method,
                control=control,
            )

    def removal(self, device: str) -> None:
        """Probes fitted and scored again without the concept part, the object part, and two
        permuted parts.
        """
        split, train = self.split, self.split.train
        if len(train) > REMOVAL_SCENES:
            train = np.sort(np.random.default_rng(self.seed).permutation(train)[:REMOVAL_SCENES])
            self.notes.append(
                f"removal: probes, those of the whole embeddings too, are fitted on {len(train):,} "
                f"of {counted(len(split.train), 'scene')}."
            )
        smaller = Split(train, split.validation, split.test, split.by, split.seed, split.members)
        for removed in REMOVED:
            what = f"removal of {removed}"
            kept = self.attempt(
                what, remove_part, self.values, self.scenes, split.train, removed, seed=self.seed
            )
            if kept is None:
                continue
            # what rounding leaves
            if removed != "none" and _variance(kept) <= 1e-10 * _variance(self.values):
                self.notes.append(
                    f"{what}: nothing is left of the embeddings, so the probes recognise nothing."
                )
                kept = np.zeros_like(kept)
            heads = fit_scene_probes(kept, self.scenes, smaller, device=device)
            for concept in self.concepts:
                outcome = heads.recognise(kept, self.scenes, split.test, concept)
                metric, name = self.named(concept)
                self.ledger.recognised(
                    outcome,
                    self.groups[split.test],
                    study="removal",
                    metric=metric,
                    split="test",
                    concept=name,
                    removed=removed,
                    n_train=len(train),
                    seed=self.seed,
                )

    def edits(self) -> None:
        """Every edit by retrieval and by probing, same and different attribute apart; and a sweep
        over strengths.
        """
        every = all_edits(self.scenes)
        if len(every) > MOST_EDITS:
            self.notes.append(
                "edits: one new value is drawn for each scene, slot and attribute, of "
                f"{counted(len(every), 'edit')} in all."
            )
            every = all_edits(self.scenes, values="one", seed=self.seed)
        if every.n_missing:
            self.notes.append(
                f"edits: {every.n_missing:,} are left out, since the scene that they should lead "
                "to is not in the table."
            )
        if len(every) == 0:
            self.notes.append(
                "no edits: no scene of the table is another with one attribute of one object "
                "replaced."
            )
            return
        for vectors in ("avg", "avg+pos", "single"):
            if vectors == "single" and self.singles is None:
                self.notes.append(
                    "no edits with vectors of single objects: their embeddings were not given."
                )
                continue
            editor = Editor.fit(self.values, self.scenes, vectors, singles=self.singles)  # type: ignore[arg-type]
            possible = every.select(np.flatnonzero(editor.possible(every)))
            self.score_edits(editor, possible, STRENGTHS if vectors == "avg+pos" else ())
            if self.published and vectors != "single" and len(possible):
                self.score_some(replace(editor, protocol="paper"), *self.drawn(possible), 1.0)

    def score_edits(self, editor: Editor, edits: Edits, sweep: Iterable[float]) -> None:
        """Records of one kind of vectors: all edits at the strengths asked for, some at others."""
        if len(edits) == 0:
            self.notes.append(
                f"no edits with {editor.vectors} vectors: no object of an edit stands in a second "
                "scene."
            )
            return
        rng = np.random.default_rng(self.seed)
        searched, probed = self.drawn(edits, rng)
        for strength in self.strengths:
            self.score_some(editor, searched, probed, strength)
        few = (
            edits.select(rng.permutation(len(edits))[:SWEPT]),
            probed.select(rng.permutation(len(probed))[:SWEPT]),
        )
        for steering in sweep:
            if steering not in self.strengths:
                self.score_some(editor, *few, steering, apart=False)

    def drawn(self, edits: Edits, rng: np.random.Generator | None = None) -> tuple[Edits, Edits]:
        """Edits that are scored by retrieval, and by probes, which were fitted on other scenes."""
        rng = np.random.default_rng(self.seed) if rng is None else rng
        unseen = np.flatnonzero(np.isin(edits.target, self.split.test))
        asked = self.sample(np.arange(len(edits)), self.values.size, rng, "edits")
        return edits.select(asked), edits.select(unseen)

    def score_some(
        self, editor: Editor, searched: Edits, probed: Edits, steering: float, *, apart: bool = True
    ) -> None:
        """Records at one strength: some edits by retrieval, and some by probing."""
        for metric, edits, split in (
            (Metric.EDIT_RETRIEVAL, searched, "all"),
            (Metric.EDIT_PROBING, probed, "test"),
        ):
            if len(edits) == 0:
                continue
            by_search = metric == Metric.EDIT_RETRIEVAL
            hits = (
                retrieve(editor, edits, steering)
                if by_search
                else read(editor, edits, self.probes, steering)
            )
            if self.keep and apart:
                self.cases.append(Scored(metric, editor.vectors, steering, edits, hits))
            for attribute, rows in (
                _by_attribute(edits.shared) if apart else [("all", np.arange(len(edits)))]
            ):
                facts: dict[str, Value] = {
                    "estimator": editor.vectors,
                    "steering": steering,
                    "attribute": attribute,
                }
                some = Hits(hits.hit[rows], hits.tied[rows])
                self.share(
                    "edit",
                    metric,
                    some,
                    edits.source[rows],
                    split,
                    **facts,
                    protocol=editor.protocol,
                )


def _variance(values: Floats) -> float:
    """Sum of squares about the mean."""
    return float(np.square(values - values.mean(axis=0, dtype=np.float64)).sum())


class _Rows:
    """Predicted embeddings that are made when rows are asked for."""

    def __init__(self, fit: AdditiveFit, dtype: Any) -> None:
        self.fit, self.dtype = fit, dtype

    def __getitem__(self, rows: Ints) -> Floats:
        return self.fit[rows].astype(self.dtype)


def _by_attribute(shared: Bools) -> list[tuple[str, Ints]]:
    """All edits, those whose objects share the edited attribute, and those whose objects do not."""
    return [
        ("all", np.arange(len(shared))),
        ("same", np.flatnonzero(shared)),
        ("different", np.flatnonzero(~shared)),
    ]
