"""Which methods are compared on a ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conceptbind.core.errors import ValueRangeError
from conceptbind.core.names import Repair
from conceptbind.repairs.laboratory.captions import ConvexQueries
from conceptbind.repairs.laboratory.closed import Diagonal, LowRank, Procrustes
from conceptbind.repairs.laboratory.contract import Method, Side
from conceptbind.repairs.laboratory.projections import Cca, Erasure
from conceptbind.repairs.laboratory.ridge import Ridge
from conceptbind.repairs.laboratory.trained import LabClipMethod, TwoLayers

LEFT_OUT = (
    "Maps of documents and of both sides are left out: what is found would move too, so that an "
    "index of captions had to be made again."
)
"""What is said where queries are mapped."""


@dataclass(frozen=True)
class Contender:
    """A method, and how many negatives it is given."""

    method: Method
    several: bool = False
    """Whether a caption has all its negatives, or one."""


def contenders(n_negatives: int, side: Side = "text") -> tuple[Contender, ...]:
    """All methods that can be fitted, on the sides that they have.

    Args:
        n_negatives: negatives of a caption, where several are asked for.
        side: what a map of captions is called: `text`, or `query` within one modality. There all
            maps are of queries (see `LEFT_OUT`), and the convex comparison is one of them.
    """
    trained = [Contender(LabClipMethod(Repair.SB, side))]
    if n_negatives:
        trained.append(Contender(LabClipMethod(Repair.HNB, side)))
    if n_negatives > 1:
        trained.append(Contender(LabClipMethod(Repair.HNB, side), several=True))
    best = trained[-1].method.name
    methods: list[Method] = [
        LabClipMethod(best, "both"),
        Ridge(side),
        Ridge("image"),
        Procrustes(side),
        Cca("both"),
        LowRank(side),
        Diagonal(side),
    ]
    if n_negatives:
        methods.append(Erasure(side))
    methods.append(TwoLayers(side))
    found = (*trained, *map(Contender, methods))
    if side != "query":
        return found
    convex = Contender(ConvexQueries(side), several=n_negatives > 1)
    return (convex, *(one for one in found if one.method.side == side))


def alone(names: Sequence[Repair], n_negatives: int, side: Side = "text") -> tuple[Contender, ...]:
    """Methods by name, as maps of captions, which can be written and applied.

    Args:
        names: of methods.
        n_negatives: negatives of a caption.
        side: what a map of captions is called.

    Raises:
        ValueRangeError: a method needs negatives, and there are none.
    """
    several = {found.method.name: found for found in reversed(contenders(n_negatives, side))}
    several[Repair.CCA] = Contender(Cca(side))
    several |= {
        found.method.name: found
        for found in contenders(n_negatives, side)
        if found.method.side == side and not found.several
    }
    for name in names:
        if name not in several:
            raise ValueRangeError(
                f"{name} needs negatives, and there are none; give --negatives, or take another "
                "--method"
            )
    return tuple(several[name] for name in names)
