"""Models between two models: weights on the straight line from one to the other, scored on every
level (robust fine-tuning of zero-shot models, WiSE-FT, arXiv 2109.01903).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import torch

from conceptbind.core.errors import MismatchError, ModalityError, ValueRangeError
from conceptbind.core.findings import Verdict
from conceptbind.core.kept import read_piece, write_piece
from conceptbind.core.outcomes import arrays_of, outcome_of
from conceptbind.core.records import Record, Records
from conceptbind.core.rounding import percent
from conceptbind.core.scored import unit_of
from conceptbind.report.numbers import number, shown
from conceptbind.watching.changes import LEAST, Change, Seen, change_of
from conceptbind.watching.checkpoints import loaded_tokenizer_hash
from conceptbind.watching.looking import look_at
from conceptbind.watching.scores import ModelLook, Number, about_of, name_of

if TYPE_CHECKING:
    from jaxtyping import Shaped
    from torch import Tensor

    from conceptbind.core.typing import Encoder
    from conceptbind.watching.suite import Suite

ALIKE = 1e-3
"""Largest difference of rows by which two encoders may prepare captions and pictures."""


@dataclass(frozen=True, eq=False)
class Mixed:
    """Two models, and models between them."""

    one: str
    """Name of the model at 0."""
    other: str
    """Name of the model at 1."""
    points: Mapping[float, ModelLook]
    """A look for each share of the other's weights, from 0 to 1."""

    @property
    def records(self) -> Records:
        """Every number at every point, with the column `mix`."""
        found: list[Record] = []
        for mix, look in self.points.items():
            name = {0.0: self.one, 1.0: self.other}.get(mix, f"{self.one} + {self.other}")
            found += [one.record.but(encoder=name, mix=mix) for one in look.numbers]
        return Records(found)

    @property
    def comparisons(self) -> int:
        """Inner points times numbers, each against both ends."""
        inner = len(self.points) - 2
        return max(1, 2 * inner * len(self.points[0.0].numbers))

    def beside(self, key: tuple[str, ...]) -> dict[float, tuple[Change, Change]]:
        """Each inner point against both ends, in one number; p is corrected for all comparisons.

        Args:
            key: of the number.
        """
        ends = [_seen(self.points[end], key) for end in (0.0, 1.0)]
        found = {}
        for mix, look in self.points.items():
            if 0 < mix < 1:
                now = number_of(look, key)
                one, other = (change_of(end, now, 0, self.comparisons) for end in ends)
                found[mix] = one, other
        return found


def number_of(look: ModelLook, key: tuple[str, ...]) -> Number:
    """The number of a look with a key.

    Args:
        look: what was seen.
        key: see `scores.key_of`.
    """
    return next(one for one in look.numbers if one.key == key)


def _seen(look: ModelLook, key: tuple[str, ...]) -> Seen:
    one = number_of(look, key)
    return Seen(look.step, float(one.record.value or 0.0), one.outcome, one.kind)


def mix_weights(
    one: Mapping[str, Shaped[Tensor, " ..."]],
    other: Mapping[str, Shaped[Tensor, " ..."]],
    mix: float,
) -> dict[str, Shaped[Tensor, " ..."]]:
    """(1 - mix) of one model's weights plus mix of the other's.

    Args:
        one: weights by name.
        other: weights of the same names and shapes.
        mix: from 0 to 1.

    Raises:
        MismatchError: the models are of different architectures; names the first difference.
    """
    require_alike_weights(one, other)
    return {name: _between(value, other[name], mix) for name, value in one.items()}


def _between(one: Tensor, other: Tensor, mix: float) -> Tensor:
    if not one.is_floating_point():
        return one
    return torch.lerp(one.double(), other.to(one.device).double(), mix).to(one.dtype)


