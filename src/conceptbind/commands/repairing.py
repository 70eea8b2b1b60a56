"""Fit a linear repair."""

from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from conceptbind.commands.captioned import (
    Pairing,
    coco_pairs,
    open_model,
    pairs_of_arrays,
)
from conceptbind.commands.command import Command, function_of
from conceptbind.commands.fitted import (
    laboratory_on_arrays,
    laboratory_on_scenes,
    on_arrays,
    on_scenes,
    written,
)
from conceptbind.commands.laboratory import entrants, require_plain
from conceptbind.commands.querying import Asked, for_queries, laboratory_of_queries, repair_queries
from conceptbind.commands.repaired import Repaired, answer_of
from conceptbind.commands.shared import (
    GivenCaptions,
    GivenEncoder,
    GivenPath,
    GivenRows,
    GivenScenes,
)
from conceptbind.core.findings import Verdicts
from conceptbind.core.ownership import refuse_in_use
from conceptbind.encoders.options import Opening

if TYPE_CHECKING:
    from conceptbind.rows.source import Source


Method = Literal[
    "HNB",
    "SB",
    "ridge",
    "procrustes",
    "cca",
    "low_rank",
    "diagonal",
    "erasure",
    "laboratory",
]


OF_QUERIES = ("paraphrased", "retrieval")
OF_SCENES = ("scenes", "template")
BESIDE_PICTURES = ("solver", "rate", "batch", "epochs", "tagger")


@dataclass(frozen=True)
class Repair(Opening, Command[Repaired]):
    """Fit a linear map of captions (LABCLIP) that makes binding usable between pictures and
    captions; pictures stay as they are.

    Give an encoder and scenes, or arrays of pictures, captions and hard negatives. Or give an
    encoder, an array of pictures and a file of their captions: their negatives are made by
    exchanging nouns and adjectives. For an encoder of captions alone, the map is one of queries.
    Writes an adapter folder with a report. Scores are of combinations, or pictures, that the map
    was not fitted on.
    """

    HELD = frozenset(("images", "texts", "negatives", "image_of", "captions"))

    encoder: GivenEncoder | None = None
    """Model to repair: tiny, hf:NAME or hf:FOLDER, open_clip:ARCH@TAG, or py:module:factory; none
    with three arrays.
    """
    _: KW_ONLY
    out: GivenPath
    """Adapter folder to write."""
    scenes: GivenScenes = "clevr2d"
    """Scenes to fit on: clevr2d, pug-spare:PATH, or another table with pictures; see conceptbind
    measure --help.
    """
    images: GivenRows | None = None
    """.npy file of picture embeddings (p, d), instead of scenes."""
    texts: GivenRows | None = None
    """.npy file of caption embeddings (n, d), for --images."""
    negatives: GivenRows | None = None
    """.npy file of embeddings (n, d) of each caption with its attributes exchanged, or (n, k, d) of
    1 to 8 wrong captions of each. Without it the map is fitted on captions and pictures alone (SB).
    """
    image_of: GivenRows | None = None
    """.npy file of n row numbers, the picture of each caption, where a picture has several."""
    captions: GivenCaptions | None = None
    """Text file with the caption of each row of --images, one per line, instead of --texts; needs
    an encoder, which embeds them and their negatives. For queries a file with the columns caption,
    paraphrase and negative.
    """
    coco: GivenPath | None = None
    """Folder with coco_karpathy_train.json or dataset_coco.json and the pictures that it names:
    negatives are made, everything is embedded (float16 on disk) and fitted. Where the test pictures
    are there too, retrieval is scored before and after.
    """
    tagger: str = "auto"
    """Program that finds nouns and adjectives in captions: spacy, spacy:MODEL, hanta, or auto."""
    method: Method = "HNB"
    """What is fitted: HNB (LABCLIP with hard negatives), SB (without), ridge, procrustes, cca,
    low_rank, diagonal or erasure. laboratory compares all of them, maps of pictures and a small
    network too, and writes the one that is recommended. Of queries HNB is a convex comparison of
    all captions of an orbit, and laboratory compares maps of queries.
    """
    solver: Literal["quick", "published"] = "quick"
    """How the map is fitted: quick (Adam along the principal axes), or published (Adam as in the
    paper).
    """
    rate: float | None = None
    """Learning rate; by default the solver's own."""
    batch: int = 1024
    """Pairs per step of fitting."""
    epochs: int | None = None
    """Passes over the pairs; by default the solver's own."""
    pull: float | None = None
    """Share of the way from no repair (0) to the fitted map (1); by default what validation
    recommends.
    """
    side: Literal["auto", "text", "query"] = "auto"
    """What the map is for: captions beside pictures (text), or queries among captions (query).
    The index stays as it is. auto takes query for encoders of captions alone.
    """
    paraphrased: int = 3200
    """Scenes whose captions are put in other words, at most; 0 for all. For queries alone."""
    retrieval: GivenPath | None = None
    """File of captions that people wrote (caption, paraphrase, negative), on which the cost is
    told. For queries alone.
    """
    seed: int = 0
    """Random seed; it decides what is for fitting and what for scoring, the batches and the
    negatives.
    """
    template: str | None = None
    """How a scene's caption names an object, for example "{a} {object}"."""

    def work(self) -> Repaired:
        """Fit, score and write the map."""
        found = self._written()
        (verdict,) = found.verdicts
        return replace(found, answer=answer_of(found.folder, self.configuration(), verdict))

    def _written(self) -> Repaired:
        from conceptbind.core.errors import ValueRangeError
        from conceptbind.core.files import user_path
        from conceptbind.encoders.registry import torch_device
        from conceptbind.repairs.arrays import require_repairable
        from conceptbind.run.folder import RunFolder

        if self.pull is not None and not 0 <= self.pull <= 1:
            raise ValueRangeError(
                f"--pull must lie between 0 (no repair) and 1 (the fitted map); got {self.pull}"
            )
        if self.seed < 0:
            raise ValueRangeError(f"--seed must not be negative; got {self.seed}")
        if self.coco is None:
            _require_files(self.captions, self.retrieval)
        options = {
            "solver": self.solver,
            "rate": self.rate,
            "batch": self.batch,
            "epochs": self.epochs,
            "device": torch_device(self.device),
        }
        if self.method != "HNB":
            require_plain(self.method, options)
        config, folder = self.configuration(), user_path(self.out)
        refuse_in_use(folder)
        by = Pairing(self.tagger, self, self.seed, folder, config)
        given: Any = None
        encoder: Any = self.encoder
        given_rows = (self.images, self.texts, self.negatives, self.image_of, self.coco)
        arrays = any(rows is not None for rows in given_rows)
        source = for_queries(encoder, self.side, self, arrays=arrays)
        if source is not None:
            return _of_queries(self, source, folder, config)
        self.refuse(OF_QUERIES, "maps of queries among captions (--side query)")
        _refuse_unused(self)
        if self.coco is not None:
            rows = (self.images, self.texts, self.negatives, self.image_of, self.captions)
            if encoder is None or any(rows):
                raise ValueRangeError(
                    "--coco needs an encoder, and none of --images, --texts, --negatives, "
                    "--image_of and --captions"
                )
            encoder = open_model(encoder, self, ("text", "image"))
            given = coco_pairs(encoder, self.coco, by)
        elif self.images is None:
            if self.method != "HNB":
                return laboratory_on_scenes(self, folder, config)
            found, facts = on_scenes(self, folder, config, options)
            return written(folder, config, found, facts, None, (encoder, self.coco))
        else:
            given = pairs_of_arrays(
                encoder,
                self.images,
                self.texts,
                self.negatives,
                self.image_of,
                self.captions,
                by,
            )
            require_repairable(given.pairs, self.seed)
            if self.method != "HNB":
                entrants(self.method, given.pairs.n_negatives)
            RunFolder.open(folder, config)
        if self.method != "HNB":
            return laboratory_on_arrays(self, folder, config, given, encoder)
        found, facts = on_arrays(given, config, options, self.pull, self.seed)
        return written(folder, config, found, facts, given, (encoder, self.coco))


