"""Models between two checkpoints, on every level."""

import sys
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.commands.command import Command, function_of
from conceptbind.commands.common import default_folder
from conceptbind.commands.shared import GivenEncoder, GivenPath, GivenScenes
from conceptbind.core.records import Records
from conceptbind.encoders.options import Opening
from conceptbind.report.shown import Shown

if TYPE_CHECKING:
    from conceptbind.core.findings import Verdict
    from conceptbind.core.typing import Encoder
    from conceptbind.watching.mixing import Mixed


@dataclass(frozen=True, eq=False, repr=False)
class Interpolation(Shown):
    """What `interpolate` found, and where it wrote it."""

    folder: Path
    """The run folder: results.json, results.csv, report.html, config.yaml and the looks."""
    records: Records
    """Every number at every share; the column `mix` is the share of the second model's weights."""
    sentences: tuple[str, ...]
    mixed: "Mixed"
    """The looks, with the outcome of every scene."""
    verdicts: "tuple[Verdict, ...]" = ()
    """None: every point has its own, on the page."""

    @property
    def said(self) -> tuple[str, ...]:
        """Its sentences."""
        return self.sentences

    def text(self, width: int | None = None) -> str:  # noqa: D102
        return "\n".join((*self.sentences, f"Report: {self.folder / 'report.html'}"))


@dataclass(frozen=True)
class Interpolate(Opening, Command[Interpolation]):
    """Score the models between two models on every level: weights on the straight line from one to
    the other.

    The two may be checkpoints of one training, a model before and after fine-tuning, or a repaired
    and a fine-tuned one (export writes a repaired model as a folder). Its ends are the two models
    themselves. A killed run continues when it is started again.
    """

    one: GivenEncoder
    """First model, at share 0: tiny, hf:FOLDER, open_clip:NAME."""
    other: GivenEncoder
    """Second model, at share 1, of the same architecture."""
    _: KW_ONLY
    points: int = 6
    """Number of shares from 0 to 1, both included."""
    scenes: GivenScenes = "clevr2d"
    """Scenes to score on, as measure takes them."""
    out: GivenPath | None = None
    """Run folder to write; by default runs/interpolate-ONE-OTHER, followed by options that differ
    from their defaults.
    """
    seed: int = 0
    """Random seed; it decides which scenes are for training and which for the test."""

    def work(self) -> Interpolation:
        """Mix, score and write."""
        return _interpolated(self)


interpolate = function_of(Interpolate)


def _interpolated(asked: Interpolate) -> Interpolation:
    from conceptbind.core.files import user_path
    from conceptbind.core.ownership import refuse_in_use
    from conceptbind.report.page import render_page
    from conceptbind.run.bars import progress
    from conceptbind.run.facts import plain_provenance
    from conceptbind.run.folder import RunFolder
    from conceptbind.watching.mix_section import mix_sections
    from conceptbind.watching.mixing import mix_sentences, mixed, require_alike_encoders, shares
    from conceptbind.watching.suite import Suite

    points, config = shares(asked.points), asked.configuration()
    base = ("interpolate", str(config["one"]), str(config["other"]))
    place = user_path(asked.out or default_folder(base, asked, ("one", "other", "scenes")))
    refuse_in_use(place)
    one, other = _pair(asked)
    require_alike_encoders(one, other)
    suite = Suite(place, asked.scenes, asked.seed)
    folder = RunFolder.open(place, config)
    with progress("scoring models", len(points), "model") as bar:
        found = mixed(one, other, suite, points, place / "looks", lambda _: bar.update())
    said = mix_sentences(found)
    facts = plain_provenance(config, sys.argv)
    render_page(
        folder.path / "report.html",
        "watch.html.j2",
        title=f"What lies between {found.one} and {found.other}?",
        answer=said[0],
        sentences=list(said[1:]),
        notes=[],
        sections=[vars(one) for one in mix_sections(found)],
        provenance=facts,
    )
    folder.write_results(facts, found.records, sentences=said)
    return Interpolation(folder.path, found.records, said, found)


def _pair(asked: Interpolate) -> "tuple[Any, Any]":
    """Both encoders. A shipped model beside one of transformers is opened as that opens it, since
    what `finetune` and `export` write of it is a folder of transformers.
    """
    from conceptbind.encoders.dual import DualEncoder

    one, other = (_opened(name, asked) for name in (asked.one, asked.other))
    if isinstance(one, DualEncoder) and not isinstance(other, DualEncoder):
        return _as_transformers(one, asked), other
    if isinstance(other, DualEncoder) and not isinstance(one, DualEncoder):
        return one, _as_transformers(other, asked)
    return one, other


def _opened(name: Any, asked: Interpolate) -> "Encoder":
    from conceptbind.encoders.registry import open_encoder

    return open_encoder(name, asked) if isinstance(name, str) else name


def _as_transformers(encoder: Any, asked: Interpolate) -> Any:
    from conceptbind.encoders.registry import open_encoder

    found: Any = open_encoder(f"hf:{encoder.folder}", asked)
    found.id = encoder.id
    return found
