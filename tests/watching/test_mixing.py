"""Models between two models: the ends are the models themselves, and what lies between is told."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from conceptbind import cli, interpolate, resolve
from conceptbind.core.errors import MismatchError, ModalityError, ValueRangeError
from conceptbind.watching.looking import look_at
from conceptbind.watching.mixing import (
    Mixed,
    mix_sentences,
    mix_weights,
    mixed,
    require_alike_encoders,
    shares,
)
from watching.conftest import hits, look, number

MODELS = Path(cli.__file__).parent / "encoders" / "models"


@pytest.fixture(scope="module")
def pair():
    return resolve("tiny", device="cpu"), resolve("tiny-bound", device="cpu")


def test_weights_lie_on_the_line_between_two_models():
    one = {"w": torch.tensor([0.0, 2.0]), "n": torch.tensor([1, 2])}
    other = {"w": torch.tensor([4.0, 2.0]), "n": torch.tensor([1, 2])}
    found = mix_weights(one, other, 0.25)
    assert found["w"].tolist() == [1.0, 2.0]
    assert found["n"].tolist() == [1, 2]
    assert found["w"].dtype == torch.float32


@pytest.mark.slow
def test_ends_are_the_models_themselves_and_a_killed_call_continues(
    pair, suite, tmp_path, monkeypatch
):
    found = mixed(*pair, suite, (0.0, 0.5, 1.0), tmp_path)
    for mix, encoder in zip((0.0, 1.0), pair, strict=True):
        alone = look_at(suite, encoder)
        for mine, theirs in zip(found.points[mix].numbers, alone.numbers, strict=True):
            assert mine.record == theirs.record
            assert np.array_equal(mine.outcome.right, theirs.outcome.right)
    halfway = found.points[0.5].number(study="crossmodal").record.value
    assert halfway is not None
    monkeypatch.setattr("conceptbind.watching.mixing.look_at", None)  # nothing is scored again
    again = mixed(*pair, suite, (0.0, 0.5, 1.0), tmp_path)
    assert again.records == found.records
    assert mix_sentences(again) == mix_sentences(found)
    assert sorted({one["mix"] for one in found.records}) == [0.0, 0.5, 1.0]
    assert found.comparisons == 2 * len(found.points[0.0].numbers)


def between(*shares, of=200):
    """Two models with what lies between them, in one number."""
    mixes = np.linspace(0, 1, len(shares))
    points = {float(m): look(0, number(hits(n, of))) for m, n in zip(mixes, shares, strict=True)}
    return Mixed("a", "b", points)


def test_what_is_clearly_above_or_below_both_ends_is_told():
    (above, rule) = mix_sentences(between(100, 160, 110))
    assert "50.0 % for a, 55.0 % for b; 80.0 % at 0.5 is clearly above both." in above
    assert "all 2 comparisons" in rule
    (below, _) = mix_sentences(between(100, 40, 110))
    assert "20.0 % at 0.5 is clearly below both." in below
    (between_both, _) = mix_sentences(between(100, 130, 160))
    assert "nothing between them is clearly above or below both" in between_both
    (near, _) = mix_sentences(between(100, 113, 110))
    assert "nothing between them" in near
    (several, _) = mix_sentences(between(100, 150, 170, 20, 100))
    assert "85.0 % at 0.5 is clearly above both and 10.0 % at 0.75 is clearly below" in several
    (alone,) = mix_sentences(between(100, 110))
    assert alone.endswith("50.0 % for a, 55.0 % for b.")


def test_models_that_cannot_be_mixed_are_named(pair, tmp_path):
    one, other = pair
    wide = copy.deepcopy(other.module)
    wide.visual_projection = torch.nn.Linear(128, 99, bias=False)
    with pytest.raises(MismatchError, match="'visual_projection.weight' has the shape .256, 128."):
        require_alike_encoders(one, other.with_module(wide))
    more = copy.deepcopy(other.module)
    more.head = torch.nn.Linear(2, 2)
    with pytest.raises(MismatchError, match="only one of the two models has the weight 'head"):
        require_alike_encoders(one, other.with_module(more))
    darker = copy.copy(other)
    darker._mean = other._mean + 0.2
    with pytest.raises(MismatchError, match="prepare pictures differently"):
        require_alike_encoders(one, darker)

    (tmp_path / "words").mkdir()
    words = json.loads((MODELS / "tiny" / "tokenizer.json").read_text())
    vocabulary = words["model"]["vocab"]
    rare = sorted(set(vocabulary) - set("a red circle and blue square green triangle".split()))
    vocabulary[rare[-1]], vocabulary[rare[-2]] = vocabulary[rare[-2]], vocabulary[rare[-1]]
    (tmp_path / "words" / "tokenizer.json").write_text(json.dumps(words))
    reworded = copy.copy(other)
    reworded._folder = tmp_path / "words"
    with pytest.raises(MismatchError, match="have different tokenizers"):
        require_alike_encoders(one, reworded)

    class Letters:
        id, revision, dimension, modalities = "letters", "1", 4, ("text",)

    with pytest.raises(ModalityError, match="the weights of 'letters' cannot be mixed"):
        require_alike_encoders(one, Letters())


def test_wrong_options_are_one_line(tmp_path, capsys):
    with pytest.raises(ValueRangeError, match="--points must lie between 2 and 101; got 1"):
        shares(1)
    assert shares(5) == (0.0, 0.25, 0.5, 0.75, 1.0)
    for words, message in (
        (["tiny", "nothing"], "unknown encoder 'nothing'"),
        (["tiny", "tiny-bound", "--points=1"], "--points must lie between"),
        (["tiny", f"hf:{tmp_path / 'gone'}"], "gone"),
    ):
        assert cli.main(["interpolate", *words, f"--out={tmp_path / 'out'}"]) == 2
        err = capsys.readouterr().err
        assert message in err
        assert len(err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_repaired_and_a_fine_tuned_model_are_mixed_by_one_command(tmp_path, scenes):
    """The repaired one is what `export` writes of an adapter; the other a model folder."""
    pytest.importorskip("transformers")
    from conceptbind.repairs.exports import export_transformers
    from conceptbind.repairs.labclip.adapter import identity

    map_ = identity(256)
    turned = map_.weight.copy()
    turned[0, 1] = 0.3
    adapter = type(map_)(**{**vars(map_), "weight": turned})
    export_transformers(adapter, resolve("tiny", device="cpu"), tmp_path / "repaired")
    shutil.copytree(MODELS / "tiny-bound", tmp_path / "tuned")
    names = [f"hf:{tmp_path / name}" for name in ("repaired", "tuned")]
    run = interpolate(*names, points=3, scenes=scenes, out=tmp_path / "run")
    assert [one["mix"] for one in run.records.where(study="crossmodal")] == [0.0, 0.5, 1.0]
    assert "What lies between" in (tmp_path / "run" / "report.html").read_text()
    assert (tmp_path / "run" / "results.json").is_file()
    assert len(run.sentences) == 12
    shipped = interpolate("tiny", names[1], points=2, scenes=scenes, out=tmp_path / "other")
    assert shipped.mixed.one == "tiny"
