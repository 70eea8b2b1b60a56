"""The main job."""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from conceptbind.commands.command import function_of, options
from conceptbind.commands.common import default_folder, drawn, try_captions
from conceptbind.commands.gating import Gated, refuse_inapplicable, refuse_unmeasured
from conceptbind.commands.shared import GivenEncoder, GivenPath, GivenRows, GivenScenes
from conceptbind.core.errors import ValueRangeError, cut
from conceptbind.core.findings import Verdicts
from conceptbind.core.outcomes import FILE as OUTCOMES
from conceptbind.core.outcomes import save_outcomes
from conceptbind.core.ownership import folders_of_a_command, own, refuse_in_use
from conceptbind.core.records import Records
from conceptbind.core.typing import Effort, Modalities
from conceptbind.encoders.options import Opening
from conceptbind.report.shown import Answered
from conceptbind.run.cluster import Cluster

if TYPE_CHECKING:
    from conceptbind.complexity.study import ComplexityStudy
    from conceptbind.core.findings import Findings, Study, Verdict
    from conceptbind.core.typing import Floats, Modality
    from conceptbind.crossmodal.study import CrossmodalStudy
    from conceptbind.geometry.scaling import ScalingWay
    from conceptbind.geometry.study import GeometryStudy
    from conceptbind.probes.study import ProbeStudy
    from conceptbind.repairs.study import RepairStudy
    from conceptbind.report.advice import Answer
    from conceptbind.report.gates import Gate
    from conceptbind.rows.source import Source
    from conceptbind.run.folder import RunFolder
    from conceptbind.scenes.split import Split
    from conceptbind.scenes.table import Scenes
    from conceptbind.studies.case import Case
    from conceptbind.within.study import WithinStudy


KEPT = ("embeddings", "pictures", "adapter", OUTCOMES)
"""What others read of a run, so that a finished run is one only where they are as
they were written."""


@dataclass(frozen=True, eq=False, repr=False)
class Measurement(Answered):
    """What `measure` found, and where it wrote it.

    Of a run that was finished before, records and verdicts are read from its folder; the studies
    themselves are computed when they are first asked for.
    """

    folder: Path
    """The run folder: results.json, results.csv, report.html, config.yaml, embeddings."""
    records: Records
    """All records of `results.json`."""
    verdicts: "tuple[Verdict, ...]"
    sentences: tuple[str, ...]
    """The verdicts and what else is said, in words."""
    answer: "Answer"
    """One plain sentence, and the command to run next."""
    compute: "Callable[[], tuple[Findings, ...]]" = field(repr=False)
    """Makes the findings."""
    gate: "Gate | None" = None
    """What became of the requirements; None where there are none."""

    @cached_property
    def findings(self) -> "dict[str, Findings]":
        """What each study found, by its name."""
        return {found.study: found for found in self.compute()}

    def _found(self, study: str) -> Any:
        return self.findings[study].found if study in self.findings else ()

    @property
    def studies(self) -> "tuple[ProbeStudy, ...]":
        """Of probes, one for each modality."""
        return self._found("probe")

    @property
    def attributes(self) -> Records:
        """Attribute-of-noun probes of each modality, and search probes where pictures are drawn."""
        return Records((*self._found("attribute_probe"), *self._found("search")))

    @property
    def within(self) -> "tuple[WithinStudy, ...]":
        """Paraphrases against swaps, one study for each modality that can be judged."""
        return self._found("within")

    @property
    def crossmodal(self) -> "CrossmodalStudy | None":
        """Pictures against captions, where the encoder and the scenes have both."""
        return next(iter(self._found("crossmodal")), None)

    @property
    def geometry(self) -> "tuple[GeometryStudy, ...]":
        """What the embeddings of each modality are made of."""
        return self._found("geometry")

    @property
    def complexity(self) -> "tuple[ComplexityStudy, ...]":
        """How simple the rule behind the embeddings of each modality is."""
        return self._found("complexity")

    @property
    def repair(self) -> "RepairStudy | None":
        """A linear repair of the captions, where they can be compared with pictures and swapped."""
        return next(iter(self._found("repair")), None)

    @property
    def _besides(self) -> tuple[str, ...]:
        """What is said besides the answer; without levels the answer is the first of it."""
        return tuple(one for one in self.sentences if one != self.answer.sentence)

    @property
    def said(self) -> tuple[str, ...]:
        """The answer and its sentences."""
        return (self.answer.sentence, *self._besides)

    def text(self, width: int | None = None) -> str:  # noqa: D102
        from conceptbind.report.summary import summary_table

        table = summary_table(self.records, width)
        parts = (str(self.answer), table, "\n".join(self._besides))
        judged = () if self.gate is None else (f"\n{self.gate}",)
        return "\n".join(
            ("\n\n".join(filter(None, parts)), f"Report: {self.folder / 'report.html'}", *judged)
        )


