"""Paraphrases: the same scene in other words, and its swaps in the same other words.

A wording says how the objects of a scene are joined to a caption, and may say how one object is
named. The first wording of a table is always its own template. In every wording objects can be
named in the order of their slots or in the reverse order.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import CutCaptionWarning, UnknownNameError, ValueRangeError, nearest
from conceptbind.scenes.captions import DEFAULT_TEMPLATE, caption, describe, parts_of_template
from conceptbind.scenes.space import ConceptSpace
from conceptbind.scenes.swaps import all_swaps, orbit_ids
from conceptbind.scenes.table import Scenes

if TYPE_CHECKING:
    from jaxtyping import Int

    from conceptbind.core.typing import Encoder, Ints

Swaps: TypeAlias = (
    'tuple[Int[Ints, " swaps"], Int[Ints, "swaps slots concepts"], Int[Ints, " swaps"]]'
)
"""The scene of each swap, the swapped scenes, and which concept is exchanged."""
AS_GIVEN = "as given"
"""Name of the wording that is the table's own template."""


@dataclass(frozen=True)
class Wording:
    """One way to say a scene."""

    name: str
    """What it is called in results."""
    frame: str
    """Text with one pair of braces, for the objects: "there is {}"."""
    last: str = " and "
    """Between the last two objects."""
    join: str = ", "
    """Between the others."""
    phrase: str | None = None
    """Template of one object; the table's own where it is None."""

    def of(self, space: ConceptSpace, objects: Int[Ints, "slots concepts"], own: str) -> str:
        """A scene (m, C) in this wording.

        Args:
            space: the concepts and their values.
            objects: (m, C) value ids, in the order of mention.
            own: the table's template of one object.
        """
        phrases = [describe(space, tuple(v), self.phrase or own) for v in objects.tolist()]
        *before, end = phrases
        joined = f"{self.join.join(before)}{self.last}{end}" if before else end
        return self.frame.format(joined)


JOINED = (
    Wording("there is", "there is {}"),
    Wording("next to", "{}", " next to ", " next to "),
    Wording("picture of", "a picture of {}"),
    Wording("comma", "{}", ", "),
    Wording("there is each", "there is {}", " and there is ", ", there is "),
)
"""Wordings around any template of one object."""
FEWEST = 2
"""Wordings besides a table's own that a neutral comparison needs: of the paraphrase and the
swap."""


def wordings(
    scenes: Scenes, reads: Callable[[str], bool] = lambda _: True
) -> tuple[tuple[Wording, ...], tuple[Wording, ...]]:
    """The wordings of a table besides its own template: five, and two more where objects are named
    in the default way, so that their parts can be turned round.

    Args:
        scenes: the table.
        reads: whether an encoder knows the words of a caption.

    Returns:
        Those that are read, and those that are not. A wording that means the same as the
        table's own is in neither.
    """
    space, first = scenes.space, scenes.table[0]
    *attributes, noun = (f"{{{concept}}}" for concept in space.concepts)
    _, inner, _ = parts_of_template(scenes.template)
    found = list(JOINED)
    if attributes and inner in (DEFAULT_TEMPLATE, " ".join(("{a}", *attributes, noun))):
        said = " and ".join(attributes)
        found += [
            Wording("that is", "{}", phrase=f"{{a}} {noun} that is {said}"),
            Wording("is", "{}", phrase=f"{{a}} {noun} is {said}"),
        ]
    own = caption(space, first, scenes.template)
    texts = {wording: wording.of(space, first, inner) for wording in found}
    known = tuple(wording for wording, text in texts.items() if text != own and reads(text))
    unknown = tuple(w for w, text in texts.items() if text != own and w not in known)
    return known, unknown


