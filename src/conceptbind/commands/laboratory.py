"""The laboratory of `conceptbind repair --method`: other repairs than the default one, or all."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.commands.repaired import answer_of
from conceptbind.run.bars import progress

if TYPE_CHECKING:
    from conceptbind.core.findings import Verdict
    from conceptbind.core.records import Records
    from conceptbind.repairs.labclip.adapter import Adapter
    from conceptbind.repairs.laboratory.contest import Laboratory
    from conceptbind.repairs.laboratory.contract import Side
    from conceptbind.repairs.laboratory.entrants import Contender
    from conceptbind.repairs.laboratory.grounds import Ground

ALL = "laboratory"
"""The --method that compares all."""


def require_plain(method: str, options: "dict[str, Any]") -> None:
    """Raise where options of LABCLIP's solvers are given to another method.

    Args:
        method: what was asked for.
        options: solver, rate, batch and epochs.

    Raises:
        ValueRangeError: one of them is not the default.
    """
    from conceptbind.core.errors import ValueRangeError

    plain = {"solver": "quick", "rate": None, "batch": 1024, "epochs": None}
    given = [f"--{name}" for name, value in plain.items() if options[name] != value]
    if given:
        raise ValueRangeError(
            f"{', '.join(given)} is of --method HNB, and --method {method} was asked for; leave "
            "one of them out"
        )


def entrants(
    method: str | tuple[str, ...], n_negatives: int, side: "Side" = "text"
) -> "Sequence[Contender]":
    """The methods that a --method means, of captions beside pictures or of queries; or some by
    name.

    Raises:
        ValueRangeError: it needs negatives, and there are none.
    """
    from conceptbind.core.names import Repair
    from conceptbind.repairs.laboratory.entrants import alone, contenders

    if method == ALL:
        return contenders(n_negatives, side)
    names = (method,) if isinstance(method, str) else method
    return alone([Repair(name) for name in names], n_negatives, side)


def compare_methods(
    method: str | tuple[str, ...],
    ground: "Ground",
    twin: "Ground | None",
    pull: float | None,
    seed: int,
) -> "Laboratory":
    """Fit and score one method, some or all beside no repair."""
    from conceptbind.repairs.laboratory.contest import laboratory

    several = entrants(method, ground.n_negatives, ground.side)
    with progress(desc="fitting", unit="step") as bar:

        def step(name: str) -> None:
            bar.note(name)
            bar.update()

        return laboratory(ground, several, seed=seed, twin=twin, pull=pull, on_step=step)


def write_laboratory(
    folder: Path,
    config: "dict[str, Any]",
    found: "Laboratory",
    facts: "dict[str, Any]",
    fitted_on: "dict[str, Any]",
    unseen: str,
    before: str = "",
) -> "tuple[Adapter, Records, Verdict]":
    """Write the page, the adapter and the results; what stands before the verdict is said first."""
    from conceptbind.core.version import __version__
    from conceptbind.repairs.labclip.adapter import save_adapter
    from conceptbind.repairs.laboratory.section import laboratory_card, laboratory_section
    from conceptbind.repairs.laboratory.words import laboratory_verdict
    from conceptbind.report.page import render_page
    from conceptbind.run.folder import RunFolder

    verdict = laboratory_verdict(found, unseen)
    verdict = replace(verdict, sentence=before + verdict.sentence)
    told = {
        **fitted_on,
        **found.adapter.config,
        "seed": config["seed"],
        "recommended": found.recommended,
        "folds": found.folds,
        "conceptbind": __version__,
    }
    adapter = replace(found.adapter, config=told)
    answer = answer_of(folder, config, verdict)
    render_page(
        folder / "report.html",
        "repair.html.j2",
        answer=answer.as_json(),
        title=f"Which repair mends the binding of {found.records[0].encoder}?",
        verdict=vars(verdict),
        sections=[vars(laboratory_section(found.records))],
        provenance=facts,
    )
    save_adapter(adapter, folder, laboratory_card(adapter, found.records, verdict.sentence))
    run = RunFolder.open(folder, config)
    told, sentences = {"answer": answer.as_json()}, [verdict.sentence]
    run.write_results(facts, found.records, told, verdicts=[verdict], sentences=sentences)
    return adapter, found.records, verdict