SCALED = ("quadruple", "scaling_distance", "scaling_weights", "scaling_sphere")
OF_EDITS = ("edit_strength", "edit_protocol", "edit_cases", "singles", *SCALED)
"""Options of the study of geometry."""
OF_TRAINING = ("along_epochs", "along_rate", "flip")
"""Options of the study in which the encoder is trained."""


@dataclass(frozen=True)
class Measure(Opening, Cluster, Gated[Measurement]):
    """Tell whether an encoder binds concepts, and write a report.

    Embeds every scene, fits linear probes, scores test scenes once, compares pictures with
    captions, and writes a run folder with `report.html`, `results.json`, `results.csv`,
    `config.yaml` and the embeddings. A killed run continues when it is started again.
    """

    HELD = frozenset({"singles"})

    encoder: GivenEncoder = "tiny"
    """Model to measure: tiny, tiny-bound, minilm, hf:NAME or hf:FOLDER, st:NAME or st:FOLDER,
    open_clip:ARCH@TAG, timm:NAME, mteb:NAME, api:URL?model=NAME (a server), or
    py:module:factory. Also controlled:DIR (made by train), and embeddings that exist already,
    file:PATH (.npy, .npz, .safetensors, or a folder written by embed).
    """
    _: KW_ONLY
    scenes: GivenScenes = "clevr2d"
    """Scenes to measure it on. Drawn here: clevr2d (clevr2d:3 has three objects). Captions: text20,
    or text20:10x10 with its first adjectives and nouns. Published files: clevr, clevr:PATH,
    pug-spar:PATH, pug-spare:PATH or pug-spare:PATH:WORLD, pug-animals:PATH, dsprites:FILE.npz,
    mpi3d:FILE.npz. The path of clevr is a label table, LABCLIP's output_2obj.csv or a scene file
    (clevr:FILE.json:3 takes scenes of 3 objects). Your own table: FILE.csv, or anywhere:FILE.csv
    for pictures outside its folder.
    """
    modality: Modalities = "auto"
    """What to embed: captions (text), pictures (image) or both; auto takes all that the encoder and
    the scenes can do.
    """
    out: GivenPath | None = None
    """Run folder to write; by default runs/ENCODER-SCENES, followed by options that differ from
    their defaults, such as runs/tiny-clevr2d-seed1.
    """
    seed: int = 0
    """Random seed; it decides which scenes are for training and which for the test."""
    template: str | None = None
    """How a caption names an object, for example "{a} {object}" or "a photo of [{a} {color}
    {shape}]".
    """
    studies: str = "all"
    """Studies to run: all, or names separated by commas: probe, within,
    attribute_probe, search, crossmodal, repair, geometry, complexity, and those that other
    packages add. Only where they are named: negation, query, factors, ceiling,
    probe_kinds, trained_along.
    """
    without: Sequence[str] = ()
    """Studies to leave out, by their names; --no-repair is short for --without repair."""
    paraphrased: int = 1000
    """Scenes whose captions are put in other words, at most; 0 for all. Whole orbits are drawn."""
    redrawn: int = 200
    """Scenes of which further pictures are drawn, at most; 0 for all."""
    synonyms: Sequence[str] = ()
    """Other words for a value, which paraphrases use: VALUE=WORD,WORD, for example
    red=crimson,scarlet. May be given several times.
    """
    controls: bool = True
    """Also measure the same architecture with random weights, where the encoder offers it; about
    doubles the time.
    """
    geometry: bool = True
    """Also study what the embeddings are made of: sums of objects and concepts, edits."""
    edit_strength: float = 1.0
    """Share of the way from one object's vector to the other that edits go, 0 or more; other than 1
    it is scored beside 1.
    """
    edit_protocol: Literal["strict", "paper"] = "strict"
    """How edits are scored: strict leaves the scene that they should lead to out of the vectors,
    paper scores them beside it with that scene left in, as published.
    """
    edit_cases: bool = False
    """Write every edit into edits-MODALITY.csv: scenes, values, and whether it hit."""
    quadruple: str = ""
    """Four values whose objects are scaled, such as red,blue,square,circle: two of the first
    concept, then two of the last. By default the first ones.
    """
    scaling_distance: Literal["euclidean", "cosine"] = "euclidean"
    """Distance of points in the scaling of four objects: euclidean, or cosine."""
    scaling_weights: Literal["full", "half"] = "full"
    """Sums in the scaling of four objects: full is one vector per object and slot. half is half of
    the mean of the scenes of each object.
    """
    scaling_sphere: bool = False
    """Put all points of the scaling of four objects on the unit sphere first."""
    singles: GivenRows | None = None
    """Rows of scenes of one object each, .npy, for object vectors of edits and sums; one row for
    each object, the first concept slowest. By default they are embedded where the encoder can.
    """
    along_epochs: int = 20
    """Passes over the train scenes of the study trained_along; validation chooses the best one."""
    along_rate: float = 3e-4
    """Highest learning rate of the encoder in the study trained_along."""
    flip: bool = False
    """Mirror pictures left to right by chance in the study trained_along; refused where concepts or
    captions speak of sides.
    """
    complexity: Effort = "short"
    """How thoroughly to approximate the rule from labels to embeddings: none, a short sweep, or the
    full one, which takes minutes to hours.
    """

    @classmethod
    def respelled(cls, words: Sequence[str]) -> list[str]:
        """`--no-STUDY` of one or several studies as `--without STUDY ...`.

        Raises:
            ValueRangeError: studies are left out in both ways.
        """
        if not any(word.startswith("--no-") for word in words):
            return list(words)
        from conceptbind.studies.registry import study_names

        switches = {option.name for option in options(cls) if option.kind is bool}
        known = {f"--no-{name}": name for name in study_names() if name not in switches}
        left_out = [known[word] for word in words if word in known]
        if not left_out:
            return list(words)
        if "--without" in (word.partition("=")[0] for word in words):
            names = " ".join(left_out)
            raise ValueRangeError(f"write either --without or --no-STUDY; add {names} to --without")
        return [*(word for word in words if word not in known), "--without", *left_out]

    def configuration(self) -> dict[str, Any]:
        """The options; a study that has an option of its own is left out by that alone."""
        config = super().configuration()
        without = list(config["without"])
        for study, off in (("geometry", False), ("complexity", "none")):
            if study in without:
                without.remove(study)
                config[study] = off
        return {**config, "without": without}

    def work(self) -> Measurement:
        """Measure, or read what was measured before."""
        return _measured(self)