repair = function_of(Repair)


def _refuse_unused(asked: Repair) -> None:
    """Raise ValueRangeError where scenes are named that rows or pictures take the place of, or rows
    without pictures.
    """
    from conceptbind.core.errors import ValueRangeError

    if asked.coco is not None or asked.images is not None:
        asked.refuse(OF_SCENES, "repairs on scenes, and rows or pictures were given")
        return
    beside = ("texts", "negatives", "image_of", "captions")
    given = [f"--{name}" for name in beside if getattr(asked, name) is not None]
    if given:
        raise ValueRangeError(
            f"{' and '.join(given)} can be used beside --images alone, which was not given; give "
            "--images with the embeddings of the pictures, or leave the other out"
        )


def _require_files(*given: Any) -> None:
    """Raise FileError where a file that is named is not there: before a model is opened."""
    from conceptbind.core.files import user_path
    from conceptbind.core.limits import require_regular

    for one in given:
        if isinstance(one, str | Path):
            require_regular(user_path(one))


def _of_queries(
    asked: Repair, source: "Source", folder: Path, config: "dict[str, Any]"
) -> Repaired:
    """A map of queries."""
    asked.refuse(BESIDE_PICTURES, "repairs beside pictures")
    if asked.captions is not None:
        names = (*OF_SCENES, "paraphrased")
        asked.refuse(names, "repairs on scenes, and --captions was given")
    if asked.method == "HNB":
        asked.refuse(("pull",), "repairs beside pictures, and of the laboratory")
    wanted = Asked(
        asked.scenes,
        asked.template,
        asked.captions,
        asked.retrieval,
        asked.paraphrased,
        asked.seed,
    )
    if asked.method != "HNB":
        told = laboratory_of_queries(wanted, asked.method, asked.pull, source, folder, config)
        adapter, records, verdict = told
        return Repaired(folder, adapter, records, verdict.sentence, verdicts=Verdicts((verdict,)))
    found = repair_queries(wanted, source, folder, config)
    records, sentence = found.records, found.verdict.sentence
    return Repaired(folder, found.adapter, records, sentence, verdicts=Verdicts((found.verdict,)))
