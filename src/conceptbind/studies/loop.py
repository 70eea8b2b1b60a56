"""All studies of a case, one after the other."""

from __future__ import annotations

from collections.abc import Iterable

from conceptbind.core.errors import ValueRangeError
from conceptbind.core.findings import Findings, Study
from conceptbind.studies.case import Case


def answers(case: Case, studies: Iterable[Study]) -> tuple[Findings, ...]:
    """What each study that applies finds, in order.

    Args:
        case: one encoder on one table.
        studies: the studies to ask, in order.

    Raises:
        ValueRangeError: none of them applies; says why.
        ConceptBindError: the case cannot be studied; the message says what to do.
    """
    found, reasons = [], []
    for study in studies:
        reason = study.applies(case)
        if reason is None:
            found.append(study.run(case))
        else:
            reasons.append(f"{study.name}: {reason}")
    if not found:
        raise ValueRangeError(f"no study applies ({'; '.join(reasons) or 'none was asked for'})")
    return tuple(found)