measure = function_of(Measure)


def _measured(asked: Measure) -> Measurement:
    """Measure, or read what was measured before."""
    from conceptbind.core.files import content_hash, user_path
    from conceptbind.rows.source import open_inputs
    from conceptbind.run.executors import check_executor
    from conceptbind.run.folder import RunFolder
    from conceptbind.scenes.paraphrases import require_synonyms, synonyms_of
    from conceptbind.scenes.split import split_scenes
    from conceptbind.studies.loop import answers
    from conceptbind.studies.registry import needs_split

    config = asked.configuration()
    words = synonyms_of(asked.synonyms)
    for name in ("paraphrased", "redrawn"):
        if config[name] < 0:
            raise ValueRangeError(
                f"--{name} must be a number of scenes, or 0 for all; got {config[name]}"
            )
    if not 0 <= asked.edit_strength < math.inf:
        raise ValueRangeError(
            f"--edit_strength must be 0 or more, and finite; got {asked.edit_strength}"
        )
    base = str(config["encoder"]), str(config["scenes"])
    place = user_path(asked.out or default_folder(base, asked, ("encoder", "scenes")))
    refuse_in_use(place)
    check_executor(asked.executor, asked.address, asked.jobs)
    source, table = open_inputs(asked.encoder, asked.scenes, asked.template, asked)
    require_synonyms(table.space, words)
    modalities = source.able(table, asked.modality)
    chosen = _chosen(config)
    _settle_geometry(asked, [study.name for study in chosen], table)
    _settle_training(asked, [study.name for study in chosen], table, modalities)
    alone = None if asked.singles is None else _singles(asked, table, modalities)
    split = None
    if needs_split(chosen):
        split = split_scenes(table, "pair", seed=asked.seed)
    for part in modalities:
        source.check(table, part)
    if "text" in modalities and source.encoder is not None and source.encodes("text"):
        try_captions(source.encoder, table)
    refuse_unmeasured(asked.requirements(), [study.name for study in chosen], modalities, table)
    folder = RunFolder.open(place, config)
    case = partial(_case, source, table, split, modalities, folder.path, config, alone)
    decided = _decided(source, table, split)  # before pictures are drawn, which changes the table
    if alone is not None:
        decided["singles"] = content_hash(alone.tobytes())
    kept = _finished(folder, decided)
    if kept is not None:

        def again() -> "tuple[Findings, ...]":
            with folders_of_a_command():
                return answers(case(), chosen)

        records, judged, sentences, answer = kept
        return Measurement(folder.path, records, judged, sentences, answer, again)
    mine = case()
    missing = {study.name: why for study in chosen if (why := study.applies(mine)) is not None}
    refuse_inapplicable(asked.requirements(), missing)
    found = answers(mine, chosen)
    return _written(folder, mine, found, config, decided, missing)