def single_objects_said(
    scenes: Scenes, reads: Callable[[str], bool] = lambda _: True
) -> tuple[list[str], list[str]] | None:
    """Every object of a table by itself, in the table's own wording and in another.

    Args:
        scenes: the table.
        reads: whether an encoder knows the words of a caption.

    Returns:
        Two lists of the captions of all objects, in the order of their ids. None where a table has
        no other wording for one object that is read.
    """
    _, inner, _ = parts_of_template(scenes.template)
    space = scenes.space
    objects = space.object_values(np.arange(space.n_objects))[:, None, :]
    own = [caption(space, alone, scenes.template) for alone in objects]
    for wording in wordings(scenes, reads)[0]:
        said = [wording.of(space, alone, inner) for alone in objects]
        if not set(said) & set(own):
            return own, said
    return None


@dataclass(frozen=True, eq=False)
class ParaphraseBank:
    """Every caption that is compared within text: anchors, their paraphrases, and their swaps.

    A comparison is about one scene and one of its attribute swaps. Captions are rows of `captions`,
    each there once.
    """

    captions: Scenes
    """The different captions, of which no objects are told."""
    wordings: tuple[str, ...]
    """(w,) names, without the table's own."""
    left_out: tuple[str, ...]
    """Names of wordings whose words the encoder does not know."""
    scene: Int[Ints, " swaps"]
    """(s,) row of the table that each comparison is about."""
    concept: Int[Ints, " swaps"]
    """(s,) which concept is exchanged."""
    anchor: Int[Ints, " swaps"]
    """(s,) the scene in the table's own wording, in the order of its slots."""
    paraphrase: Int[Ints, "swaps wordings 2"]
    """(s, w, 2) the scene in other words, in the order of its slots and in the reverse order."""
    neutral: Int[Ints, "swaps wordings 2"]
    """(s, w, 2) the swap in other words, in both orders."""
    trap: Int[Ints, "swaps 2"]
    """(s, 2) the swap in the wording of the anchor, in both orders."""
    meaning: Int[Ints, "captions slots concepts"]
    """(c, m, C) the scene that each caption says, in its order of mention."""

    def __len__(self) -> int:
        return len(self.scene)


@explains_arguments
def paraphrase_bank(
    scenes: Scenes,
    *,
    most: int | None = None,
    synonyms: Mapping[str, Sequence[str]] | None = None,
    reads: Callable[[str], bool] = lambda _: True,
    swaps: Swaps | None = None,
    seed: int = 0,
) -> ParaphraseBank:
    """The captions of scenes, of their paraphrases and of their attribute swaps.

    Every pair of slots is swapped, in every concept but the last (the noun).

    Args:
        scenes: the table.
        most: scenes with a swap that are taken; of more, whole orbits are drawn until there are so
            many. None takes all.
        synonyms: other words for values. Paraphrases use them in place of the values, and so do
            swaps that are worded otherwise than the anchor; of several, each wording takes one.
        reads: whether an encoder knows the words of a caption; other wordings are left out.
        swaps: which scenes are swapped, and how, as `drawn_swaps` gives it; these by default.
        seed: of the draw.

    Raises:
        ValueRangeError: the captions came with the table, there is a single concept or no swap,
            fewer than two further wordings are read, or a synonym stands for two values.
        UnknownNameError: a synonym is for a value that the table does not have.
    """
    if scenes.written_captions is not None:
        raise ValueRangeError(
            f"the captions of '{scenes.name}' came with the table, so they cannot be reworded; "
            "leave out the column 'caption' and give a --template"
        )
    if len(scenes.space.concepts) < 2:
        raise ValueRangeError(
            f"the scenes of '{scenes.name}' have the single concept "
            f"'{scenes.space.concepts[0]}', so there is nothing to exchange"
        )
    of, swapped, concept = drawn_swaps(scenes, most, seed) if swaps is None else swaps
    if not len(of):
        raise ValueRangeError(
            f"no scene of '{scenes.name}' has an attribute swap, so there is nothing to compare"
        )
    said, left_out = wordings(scenes, reads)
    if len(said) < FEWEST:
        raise ValueRangeError(
            "the encoder does not read paraphrases (it does not know their words, or cuts them): "
            f"'{left_out[0].of(scenes.space, scenes.table[0], DEFAULT_TEMPLATE)}'"
        )
    require_synonyms(scenes.space, synonyms or {})
    spaces = [_respelled(scenes.space, synonyms or {}, number) for number in range(len(said))]
    written = _Written(scenes)
    own, both = scenes.table[of], [slice(None), slice(None, None, -1)]

    def rows(tables: Ints, wording: Wording | None, space: ConceptSpace) -> Ints:
        """(s, 2) rows of the captions of tables (s, m, C), in both orders."""
        return np.stack([written.rows(tables[:, order], wording, space) for order in both], axis=1)

    anchor = written.rows(own, None, scenes.space)
    trap = rows(swapped, None, scenes.space)
    worded = list(zip(said, spaces, strict=True))
    paraphrase = np.stack([rows(own, *pair) for pair in worded], axis=1)
    neutral = np.stack([rows(swapped, *pair) for pair in worded], axis=1)
    captions = Scenes.unlabelled(f"paraphrases of {scenes.name}", captions=written.captions())
    names = tuple(wording.name for wording in said)
    return ParaphraseBank(
        captions,
        names,
        tuple(wording.name for wording in left_out),
        of,
        concept,
        anchor,
        paraphrase,
        neutral,
        trap,
        np.stack(written.meanings),
    )