def require_alike_weights(
    one: Mapping[str, Shaped[Tensor, " ..."]], other: Mapping[str, Shaped[Tensor, " ..."]]
) -> None:
    """See that weights have the same names and shapes.

    Args:
        one: weights by name.
        other: weights by name.

    Raises:
        MismatchError: they have not; names the first difference.
    """
    advice = "only models of one architecture can be mixed"
    for name in dict.fromkeys((*one, *other)):
        if name not in one or name not in other:
            raise MismatchError(f"only one of the two models has the weight '{name:.80}'; {advice}")
        if one[name].shape != other[name].shape:
            shapes = tuple(one[name].shape), tuple(other[name].shape)
            raise MismatchError(
                f"the weight '{name:.80}' has the shape {shapes[0]} in one model and {shapes[1]} "
                f"in the other; {advice}"
            )


def require_alike_encoders(one: Any, other: Any) -> None:
    """See that two encoders differ in their weights alone: that captions and pictures are prepared
    in one way.

    Args:
        one: an encoder with a module.
        other: another one.

    Raises:
        ModalityError: one of them has no module whose weights can be exchanged.
        MismatchError: they are of different architectures, or prepare their inputs differently.
    """
    for encoder in (one, other):
        if not hasattr(encoder, "with_module") or not hasattr(encoder, "module"):
            raise ModalityError(
                f"the weights of '{encoder.id}' cannot be mixed; use tiny, tiny-bound, hf:NAME or "
                "open_clip:NAME"
            )
    require_alike_weights(one.module.state_dict(), other.module.state_dict())
    words = loaded_tokenizer_hash(one), loaded_tokenizer_hash(other)
    if words[0] != words[1]:
        raise MismatchError(
            f"'{one.id}' and '{other.id}' have different tokenizers, so their weights cannot be "
            "mixed; only models that read captions alike can"
        )
    changed = one.with_module(other.module)
    for what, rows in _probes(one.modalities).items():
        mine, theirs = rows(changed), rows(other)
        if mine.shape != theirs.shape or np.abs(mine - theirs).max() > ALIKE * np.abs(mine).max():
            raise MismatchError(
                f"'{one.id}' and '{other.id}' prepare {what} differently (tokenizer, size or "
                "normalisation), so their weights cannot be mixed"
            )


def _probes(modalities: Sequence[str]) -> dict[str, Callable[[Any], Any]]:
    from PIL import Image

    texts = ["a red circle and a blue square", "a green triangle"]
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    found: dict[str, Callable[[Any], Any]] = {}
    if "text" in modalities:
        found["captions"] = lambda encoder: np.asarray(encoder.encode_texts(texts))
    if "image" in modalities:
        picture = Image.fromarray(noise)
        found["pictures"] = lambda encoder: np.asarray(encoder.encode_images([picture]))
    return found


def shares(points: int) -> tuple[float, ...]:
    """Evenly spaced shares from 0 to 1, both included.

    Args:
        points: how many, at least 2.

    Raises:
        ValueRangeError: there are fewer than 2, or more than 101.
    """
    if not 2 <= points <= 101:
        raise ValueRangeError(f"--points must lie between 2 and 101; got {points}")
    return tuple(round(place / (points - 1), 6) for place in range(points))


def mixed(
    one: Any,
    other: Any,
    suite: Suite,
    points: Sequence[float],
    folder: Path,
    on_point: Callable[[float], None] = lambda _: None,
) -> Mixed:
    """Score two models and the models between them. Ends are the models themselves.

    Args:
        one: an encoder with a module, at 0.
        other: another of the same architecture, at 1.
        suite: the scenes.
        points: shares of the other's weights.
        folder: where looks are kept, so that a killed call continues.
        on_point: called with each share that is done.

    Raises:
        MismatchError: the two cannot be mixed.
    """
    require_alike_encoders(one, other)
    found = {}
    identity = suite.identity | {"one": _who(one), "other": _who(other)}
    for mix in points:
        path = folder / f"{mix:g}.safetensors"
        look = load_look(path, identity) if path.is_file() else None
        if look is None:
            look = look_at(suite, _encoder(one, other, mix), round(100 * mix), f"{mix:g}")
            save_look(path, look, identity)
        found[mix] = look
        on_point(mix)
    return Mixed(one.id, other.id, found)


