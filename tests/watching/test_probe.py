"""`BindingProbe` in any loop: when it looks, what it costs, and that a training stays as it was."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from conceptbind import resolve
from conceptbind.core.errors import ConceptBindError, FolderInUseError, ValueRangeError
from conceptbind.scenes import text20
from conceptbind.watching import BindingProbe
from conceptbind.watching.live import as_it_was, encoder_of
from conceptbind.watching.table import TABLE, rows_of

WORDS = ("red", "blue", "green", "circle", "square", "and", "next", "there", "that", "picture")


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self):
        return self.now


def bag(captions):
    """Which letters a caption has, in their order: it goes by words."""
    counts = [[text.count(chr(97 + i)) for i in range(26)] for text in captions]
    return np.array(counts, float) + 0.01 * np.arange(26)


def placed(captions):
    """Letters with their place, so that a swap differs."""
    rows = np.zeros((len(captions), 64))
    for row, text in enumerate(captions):
        for place, letter in enumerate(text):
            rows[row, (ord(letter) * 7 + place * 13) % 64] += 1
    return rows


@pytest.fixture(autouse=True)
def without_pages(monkeypatch):
    """Drawing takes a second or two, and one test does it."""
    monkeypatch.setattr(BindingProbe, "draw", lambda self: self.folder)


def made(folder, **options):
    lines = []
    probe = BindingProbe(folder, scenes=text20(3, 3), say=lines.append, **options)
    return probe, lines


def test_a_function_of_captions_is_scored_at_the_steps_that_are_due(tmp_path):
    logged = {}
    probe, lines = made(
        tmp_path / "w", every=10, log=lambda found, step: logged.update({step: found})
    )
    taken = [step for step in range(15) if probe(bag, step) is not None]
    assert taken == [0, 10]
    assert set(logged) == {0, 10}
    assert logged[0]["binding/probe_text"] == probe.last["binding/probe_text"]
    assert lines[0].startswith("step 0: Objects in captions ")
    assert "3 looks took" in probe.finish(bag, 14)
    assert probe.table.history.step == 14


@pytest.mark.slow
def test_a_page_has_a_curve_for_each_number(tmp_path, monkeypatch):
    monkeypatch.undo()
    probe, _ = made(tmp_path / "w", every=1)
    probe(bag, 0)
    probe(placed, 1)
    probe.finish()
    page = (tmp_path / "w" / "report.html").read_text()
    for said in (
        "Level 1, decodable from captions",
        "Level 1: decodable",
        "Level 2: usable within a modality",
        "captions, trap",
        "Binding share",
        "Right angles between concepts",
        "2 looks took",
        "Made so far: 5 comparisons over 2 looks",
    ):
        assert said in page, said
    assert "Level 3" not in page


def test_a_stopped_training_continues_its_table(tmp_path):
    probe, _ = made(tmp_path / "w", every=1)
    probe(bag, 0)
    with pytest.raises(FolderInUseError):
        made(tmp_path / "w")
    probe.table.close()
    probe, lines = made(tmp_path / "w", every=1)
    assert probe(bag, 0) is None  # trained again, but seen before
    assert probe(placed, 1) is not None
    assert probe.story.comparisons == 5
    assert lines[0].endswith(
        "holds 1 look: this goes on after step 0, and takes none before; another folder "
        "begins at the first"
    )
    assert lines[1].startswith("step 1: ")
    assert len((tmp_path / "w" / TABLE).read_text().splitlines()) == 1 + 2 * 5
    probe.finish()


@pytest.mark.slow
def test_looks_take_at_most_the_share_of_time_that_was_asked_for(tmp_path):
    """A look costs 2 s of a clock by hand; a step takes 1 s; 5 % is one look in 40 s."""
    clock = Clock()

    def slow(captions):
        clock.now += 2.0 / 8  # eight calls of a look
        return bag(captions)

    probe, _ = made(tmp_path / "w", clock=clock)
    taken = []
    for step in range(400):
        clock.now += 1.0
        if probe(slow, step) is not None:
            taken.append(step)
            if step:
                assert probe.cost <= 0.05
    assert taken[0] == 0
    assert 4 <= len(taken) <= 10
    assert probe.finish(slow, 400).endswith("of the training's time).")
    assert probe.table.history.step == 400  # the last look was paid for
    assert probe.cost <= 0.05


def test_a_short_training_keeps_its_time_and_says_so(tmp_path):
    clock = Clock()

    def slow(captions):
        clock.now += 1.0
        return bag(captions)

    probe, lines = made(tmp_path / "w", clock=clock)
    probe(slow, 0)
    clock.now += 30
    assert probe(slow, 50) is None
    probe.finish(slow, 50)
    assert probe.looks == 1
    assert any(
        "step 50, the last one, was not scored: with it looks would take" in x for x in lines
    )


def test_a_clock_that_jumps_is_passed_over(tmp_path):
    clock = Clock()
    probe, lines = made(tmp_path / "w", clock=clock)
    clock.now = 100.0
    assert probe.elapsed == 100.0
    clock.now = -5000.0
    assert probe.elapsed == 100.0
    clock.now = -4990.0
    assert probe.elapsed == pytest.approx(110.0)
    assert lines == ["the clock went back by 5100.0 s; it is counted on from here"]
    probe.finish()


def test_a_look_that_fails_costs_a_training_one_line(tmp_path):
    probe, lines = made(tmp_path / "w", every=1)
    probe(bag, 0)
    assert probe(lambda captions: np.full((len(captions), 3), np.nan), 1) is None
    assert probe(lambda captions: 1 / 0, 2) is None
    failed = [line for line in lines if "was not scored" in line]
    assert len(failed) == 2
    assert failed[0].startswith("step 1 was not scored: ")
    assert probe(placed, 3) is not None
    probe.finish()


@pytest.mark.parametrize("every", [None, 4])
def test_a_first_look_that_fails_is_not_taken_again_at_every_step(tmp_path, every):
    probe, lines = made(tmp_path / "w", every=every, clock=itertools.count().__next__)
    for step in range(10):
        probe(lambda captions: 1 / 0, step)
        probe(lambda captions: 1 / 0, step)  # as where gradients are added up
    failed = [line for line in lines if "was not scored" in line]
    assert len(failed) == (1 if every is None else 3)
    probe.finish()


def test_steps_are_whole_numbers_of_any_library(tmp_path):
    probe, _ = made(tmp_path / "w", every=np.int64(5))
    assert probe(bag, np.int64(0)).step == 0
    assert probe(placed, torch.tensor(5)).step == 5
    for wrong in (0.5, True, -1, "7"):
        with pytest.raises(ValueRangeError, match="must be a whole number, at least 0 and below"):
            probe(bag, wrong)
    probe.finish()
    for options in ({"every": 0.5}, {"share": "a"}, {"log": 3}):
        with pytest.raises(ConceptBindError):
            made(tmp_path / "v", **options)


def test_after_the_end_a_look_takes_the_folder_again_and_lets_it_go(tmp_path):
    first, _ = made(tmp_path / "w", every=1)
    first(bag, 0)
    first.finish()
    second, _ = made(tmp_path / "w", every=1)
    with pytest.raises(FolderInUseError):
        first.now(bag, 1)
    second(placed, 1)
    second.finish()
    assert first.now(bag, 2).step == 2  # goes on behind what the other one wrote
    assert [one["look"] for one in rows_of(tmp_path / "w")][::5] == ["1", "2", "3"]
    made(tmp_path / "w")[0].finish()


def test_what_cannot_be_scored_is_said_at_the_first_look(tmp_path):
    probe, _ = made(tmp_path / "w")
    with pytest.raises(ValueRangeError, match="cannot tell how Linear embeds; expected an encoder"):
        probe(torch.nn.Linear(3, 3), 0)
    probe.finish()
    for wrong in ({"every": 0}, {"every": 2.5}, {"share": 0}, {"share": 1.5}):
        with pytest.raises(ValueRangeError, match="must"):
            made(tmp_path / "other", **wrong)


class Small(torch.nn.Module):
    """Letters in, rows out, with dropout."""

    def __init__(self):
        super().__init__()
        self.hidden = torch.nn.Linear(64, 16)
        self.drop = torch.nn.Dropout(0.5)
        self.out = torch.nn.Linear(16, 8)

    def forward(self, rows):
        return self.out(self.drop(torch.tanh(self.hidden(rows))))


def trained(probe=None):
    """Weights after a few steps that draw random numbers."""
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    model = Small().train()
    model.out.eval()  # a part that is frozen
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.01)
    for step in range(6):
        rows = torch.tensor(np.random.normal(size=(8, 64)), dtype=torch.float32)  # noqa: NPY002
        loss = model(rows + 0.1 * torch.randn(8, 64)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if probe is not None:
            probe(model, step)
    assert (model.training, model.drop.training, model.out.training) == (True, True, False)
    return model.state_dict()


def test_a_training_with_a_probe_ends_at_the_same_weights(tmp_path):
    def texts(model, captions):
        return model(torch.tensor(placed(captions), dtype=torch.float32))

    probe, _ = made(tmp_path / "w", every=5, texts=texts)
    watched, alone = trained(probe), trained()
    assert probe.looks == 2
    assert all(torch.equal(watched[name], alone[name]) for name in alone)
    probe.finish()


def test_a_module_is_scored_as_the_encoder_that_it_is_like(tmp_path):
    tiny, bound = resolve("tiny", device="cpu"), resolve("tiny-bound", device="cpu")
    live = encoder_of(bound.module, like=tiny)
    texts = ["a red circle and a blue square", "a blue circle"]
    assert np.array_equal(live.encode_texts(texts), bound.encode_texts(texts))
    wrapped = torch.nn.DataParallel(bound.module)
    assert encoder_of(wrapped, like=tiny).module is bound.module
    assert encoder_of(bound) is bound
    with pytest.raises(ValueRangeError, match="takes no other weights"):
        encoder_of(bound.module, like=object())


def test_scoring_leaves_modes_and_random_numbers_as_they_were():
    model = Small().train()
    before = torch.random.get_rng_state()
    with as_it_was(model):
        assert not model.drop.training
        torch.rand(3)
    assert model.drop.training
    assert torch.equal(before, torch.random.get_rng_state())