def read_by(encoder: Encoder) -> Callable[[str], bool]:
    """Whether an encoder reads a caption: it knows its words, and does not cut its end off.

    Args:
        encoder: of captions; one with a vocabulary of its own refuses other words, or has a method
            `knows` that tells them.
    """
    knows: Callable[[Sequence[str]], Sequence[bool]] | None = getattr(encoder, "knows", None)

    def reads(text: str) -> bool:
        if knows is not None and not knows([text])[0]:
            return False
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", CutCaptionWarning)
                encoder.encode_texts([text])
        except (UnknownNameError, ValueRangeError, CutCaptionWarning):
            return False
        return True

    return reads


def synonyms_of(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Synonyms from their texts.

    Args:
        texts: of each a value and its synonyms, such as `red=crimson,scarlet`.

    Raises:
        ValueRangeError: one has another form, or a value stands twice.
    """
    found: dict[str, tuple[str, ...]] = {}
    for text in texts:
        value, equals, words = (part.strip() for part in text.partition("="))
        synonyms = tuple(word.strip() for word in words.split(","))
        if not equals or not value or not all(synonyms):
            raise ValueRangeError(
                f"--synonyms '{text:.80}' is not of the form VALUE=WORD,WORD; for example "
                "red=crimson,scarlet"
            )
        if value in found:
            raise ValueRangeError(
                f"--synonyms names '{value:.80}' twice; write all its synonyms behind one ="
            )
        found[value] = synonyms
    return found


def drawn_scenes(
    scenes: Scenes, of: Int[Ints, " swaps"], most: int | None, seed: int
) -> Int[Ints, " drawn"]:
    """Rows of the scenes that have a swap; of more than `most`, whole orbits until there are so
    many (at least one orbit).

    Args:
        scenes: the table.
        of: (s,) the scene of each swap.
        most: scenes at most; None for all.
        seed: of the draw.
    """
    rows = np.unique(of)
    if most is None or len(rows) <= most:
        return rows
    orbits = orbit_ids(scenes)[rows]
    order = np.random.default_rng(seed).permutation(np.unique(orbits))
    sizes = np.bincount(orbits)[order]
    taken = order[: max(1, int((np.cumsum(sizes) <= most).sum()))]
    return rows[np.isin(orbits, taken)]


def swaps_by_concept(
    scenes: Scenes,
) -> tuple[Int[Ints, " swaps"], Int[Ints, "swaps slots concepts"], Int[Ints, " swaps"]]:
    """The swaps of every concept but the last: the scene of each (s,), the swapped scenes
    (s, m, C), and which concept is exchanged (s,). A table of one concept has none.

    Args:
        scenes: the table.
    """
    concepts = range(max(1, len(scenes.space.concepts) - 1))
    parts = [(*all_swaps(scenes, [k]), k) for k in concepts]
    which = [np.full(len(of), k, dtype=np.int64) for of, _, k in parts]
    return (
        np.concatenate([of for of, _, _ in parts]),
        np.concatenate([tables for _, tables, _ in parts]),
        np.concatenate(which),
    )


def drawn_swaps(
    scenes: Scenes, most: int | None, seed: int
) -> tuple[Int[Ints, " swaps"], Int[Ints, "swaps slots concepts"], Int[Ints, " swaps"]]:
    """Those of `swaps_by_concept` that are of `drawn_scenes`.

    Args:
        scenes: the table.
        most: scenes at most; None for all.
        seed: of the draw.
    """
    of, swapped, concept = swaps_by_concept(scenes)
    kept = np.isin(of, drawn_scenes(scenes, of, most, seed))
    return of[kept], swapped[kept], concept[kept]


class _Written:
    """Captions as they are first written, each once."""

    def __init__(self, scenes: Scenes) -> None:
        self.scenes = scenes
        self.own = parts_of_template(scenes.template)[1]
        self.numbers: dict[str, int] = {}
        self.meanings: list[Ints] = []

    def rows(self, tables: Ints, wording: Wording | None, space: ConceptSpace) -> Ints:
        """(s,) numbers of the captions of tables (s, m, C)."""
        # a table of few different scenes is worded once for each
        unique, inverse = np.unique(tables, axis=0, return_inverse=True)
        numbers = [self._number(objects, wording, space) for objects in unique]
        return np.array(numbers, dtype=np.int64)[inverse.reshape(-1)]

    def _number(self, objects: Ints, wording: Wording | None, space: ConceptSpace) -> int:
        if wording is None:
            text = caption(space, objects, self.scenes.template)
        else:
            text = wording.of(space, objects, self.own)
        if text not in self.numbers:
            self.numbers[text] = len(self.numbers)
            self.meanings.append(objects)
        return self.numbers[text]

    def captions(self) -> tuple[str, ...]:
        return tuple(self.numbers)


def require_synonyms(space: ConceptSpace, synonyms: Mapping[str, Sequence[str]]) -> None:
    """Raise where synonyms do not fit the values of a space.

    Args:
        space: the concepts and their values.
        synonyms: other words for values.

    Raises:
        UnknownNameError: there is no such value.
        ValueRangeError: a synonym is the word of another value, or of two values.
    """
    known = {value for values in space.values for value in values}
    for value, words in synonyms.items():
        if value not in known:
            raise UnknownNameError(
                f"synonyms are given for '{value:.80}', which is a value of no concept; "
                f"{nearest(value, sorted(known))}"
            )
        if isinstance(words, str) or not words:
            raise ValueRangeError(
                f"synonyms of '{value:.80}' must be a list of one word or more; got {words!r:.60}"
            )
    for values in space.values:
        said = [{value, *synonyms.get(value, ())} for value in values]
        words = [word for one in said for word in one]
        twice = next((word for word in words if words.count(word) > 1), None)
        if twice is not None:
            raise ValueRangeError(
                f"'{twice:.80}' would stand for two values of one concept; give each value "
                "synonyms of its own"
            )


def _respelled(
    space: ConceptSpace, synonyms: Mapping[str, Sequence[str]], number: int
) -> ConceptSpace:
    """The space with synonyms in place of values: of several, the wording's number takes one."""
    taken = {value: words[number % len(words)] for value, words in synonyms.items()}

    def spelled(values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(taken.get(value, value) for value in values)

    return ConceptSpace(space.concepts, tuple(map(spelled, space.values)))