def _scaling(config: Mapping[str, Any]) -> "ScalingWay":
    """How four objects are scaled.

    Raises:
        ValueRangeError: the quadruple is not four names.
    """
    from conceptbind.geometry.scaling import ScalingWay

    given = config["quadruple"]
    names = tuple(name.strip() for name in given.split(",")) if given else ()
    if given and (len(names) != 4 or not all(names)):
        raise ValueRangeError(
            "--quadruple must be four names with a comma between them, such as "
            f"red,blue,square,circle; got '{cut(given)}'"
        )
    told = {name: config[f"scaling_{name}"] for name in ("distance", "weights", "sphere")}
    return ScalingWay(names, **told)


def _settle_geometry(asked: Measure, chosen: Sequence[str], table: "Scenes") -> None:
    """Raise where an option of the geometry is without effect, or cannot be used."""
    from conceptbind.geometry.scaling import quadruple_of

    if "geometry" not in chosen:
        asked.refuse(OF_EDITS, "the study geometry, which is left out")
    elif asked.quadruple:
        quadruple_of(table, _scaling(asked.configuration()))


def _settle_training(
    asked: Measure, chosen: Sequence[str], table: "Scenes", modalities: "tuple[Modality, ...]"
) -> None:
    """Raise where an option of training along is without effect, or cannot be used."""
    if "trained_along" not in chosen:
        asked.refuse(OF_TRAINING, "the study trained_along, which was not named")
        return
    from conceptbind.ceiling.along.training import BATCH, settle_options

    if asked.flip and "image" not in modalities:
        raise ValueRangeError("--flip mirrors pictures, and only captions are embedded here")
    settle_options(
        table,
        epochs=asked.along_epochs,
        rate=asked.along_rate,
        batch=BATCH,
        flip=asked.flip,
        modality=modalities[-1],
        prefix="--along_",
    )


def _singles(asked: Measure, table: "Scenes", modalities: "tuple[Modality, ...]") -> "Floats":
    """(|O|, d) rows of single objects that were given.

    Raises:
        ValueRangeError: they are not one for each object, hold no finite numbers, or are asked for
            beside two modalities.
    """
    import numpy as np

    from conceptbind.core.errors import ValueRangeError
    from conceptbind.metrics.checks import refuse_non_finite
    from conceptbind.repairs.labclip.pairs import open_rows

    assert asked.singles is not None
    if len(modalities) > 1:
        raise ValueRangeError(
            "--singles holds rows of one modality; say which with --modality text or image"
        )
    rows = np.ascontiguousarray(open_rows(asked.singles), dtype=np.float32)
    if rows.ndim != 2 or len(rows) != table.space.n_objects:
        raise ValueRangeError(
            f"--singles needs one row for each of {table.space.n_objects:,} objects; got shape "
            f"{rows.shape}"
        )
    refuse_non_finite(rows, "--singles")
    if not np.linalg.norm(rows, axis=1).all():
        raise ValueRangeError("--singles has a row of length 0, which has no direction")
    return rows