def _who(encoder: Encoder) -> str:
    return f"{encoder.id} {encoder.revision}"


def _encoder(one: Any, other: Any, mix: float) -> Encoder:
    if mix in (0.0, 1.0):
        end: Encoder = other if mix else one
        return end
    module = copy.deepcopy(one.module)
    weights = one.module.state_dict(), other.module.state_dict()
    module.load_state_dict(mix_weights(*weights, mix))
    between: Encoder = one.with_module(module.eval())
    return between


def save_look(path: Path, look: ModelLook, identity: Mapping[str, Any]) -> None:
    """Write a look as one file.

    Args:
        path: of the file.
        look: what was seen.
        identity: what it belongs to.
    """
    numbers = [{"record": one.record.flat(), "kind": one.kind} for one in look.numbers]
    arrays = arrays_of(one.outcome for one in look.numbers)
    facts = {"identity": dict(identity), "numbers": numbers, "step": look.step, "name": look.name}
    facts |= {"verdicts": msgspec.to_builtins(list(look.verdicts)), "seconds": look.seconds}
    write_piece(path, arrays, facts)


def load_look(path: Path, identity: Mapping[str, Any]) -> ModelLook | None:
    """What `save_look` wrote; None where it belongs to something else.

    Args:
        path: of the file.
        identity: what it should belong to.
    """
    piece = read_piece(path)
    facts = piece.facts
    if facts.get("identity") != dict(identity):
        return None
    numbers = []
    for place, told in enumerate(facts["numbers"]):
        record = Record.read(told["record"])
        outcome = outcome_of(piece, place, about_of(record))
        numbers.append(Number(record, outcome, told["kind"]))
    verdicts = msgspec.convert(facts["verdicts"], list[Verdict])
    return ModelLook(facts["step"], facts["name"], numbers, verdicts, facts["seconds"])


def mix_sentences(found: Mixed) -> tuple[str, ...]:
    """What lies between two models, number by number: what is clearly above both, or below both.

    Args:
        found: two models and those between them.
    """
    said = [_told(found, one.key) for one in _ordered(found.points[0.0].numbers)]
    inner = len(found.points) - 2
    rule = (
        "Clearly: the 95 % interval of the paired difference to each end leaves out 0, and p is "
        f"below 0.05 after correction for all {found.comparisons:,} comparisons. The difference is "
        f"at least one point, too, or {LEAST:g} of a mean |cos|."
    )
    return (*said, rule) if inner > 0 else tuple(said)


def _ordered(numbers: Sequence[Number]) -> list[Number]:
    """Level 3 first."""
    return sorted(numbers, key=lambda one: -(one.record.level or 0))


def _told(found: Mixed, key: tuple[str, ...]) -> str:
    ends = [number_of(found.points[end], key).record.value for end in (0.0, 1.0)]
    first, last = (shown(key[1], value) for value in ends)
    head = f"{name_of(key)}: {first} for {found.one}, {last} for {found.other}"
    beside = found.beside(key)
    if not beside:
        return f"{head}."
    above = [mix for mix, both in beside.items() if _both(both, "rose")]
    below = [mix for mix, both in beside.items() if _both(both, "fell")]
    parts = [
        _place(found, key, mixes, word) for mixes, word in ((above, "above"), (below, "below"))
    ]
    told = (
        " and ".join(filter(None, parts)) or "nothing between them is clearly above or below both"
    )
    return f"{head}; {told}."


def _both(changes: tuple[Change, Change], word: str) -> bool:
    one, other = changes
    return one.word == word == other.word


def _place(found: Mixed, key: tuple[str, ...], mixes: Sequence[float], word: str) -> str:
    if not mixes:
        return ""
    values = {mix: float(number_of(found.points[mix], key).record.value or 0.0) for mix in mixes}
    best = (max if word == "above" else min)(values, key=lambda mix: values[mix])
    told = percent(values[best]) if unit_of(key[1]) == "share" else number(values[best])
    return f"{told} at {best:g} is clearly {word} both"
