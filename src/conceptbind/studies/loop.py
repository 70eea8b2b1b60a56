"""All studies of a case, one after the other."""

from __future__ import annotations

from collections.abc import Iterable

from conceptbind.core.errors import NothingAppliesError
from conceptbind.core.findings import Findings, Study
from conceptbind.core.records import Records
from conceptbind.studies.case import Case


def answers(case: Case, studies: Iterable[Study]) -> tuple[Findings, ...]:
    """What each study that applies finds, in order. One that judges a level and does not apply
    says in its verdicts why that cannot be judged, where it has the method `unjudged`.

    Args:
        case: one encoder on one table.
        studies: the studies to ask, in order.

    Raises:
        NothingAppliesError: none of them applies; says why.
        ConceptBindError: the case cannot be studied; the message says what to do.
    """
    found, reasons, applied = [], [], False
    for study in studies:
        reason = study.applies(case)
        if reason is None:
            found.append(study.run(case))
            applied = True
            continue
        reasons.append(f"{study.name}: {reason}")
        unjudged = getattr(study, "unjudged", None)
        verdicts = unjudged(case, reason) if unjudged is not None else ()
        found += [Findings(study.name, Records(), verdicts)] if verdicts else []
    if not applied:
        raise NothingAppliesError(
            f"no study applies ({'; '.join(reasons) or 'none was asked for'})"
        )
    return tuple(found)