def _written(
    folder: "RunFolder",
    case: "Case",
    found: "tuple[Findings, ...]",
    config: dict[str, Any],
    decided: dict[str, Any],
    missing: Mapping[str, str],
) -> Measurement:
    """Write the page, the files and, last, the results of a run."""
    from conceptbind.core.files import tree_hash, write_whole
    from conceptbind.report.cards import verdict_card
    from conceptbind.report.items import ITEMS, items_csv, items_section
    from conceptbind.report.levels import HEAD, level_rows
    from conceptbind.report.page import PAGE, render_page
    from conceptbind.run.facts import provenance

    records = Records(record for part in found for record in part.records)
    judged = Verdicts(verdict for part in found for verdict in part.verdicts)
    said = (sentence for part in found for sentence in part.sentences)
    said_why = {part.study for part in found}
    asked_for = missing if config["studies"] != "all" else {}
    named = {name: why for name, why in asked_for.items() if name not in said_why}
    left_out = (f"The study {name} was left out: {why}." for name, why in named.items())
    sentences = (*(verdict.sentence for verdict in judged), *said, *left_out)
    answer = _answer(folder.path, case, found, sentences, config)
    rows = [case.rows(modality) for modality in case.modalities]
    facts = provenance(config, case.table, case.made_split, rows, sys.argv)
    page = folder.path / "report.html"
    outcomes = [outcome for part in found for outcome in part.outcomes]
    sections = [section for part in found for section in part.sections]
    sections += filter(None, (items_section(outcomes, case.table),))
    render_page(
        page,
        "report.html.j2",
        title=_title(rows[0].encoder, judged),
        scenes=_scenes(case.table),
        answer=answer.as_json(),
        levels={"head": HEAD, "rows": level_rows(judged)},
        verdicts=[verdict_card(part, verdict) for part in found for verdict in part.verdicts],
        sections=[vars(section) for section in sections],
        terms=list(dict.fromkeys(term for part in found for term in part.terms)),
        provenance=facts,
    )
    files = {name: text for part in found for name, text in part.files.items()}
    if outcomes:
        files[ITEMS] = items_csv(outcomes, case.table)
    for name, text in files.items():
        write_whole(folder.path / name, text)
    if outcomes:
        save_outcomes(folder.path, outcomes, _items(case, decided))
    shown = [folder.path / name for name in sorted((page.name, PAGE, *files, *KEPT))]
    told = {
        "answer": answer.as_json(),
        "asked": decided,
        "files": {path.name: tree_hash(path, case.hash_of) for path in shown if path.exists()},
    }
    folder.write_results(facts, records, told, verdicts=judged, sentences=sentences)
    return Measurement(folder.path, records, judged, sentences, answer, lambda: found)


def _title(encoder: str, judged: "Sequence[Verdict]") -> str:
    """The question of the page."""
    if any(one.level is not None or one.repairs is not None for one in judged) or not judged:
        return f"Does {encoder} bind concepts?"
    return f"How {encoder} answers"


def _answer(
    folder: Path,
    case: "Case",
    found: "Sequence[Findings]",
    sentences: Sequence[str],
    config: dict[str, Any],
) -> "Answer":
    """The plain sentence, and the command to run next."""
    from conceptbind.encoders.registry import can_be_named
    from conceptbind.repairs.answer import ADAPTER
    from conceptbind.repairs.labclip.adapter import WEIGHTS
    from conceptbind.report.advice import answer_at
    from conceptbind.studies.answer import (
        next_command,
        other_answers,
        plain_answer,
        worth_applying,
    )

    judged = [verdict for part in found for verdict in part.verdicts]
    who = case.rows(case.modalities[0]).encoder
    mended = any(map(worth_applying, judged))
    kept = (folder / ADAPTER / WEIGHTS).is_file() and (folder / "embeddings" / "text").is_dir()
    named = case.encoder is not None and can_be_named(str(config["encoder"]))
    scenes = str(config["scenes"])
    why, form = next_command(
        str(config["encoder"]),
        judged,
        adapter=mended and kept,
        trainable=named and hasattr(case.encoder, "trainable"),
        reads=named and "text" in case.modalities,
        scenes=scenes if _is_named(scenes) else None,
    )
    if not any(verdict.level or verdict.repairs is not None for verdict in judged):
        why, form = next((part.next for part in found if part.next[1]), (why, form))
    parts = plain_answer(who, case.table.space.concepts, judged), other_answers(judged)
    said = " ".join(filter(None, parts)) or next(iter(sentences), "")
    return answer_at(folder, said, why, form)


