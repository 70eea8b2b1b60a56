"""What `conceptbind repair` does on scenes and on arrays: embed, fit, score, write."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from conceptbind.commands.captioned import coco_retrieval
from conceptbind.commands.common import drawn, rows_with_bar
from conceptbind.commands.laboratory import compare_methods, write_laboratory
from conceptbind.commands.repaired import DROPPED, FAILURES, Repaired, answer_of
from conceptbind.core.findings import Verdicts
from conceptbind.core.names import Control
from conceptbind.core.records import Records
from conceptbind.run.bars import progress

if TYPE_CHECKING:
    from conceptbind.commands.captioned import Given
    from conceptbind.commands.repairing import Repair
    from conceptbind.crossmodal.bank import CaptionBank
    from conceptbind.repairs.arrays import ArrayRepair
    from conceptbind.repairs.study import RepairStudy
    from conceptbind.rows.embeddings import Embeddings
    from conceptbind.rows.source import Source
    from conceptbind.scenes.table import Scenes


def written(
    folder: Path,
    config: dict[str, Any],
    found: RepairStudy | ArrayRepair,
    facts: dict[str, Any],
    given: Given | None,
    coco: tuple[Any, str | Path | None],
) -> Repaired:
    """Write all files of a repair; with pictures of COCO, score retrieval before and after."""
    from conceptbind.repairs.card import described, repair_card
    from conceptbind.repairs.labclip.adapter import save_adapter
    from conceptbind.repairs.section import repair_summary, write_repair_report
    from conceptbind.repairs.words import repair_verdict
    from conceptbind.run.folder import RunFolder

    run, verdict = RunFolder.open(folder, config), repair_verdict(found)
    sentence = verdict.sentence
    run.write_table(FAILURES, *_failures(found, given))
    if given is not None and given.dropped:
        run.write_table(DROPPED, ("row", "reason", "caption"), given.dropped)
    answer = answer_of(folder, config, verdict)
    write_repair_report(folder / "report.html", found, verdict, facts, answer.as_json())
    adapter = described(found, **_fitted_on(facts))
    save_adapter(adapter, folder, repair_card(adapter, found, sentence))
    encoder, pictures = coco
    retrieval = Records()
    if pictures is not None:
        retrieval = coco_retrieval(encoder, pictures, adapter, folder)
    records = found.records + retrieval
    told = {"answer": answer.as_json()}
    run.write_results(facts, records, told, verdicts=[verdict], sentences=[sentence])
    judged, summary = Verdicts((verdict,)), repair_summary(found)
    return Repaired(folder, adapter, found.records, sentence, retrieval, summary, judged)


class _Scenes(NamedTuple):
    """A table, its captions, and rows of both."""

    source: Source
    table: Scenes
    bank: CaptionBank
    rows: dict[str, tuple[Embeddings, Embeddings]]
    """Pictures and captions, of the encoder and of controls, by name."""

    def facts(self, config: dict[str, Any], seed: int, folds: int) -> dict[str, Any]:
        """What was scored, for the provenance."""
        from conceptbind.run.facts import provenance
        from conceptbind.scenes.split import split_scenes

        split = split_scenes(self.table, "orbit", fractions=(0.8, 0.1, 0.1), seed=seed)
        facts = provenance(config, self.table, split, list(self.rows[Control.NONE]), sys.argv)
        return facts | {"split": {"by": "orbit", "folds": folds, "seed": seed}}


def _embedded(asked: Repair, folder: Path, config: dict[str, Any]) -> _Scenes:
    """Embed a table."""
    from conceptbind.core.errors import ModalityError, ValueRangeError
    from conceptbind.crossmodal.bank import caption_bank
    from conceptbind.repairs.study import require_swaps
    from conceptbind.rows.source import bag_twin, open_inputs, source_of
    from conceptbind.run.folder import RunFolder

    if asked.encoder is None or asked.texts or asked.negatives or asked.captions:
        raise ValueRangeError(
            "a repair needs an encoder and --scenes; or --images, --texts and --negatives (.npy); "
            "or an encoder, --images and --captions"
        )
    source, table = open_inputs(asked.encoder, asked.scenes, asked.template, asked)
    seed = asked.seed
    if source.encoder is None or len(source.able(table, "both")) < 2:
        raise ModalityError(
            f"a repair needs an encoder of pictures and captions; '{source.id}' embeds "
            f"{' and '.join(source.modalities)}"
        )
    bank = caption_bank(table, seed)
    if len(bank.swap_of) == 0:
        require_swaps(None, table)
    RunFolder.open(folder, config)
    table = drawn(table, ("image",), folder / "pictures", seed)
    rows = {}
    twin = bag_twin(source, asked.device)
    models: dict[str, Any] = {Control.NONE: source}
    if twin is not None:
        models[Control.BAG_TWIN] = source_of(twin)
    for name, model in models.items():
        if model is not None:
            places = [
                folder / "embeddings" / (part if name == Control.NONE else f"{part}-{name}")
                for part in ("image", "captions")
            ]
            rows[name] = (
                rows_with_bar(model, table, "image", places[0]),
                rows_with_bar(model, bank.scenes, "text", places[1], "captions and their swaps"),
            )
    return _Scenes(source, table, bank, rows)


def on_scenes(
    asked: Repair, folder: Path, config: dict[str, Any], options: dict[str, Any]
) -> tuple[Any, Any]:
    """Embed a table, fit and score."""
    from conceptbind.repairs.study import repair_study, require_swaps, single_objects

    found = _embedded(asked, folder, config)
    assert found.source.encoder is not None
    controls = {name: rows for name, rows in found.rows.items() if name != Control.NONE}
    with progress(desc="fitting", unit="step") as bar:

        def step(name: str) -> None:
            bar.note(name)
            bar.update()

        study = repair_study(
            *found.rows[Control.NONE],
            found.table,
            found.bank,
            singles=single_objects(found.source.encoder, found.table, asked.seed),
            controls=controls,
            pull=asked.pull,
            options=options,
            seed=asked.seed,
            on_step=step,
        )
    study = require_swaps(study, found.table)
    return study, found.facts(config, asked.seed, study.folds)


def laboratory_on_scenes(asked: Repair, folder: Path, config: dict[str, Any]) -> Repaired:
    """Embed a table, and fit and score one method or all."""
    from conceptbind.repairs.held_scenes import HeldScenes
    from conceptbind.repairs.laboratory.grounds import SceneGround, require_folds
    from conceptbind.repairs.study import single_objects

    found = _embedded(asked, folder, config)
    assert found.source.encoder is not None
    require_folds(found.table, found.bank)
    singles = single_objects(found.source.encoder, found.table, asked.seed)
    grounds = {}
    for name, (images, captions) in found.rows.items():
        rows = images.unit().values, captions.unit().values
        own = singles if name == Control.NONE else None
        held = HeldScenes(*rows, found.table, found.bank, own)
        names = {"scenes": found.table.name, "encoder": images.encoder}
        grounds[name] = SceneGround(held, names, asked.seed)
    ground, twin = grounds[Control.NONE], grounds.get(Control.BAG_TWIN)
    result = compare_methods(asked.method, ground, twin, asked.pull, asked.seed)
    facts = found.facts(config, asked.seed, result.folds)
    on = _fitted_on(facts)
    adapter, records, verdict = write_laboratory(folder, config, result, facts, on, "combinations")
    return Repaired(folder, adapter, records, verdict.sentence, verdicts=Verdicts((verdict,)))


def laboratory_on_arrays(
    asked: Repair, folder: Path, config: dict[str, Any], given: Given, encoder: Any
) -> Repaired:
    """Fit and score one method or all on pairs."""
    from conceptbind.repairs.laboratory.grounds import PairGround
    from conceptbind.run.folder import RunFolder

    names = {key: given.names[key] for key in ("scenes", "encoder")}
    ground = PairGround(given.pairs, names, asked.seed)
    result = compare_methods(asked.method, ground, None, asked.pull, asked.seed)
    facts = _facts_of(given, config)
    if given.dropped:
        run = RunFolder.open(folder, config)
        run.write_table(DROPPED, ("row", "reason", "caption"), given.dropped)
    on = _fitted_on(facts)
    adapter, records, verdict = write_laboratory(folder, config, result, facts, on, "pairs")
    retrieval = Records()
    if asked.coco is not None:
        retrieval = coco_retrieval(encoder, asked.coco, adapter, folder)
    return Repaired(
        folder, adapter, records, verdict.sentence, retrieval, verdicts=Verdicts((verdict,))
    )


def on_arrays(
    given: Given,
    config: dict[str, Any],
    options: dict[str, Any],
    pull: float | None,
    seed: int,
) -> tuple[Any, Any]:
    """Fit and score pairs."""
    from conceptbind.repairs.arrays import array_repair

    with progress(desc="fitting", unit="step") as bar:

        def step(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        labels = {key: given.names[key] for key in ("scenes", "encoder")}
        found = array_repair(
            given.pairs, pull=pull, options=options, seed=seed, names=labels, on_step=step
        )
    return found, _facts_of(given, config)


def _facts_of(given: Given, config: dict[str, Any]) -> dict[str, Any]:
    """What was fitted on, for the provenance."""
    from conceptbind.run.facts import plain_provenance

    data = {
        "hash": given.pairs.hash,
        "pairs": len(given.pairs),
        "dropped": len(given.dropped),
        **given.names,
    }
    return plain_provenance(config, sys.argv) | {"data": data}


def _failures(
    found: RepairStudy | ArrayRepair, given: Given | None
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Columns and rows of what is wrong with the map that is written: a scene and its swap, or a
    row of the arrays.
    """
    from conceptbind.repairs.arrays import ArrayRepair

    written = int(found.recommended or found.asked)
    if not isinstance(found, ArrayRepair) or given is None:
        assert not isinstance(found, ArrayRepair)
        columns = ("scene", "image", "caption", "swap", "right before", "right after", "of")
        wrong = [
            c for c in found.comparisons if (c.right_before, c.right_after)[written] < found.orders
        ]
        return columns, [
            (c.id, c.image or "", c.true, c.swap, c.right_before, c.right_after, found.orders)
            for c in wrong
        ]
    rows = []
    before, after = found.all_right
    for place in (~(before, after)[written]).nonzero()[0].tolist():
        pair = int(found.rows[place])
        texts = ("", "") if given.texts is None else (given.texts[0][pair], given.texts[1][pair])
        rows.append(
            (
                int(given.rows[pair]),
                int(given.pairs.image_of[pair]),
                *texts,
                bool(before[place]),
                bool(after[place]),
            )
        )
    return ("row", "image", "caption", "negative", "right before", "right after"), sorted(rows)


def _fitted_on(facts: dict[str, Any]) -> dict[str, Any]:
    """What a map was fitted on, from the provenance."""
    encoder: dict[str, Any] = next((dict(e) for e in facts.get("encoders", ())), {})
    data = facts.get("data", {})
    given = data.get("encoder") if data.get("encoder") != "arrays" else None
    return {
        "encoder": encoder.get("encoder") or given,
        "revision": encoder.get("revision") or data.get("revision"),
        "scenes": facts.get("scenes", {}).get("name") or data.get("scenes"),
        "dropped": data.get("dropped", 0),
    }