def _is_named(scenes: str) -> bool:
    """Whether scenes are called as a command line calls them, and not by their content."""
    return not scenes.endswith(")")


def _items(case: "Case", decided: dict[str, Any]) -> str:
    """Hash of the scenes, and of the seed of pictures that are drawn: runs with one hash answered
    the same questions.
    """
    from conceptbind.core.files import content_hash

    drawing = "" if case.table.drawing is None else f"seed {case.asked.seed}"
    return content_hash(decided["scenes"]["hash"], drawing)


def _scenes(table: "Scenes") -> dict[str, Any]:
    """What the head of the page says of the scenes."""
    return {
        "name": table.name,
        "n": len(table),
        "slots": table.n_slots,
        "objects": table.space.n_objects,
        "concepts": list(zip(table.space.concepts, table.space.sizes, strict=True)),
    }


def _decided(source: "Source", table: "Scenes", split: "Split | None") -> dict[str, Any]:
    """What decides the results besides the options."""
    from conceptbind.core.version import __version__
    from conceptbind.run.facts import scenes_facts, split_facts

    who = {"encoder": source.id, "revision": source.revision}
    return {
        "conceptbind": __version__,
        **who,
        "scenes": scenes_facts(table),
        "split": split_facts(split),
    }


def _finished(folder: "RunFolder", asked: dict[str, Any]) -> Any:
    """Records, verdicts, sentences and the answer of this very run where it was finished before;
    else None.
    """
    from conceptbind.core.errors import FileError
    from conceptbind.core.files import tree_hash
    from conceptbind.report.advice import Answer

    kept = folder.finished()
    if kept is None:
        return None
    try:
        files = {folder.path / name: wanted for name, wanted in kept.told["files"].items()}
        if kept.told["asked"] != asked or any(
            tree_hash(path) != wanted for path, wanted in files.items()
        ):
            return None
        answer = Answer.from_json(kept.told["answer"], folder.path)
        return kept.records, kept.verdicts, kept.sentences, answer
    # not finished, of another form, or a file is gone
    except (
        KeyError,
        TypeError,
        AttributeError,
        FileError,
    ):
        return None


def _case(
    source: "Source",
    table: "Scenes",
    split: "Split | None",
    modalities: "tuple[Modality, ...]",
    folder: Path,
    config: dict[str, Any],
    alone: "Floats | None",
) -> "Case":
    """The case of a run, with its pictures drawn."""
    from conceptbind.encoders.registry import torch_device
    from conceptbind.scenes.paraphrases import synonyms_of
    from conceptbind.studies.case import Asked, Case

    own(folder)
    known = {item.name for item in fields(Asked)}
    asked = {name: value for name, value in config.items() if name in known}
    asked["singles"] = alone
    asked["scaling"] = _scaling(config)
    asked["synonyms"] = synonyms_of(config["synonyms"])
    table = drawn(table, modalities, folder / "pictures", config["seed"])
    asked["device"] = torch_device(config["device"])
    return Case(source, table, split, modalities, folder, Asked(**asked))


def _chosen(config: dict[str, Any]) -> "tuple[Study, ...]":
    """The studies that are asked for.

    Raises:
        UnknownNameError: there is no such study.
        ValueRangeError: none is left.
    """
    from conceptbind.studies.registry import known_studies, load_studies, study_names

    asked = str(config["studies"])
    words = (word.strip() for word in asked.split(","))
    names = study_names() if asked == "all" else known_studies(word for word in words if word)
    if not names:
        raise ValueRangeError(
            "--studies names no study; give all, or some of "
            f"{', '.join(study_names(on_request=True))}"
        )
    left_out = set(known_studies(config["without"]))
    if not config["geometry"]:
        left_out.add("geometry")
    if config["complexity"] == "none":
        left_out.add("complexity")
    chosen = tuple(name for name in names if name not in left_out)
    if not chosen:
        raise ValueRangeError(
            f"no study is left: --studies {asked} without {', '.join(sorted(left_out))}"
        )
    return load_studies(chosen)
