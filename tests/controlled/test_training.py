"""Training: it learns, a kill changes nothing, broken states are refused, new objects stay
unseen.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from conceptbind.controlled import (
    CHECKPOINT,
    ControlledEncoder,
    ControlledModel,
    DivergedError,
    Look,
    Sampler,
    Trained,
    all_queries,
    controlled_study,
    count_recognition,
    draw_objects,
    make_recipe,
    object_values,
    read_model,
    recognise,
    sweep_study,
    train,
    vocabulary,
    write_model,
)
from conceptbind.controlled.losses import exchanged, scenes_loss
from conceptbind.controlled.recipe import Recipe
from conceptbind.controlled.scoring import read_rows
from conceptbind.core.errors import ConceptBindError, FileError

TINY = {
    "values": 5,
    "width": 16,
    "depth": 2,
    "heads": 2,
    "feed_forward": 32,
    "dimension": 16,
    "batch": 32,
    "steps": 12,
}


def recipe(**changed):
    made = make_recipe("small", 0.6, **{**TINY, **changed})
    return dataclasses.replace(made, looks=4)


def same(one: Trained, other: Trained) -> bool:
    weights = other.model.state_dict()
    return one.history == other.history and all(
        torch.equal(value, weights[name]) for name, value in one.model.state_dict().items()
    )


@pytest.mark.parametrize("objective", ["queries", "scenes"])
@pytest.mark.parametrize("optimiser", ["muon", "adamw"])
def test_a_stopped_training_continues_to_the_same_weights(tmp_path, objective, optimiser):
    setting = recipe(objective=objective, optimiser=optimiser)
    whole = train(setting)

    class Stopped(Exception):
        pass

    def stop(look):
        if look.step == 6:
            raise Stopped

    # while the look at step 6 is shown: the state on disk is that of step 3
    with pytest.raises(Stopped):
        train(setting, tmp_path, on_look=stop)
    assert (tmp_path / CHECKPOINT).is_file()
    assert same(train(setting, tmp_path), whole)
    assert same(train(setting), whole)  # and training is repeatable at all


@pytest.mark.long
def test_a_killed_command_continues_to_the_same_weights(tmp_path):
    options = [f"--{name}={value}" for name, value in {**TINY, "steps": 400}.items()]
    command = [sys.executable, "-m", "conceptbind", "train", "--coverage=0.6", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [*command, "--out", str(tmp_path / "whole")],
        check=True,
        capture_output=True,
        env=environment,
    )
    state = tmp_path / "killed" / "coverage-0.6" / CHECKPOINT
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / "killed")], stderr=subprocess.DEVNULL, env=environment
    )
    while not state.is_file() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL  # it was not done yet
    assert not (tmp_path / "killed" / "results.json").exists()
    subprocess.run(
        [*command, "--out", str(tmp_path / "killed")],
        check=True,
        capture_output=True,
        env=environment,
    )
    for name in ("model.safetensors", "history.csv", "config.json"):
        part = ("coverage-0.6", name)
        assert (
            tmp_path.joinpath("killed", *part).read_bytes()
            == tmp_path.joinpath("whole", *part).read_bytes()
        )


def test_states_of_another_recipe_and_broken_states_are_refused(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(
            recipe(),
            tmp_path,
            on_look=lambda look: (
                (_ for _ in ()).throw(KeyboardInterrupt) if look.step == 9 else None
            ),
        )
    with pytest.raises(ConceptBindError, match=r"rate: 0.0007 there, 0.001 now"):
        train(recipe(rate=1e-3), tmp_path)
    with pytest.raises(ConceptBindError, match=r"shape\.width: 16 there, 32 now"):
        train(recipe(width=32), tmp_path)
    path = tmp_path / CHECKPOINT
    whole = path.read_bytes()
    changed = whole[:-2_000] + bytes(2_000)
    for broken in (whole[: len(whole) // 2], b"", b"no such file", changed):
        path.write_bytes(broken)
        with pytest.raises(
            ConceptBindError,
            match="(is broken|was changed or damaged).*; delete it to train again from the start",
        ):
            train(recipe(), tmp_path)


def test_a_rate_that_is_too_high_says_so():
    for steps in (12, 1):  # after one step the loss is still that of the weights before it
        with pytest.raises(
            DivergedError, match="5x5 values, coverage 0.6 and seed 0 diverged.*lower rate"
        ):
            train(recipe(optimiser="adamw", rate=1e30, steps=steps))


def test_swaps_of_whole_scenes_stay_among_train_objects():
    """Against a plain loop: the first values of both objects exchanged, where that makes other
    train objects.
    """
    setting = recipe()
    train = set(setting.split().train.tolist())
    sampler = Sampler((5, 5), setting.split().train, 2, 64)
    group = draw_objects(setting.split().train, 200, 2, torch.Generator().manual_seed(0))
    expected = []
    for one, other in group.tolist():
        swap = [5 * (other // 5) + one % 5, 5 * (one // 5) + other % 5]
        if sorted(swap) != sorted((one, other)) and set(swap) <= train:
            expected.append(swap)
    assert 0 < len(expected) < 200
    assert exchanged(group, sampler).tolist() == expected


def test_the_loss_of_scenes_equals_a_plain_loop():
    """Small enough that some swaps are other scenes of the batch, which must not be negatives."""
    setting = recipe(values=4, objective="scenes")
    split, model = setting.split(), ControlledModel(setting.shape)
    sampler = Sampler((4, 4), split.train, 2, 40)
    batch = sampler.draw(torch.Generator().manual_seed(3))
    loss, _ = scenes_loss(model, sampler, batch, torch.Generator().manual_seed(4))
    random = torch.Generator().manual_seed(4)
    left, right, held = [], [], []
    for group in batch.scenes:
        order = torch.rand(group.shape, generator=random).argsort(dim=1)
        for scene, turn in zip(group, order, strict=True):
            left.append(model.scenes(object_values(scene, (4, 4))[None])[0])
            # one transformer for both
            right.append(model.scenes(object_values(scene[turn], (4, 4))[None])[0])
            held.append(sorted(scene.tolist()))
    swaps = exchanged(batch.scenes[1], sampler)
    beside = [model.scenes(object_values(scene, (4, 4))[None])[0] for scene in swaps]
    sets = held + [sorted(scene.tolist()) for scene in swaps]
    assert any(scene in held for scene in sets[len(held) :])

    def entropy(row, rows, names, name):
        scores = torch.stack([model.scale() * row @ other for other in rows]).log_softmax(0)
        return -torch.stack(
            [score for score, other in zip(scores, names, strict=True) if other == name]
        ).mean()

    n = len(held)
    forwards = sum(entropy(left[i], right + beside, sets, held[i]) for i in range(n)) / n
    backwards = sum(entropy(right[i], left, held, held[i]) for i in range(n)) / n
    torch.testing.assert_close(loss, (forwards + backwards) / 2, rtol=1e-4, atol=1e-4)


class Planted(torch.nn.Module):
    """A model whose embeddings are known: sums of codes of objects (it binds) or of values (it does
    not).
    """

    def __init__(self, shape, binds):
        super().__init__()
        self.shape, self.binds = shape, binds
        self.log_scale = torch.nn.Parameter(torch.zeros(()))
        n = math.prod(shape.sizes)
        values = object_values(torch.arange(n), shape.sizes)
        concepts = torch.cat(
            [torch.nn.functional.one_hot(values[:, k], size) for k, size in enumerate(shape.sizes)],
            dim=1,
        ).double()
        self.codes = torch.cat([concepts, torch.eye(n, dtype=torch.double) * binds], dim=1)

    def objects(self, values):
        from conceptbind.controlled import object_ids

        return torch.nn.functional.normalize(
            self.codes[object_ids(values, self.shape.sizes)], dim=-1
        )

    def scenes(self, values):
        return torch.nn.functional.normalize(
            sum(self.objects(values[:, i]) for i in range(values.shape[1])), dim=-1
        )

    def concepts(self):
        rows = torch.zeros(sum(self.shape.sizes), self.codes.shape[1], dtype=torch.double)
        rows.fill_diagonal_(1.0)
        return rows


def planted(binds):
    setting = recipe(values=6)
    look = Look(1, 0.0, 0.0, 1.0, 1.0, 1.0)
    return Trained(setting, Planted(setting.shape, binds), (look,), look)


def value_of(found, metric, split, **extra):
    (record,) = [
        r
        for r in found
        if (r.metric, r.split) == (metric, split) and all(r[k] == v for k, v in extra.items())
    ]
    return record


def test_a_planted_model_that_binds_is_read_and_one_that_does_not_ties():
    binding, bag = (
        controlled_study(planted(1.0), "yes", n=300),
        controlled_study(planted(0.0), "no", n=300),
    )
    for split in ("train", "mixed", "unseen"):
        assert (
            value_of(binding, "object_recognition", split, among="all", control="none").value == 1.0
        )
        ours = value_of(bag, "object_recognition", split, among="all", control="none")
        level = value_of(
            bag, "object_recognition", split, among="all", control="counts_of_concepts"
        )
        # a tie is a miss, and is counted
        assert (ours.value, ours.ties) == (
            level.value,
            level.ties,
        )
        assert 0 < level.value < 0.6
        assert all(
            value_of(bag, "concept_recognition", split, concept=c).value == 1.0 for c in ("p", "q")
        )
        assert value_of(binding, "binding_accuracy", split).value == 1.0
        swaps = value_of(bag, "binding_accuracy", split)
        assert (swaps.value, swaps.ties) == (0.0, swaps.n)


@pytest.mark.parametrize(("binds", "accuracy"), [(1.0, 1.0), (0.0, 0.0)])
def test_a_planted_model_of_scenes(binds, accuracy):
    """One that binds prefers every scene to its swap; a bag of concepts ties, and a tie is a
    miss.
    """
    made = planted(binds)
    made.model.query_tower = lambda tokens: made.model.scenes(
        tokens[:, :-1].reshape(len(tokens), 2, 4)[:, :, 1:-1] - torch.tensor([3, 9])
    )
    found = controlled_study(
        Trained(recipe(values=6, objective="scenes"), made.model, made.history, made.best),
        "planted",
        n=200,
    )
    swaps = [record for record in found if record.metric == "binding_accuracy"]
    assert [record.value for record in swaps] == [accuracy] * 3
    assert all(record.ties == (0 if binds else record.n) and 0 < record.n < 200 for record in swaps)
    assert [record.value for record in found if record.metric == "concept_accuracy"] == [1.0] * 3


def test_the_bag_of_concepts_level_by_hand():
    sizes = (3, 3)
    # (0,0)(1,1); (0,0)(0,1) share a value; (0,0)(2,2)
    scenes = torch.tensor([[0, 4], [0, 1], [0, 8]])
    assert count_recognition(scenes, sizes).correct.tolist() == [False, True, False]
    # neither confusable is a candidate
    assert count_recognition(scenes[:1], sizes, torch.tensor([0, 4, 8])).correct.tolist() == [True]


def test_a_probe_of_a_planted_additive_model_reads_nothing_more_than_it():
    found = controlled_study(planted(1.0), "yes", n=100, probes=("additive",))
    assert (
        value_of(found, "object_recognition", "unseen", control="additive", among="all").value < 0.5
    )


@pytest.mark.parametrize(
    ("probe", "least"),
    [
        ("additive", 0.95),
        pytest.param("per_object_product", 0.95, marks=pytest.mark.long),
        ("mlp", 0.95),
        pytest.param("boosting", 0.6, marks=pytest.mark.long),
        ("forest", 0.3),
    ],
)
def test_every_kind_of_approximator_can_be_a_probe(probe, least, monkeypatch):
    """Of a model whose embeddings are sums of values (and are made unit rows); trees cannot add."""
    monkeypatch.setattr("conceptbind.controlled.study.PROBE_SCENES", 2_000)
    found = controlled_study(planted(0.0), "no", n=50, probes=(probe,))
    assert (
        value_of(found, "object_recognition", "unseen", control=probe, among="all")["probe_r2"]
        > least
    )


def test_the_recipe_that_probes_models_prints_a_row_for_each(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("conceptbind.controlled.study.PROBE_SCENES", 400)
    monkeypatch.setattr("conceptbind.controlled.study.PROBE_RANK", 4)
    write_model(train(recipe(steps=4)), tmp_path / "one")
    monkeypatch.setattr(sys, "argv", ["probe_controlled.py", str(tmp_path / "one")])
    runpy.run_path(
        str(Path(__file__).parents[2] / "recipes" / "probe_controlled.py"), run_name="__main__"
    )
    head, _, row = capsys.readouterr().out.splitlines()
    assert row.startswith("| one | 0.")
    assert row.count("|") == head.count("|")


def test_recognition_among_all_equals_a_plain_loop():
    trained = train(recipe())
    split = trained.recipe.split()
    queries = all_queries(trained.model, split)
    scenes = draw_objects(split.test, 50, 2, torch.Generator().manual_seed(5))
    outcome = recognise(trained.model, queries, scenes)
    for row, scene in enumerate(scenes):
        with torch.no_grad():
            scores = queries.objects @ trained.model.scenes(object_values(scene, (5, 5))[None])[0]
        others = [float(scores[i]) for i in range(25) if i not in scene.tolist()]
        assert bool(outcome.correct[row]) == (float(scores[scene].min()) > max(others) + 1e-6)


def test_a_model_folder_is_an_encoder(tmp_path):
    trained = train(recipe())
    write_model(trained, tmp_path)
    model, read = read_model(tmp_path)
    assert read == trained.recipe
    encoder, space = ControlledEncoder(tmp_path), vocabulary((5, 5))
    assert space.object_name(7) == "p1 q2"
    rows = encoder.encode_texts(["a p1 q2 and a p0 q4", "p3 q3"])
    with torch.no_grad():
        expected = model.scenes(torch.tensor([[[1, 2], [0, 4]]]))[0].numpy()
    assert np.allclose(rows[0], expected, atol=1e-6)
    assert np.allclose(
        encoder.query_rows(space, None), all_queries(model, read.split()).objects.numpy(), atol=1e-6
    )
    assert encoder.query_rows(space, 1).shape == (5, 16)
    assert not np.allclose(encoder.untrained().encode_texts(["p3 q3"]), rows[1], atol=1e-3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a p1 q9", "does not know the word 'q9'"),
        ("a red square", "does not know the word 'red'.*words.csv"),
        ("a q1 p2", "in order"),
        ("p1 q1 p2", "in order"),
        ("p1 q1, p2 q2 and p3 q3", "3 objects, but .* reads at most 2"),
        ("", "in order"),
    ],
)
def test_captions_that_it_cannot_read(tmp_path, text, message):
    write_model(train(recipe(steps=4)), tmp_path)
    with pytest.raises(ConceptBindError, match=message):
        ControlledEncoder(tmp_path).encode_texts([text])


def test_broken_model_folders(tmp_path):
    with pytest.raises(ConceptBindError, match="conceptbind train --out"):
        ControlledEncoder(tmp_path / "nothing")
    write_model(train(recipe(steps=4)), tmp_path)
    weights, config = tmp_path / "model.safetensors", tmp_path / "config.json"
    kept, whole = weights.read_bytes(), config.read_text()
    weights.write_bytes(kept[:-100])
    with pytest.raises(ConceptBindError, match="truncated or of another configuration"):
        ControlledEncoder(tmp_path)
    weights.write_bytes(kept)
    config.write_text(whole.replace('"width": 16', '"width": 32'))
    with pytest.raises(ConceptBindError, match="config.json was changed or damaged"):
        ControlledEncoder(tmp_path)
    earlier = {
        name: value
        for name, value in json.loads(whole).items()
        if name not in ("checksum", "files")
    }
    earlier["recipe"]["shape"]["width"] = 32  # a model of a version that wrote no checksum
    config.write_text(json.dumps(earlier))
    with pytest.raises(ConceptBindError, match="truncated or of another configuration"):
        ControlledEncoder(tmp_path)
    config.write_text(whole)
    weights.write_bytes(kept[:-5] + bytes([kept[-5] ^ 1]) + kept[-4:])
    with pytest.raises(ConceptBindError, match="changed or damaged since it was written"):
        ControlledEncoder(tmp_path)
    config.write_text("{}")
    with pytest.raises(ConceptBindError, match="not the configuration of a controlled model"):
        ControlledEncoder(tmp_path)


def test_a_sweep_keeps_what_is_finished(tmp_path):
    recipes = [
        dataclasses.replace(make_recipe("small", share, **TINY), looks=2) for share in (0.4, 0.6)
    ]
    done = []
    first = sweep_study(
        recipes[:1], tmp_path, probes=(), jobs=1, on_cell=lambda what, n: done.append((what, n))
    )
    both = sweep_study(
        recipes, tmp_path, probes=(), jobs=1, on_cell=lambda what, n: done.append((what, n))
    )
    assert done == [("training", 0), ("training", 1), ("training", 1), ("training", 1)]
    (cell, _) = sorted(tmp_path.glob("*/cell.json"))
    whole = cell.read_text()
    cell.write_text(whole.replace('"n": 42', '"n": 43').replace('"ties": 0', '"ties": 1'))
    assert cell.read_text() != whole
    with pytest.raises(FileError, match="cell.json was changed or damaged"):
        sweep_study(recipes, tmp_path, probes=(), jobs=1)
    cell.write_text(whole)
    (cell.parent / CHECKPOINT).write_bytes(
        b"of a run that was killed after it had written the model"
    )
    cell.unlink()
    assert sweep_study(recipes, tmp_path, probes=(), jobs=1) == both
    assert both[: len(first)] == first
    assert {record["coverage"] for record in both} == {0.4, 0.6}
    assert not list(tmp_path.glob(f"*/{CHECKPOINT}"))
    for name in ("model.safetensors", "history.csv", "words.csv", "config.json"):
        damaged = cell.parent / name
        kept = damaged.read_bytes()
        damaged.write_bytes(kept[:-20] + bytes([kept[-20] ^ 1]) + kept[-19:])
        with pytest.raises(FileError, match=rf"{name}.*(changed or damaged|not valid JSON)"):
            sweep_study(recipes, tmp_path, probes=(), jobs=1)
        damaged.write_bytes(kept)
    assert sweep_study(recipes, tmp_path, probes=(), jobs=1) == both


@pytest.mark.slow
def test_products_in_bfloat16_learn_the_same_and_continue_to_the_same_weights(tmp_path):
    setting, exact = recipe(steps=60, precision="bf16"), recipe(steps=60)
    whole, other = train(setting), train(exact)
    assert [look.loss for look in whole.history] == pytest.approx(
        [look.loss for look in other.history], rel=0.1
    )
    assert whole.history != other.history
    assert all(weight.dtype == torch.float32 for weight in whole.model.parameters())

    def stop(look):
        if look.step == 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(setting, tmp_path, on_look=stop)
    assert same(train(setting, tmp_path), whole)
    with pytest.raises(ConceptBindError, match="unknown precision 'half'"):
        recipe(precision="half")


def test_the_precision_is_that_of_the_device(monkeypatch):
    from conceptbind.controlled import choose_precision

    assert choose_precision("float32", "cuda") == "float32"
    assert choose_precision("bf16", "cpu") == "bf16"
    for able in (True, False):
        monkeypatch.setattr(
            torch.cpu, "get_capabilities", lambda able=able: {"amx_bf16": able}, raising=False
        )
        assert choose_precision("auto", "cpu") == ("bf16" if able else "float32")


@pytest.mark.long
def test_a_compiler_that_is_missing_is_named(tmp_path):
    """In a process of its own, since what is compiled is kept."""
    options = [f"--{name}={value}" for name, value in TINY.items()]
    command = [
        sys.executable,
        "-m",
        "conceptbind",
        "train",
        "--compiled",
        "--coverage=0.6",
        *options,
        "--out",
        str(tmp_path / "run"),
    ]
    environment = {
        **os.environ,
        "CXX": "/nowhere/c++",
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "kept"),
    }
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env=environment, timeout=200
    )
    assert done.returncode == 2
    assert "torch.compile failed" in done.stderr
    assert "train without --compiled" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_trained_model_is_read_with_its_history(tmp_path):
    from conceptbind.controlled import read_trained

    trained = train(recipe())
    write_model(trained, tmp_path)
    read = read_trained(tmp_path)
    assert (read.recipe, read.best) == (trained.recipe, trained.best)
    assert [vars(look) for look in read.history] == [vars(look) for look in trained.history]
    config = json.loads((tmp_path / "config.json").read_text())
    del config["checksum"], config["files"]  # as of a version that wrote none
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "history.csv").write_text("step\n1\n")
    with pytest.raises(ConceptBindError, match="does not tell how its model was trained"):
        read_trained(tmp_path)


def test_unknown_settings():
    with pytest.raises(ConceptBindError, match="did you mean 'small'"):
        make_recipe("smal", 0.5)
    with pytest.raises(ConceptBindError, match="unknown setting 'widht'"):
        make_recipe("small", 0.5, widht=3)
    with pytest.raises(ConceptBindError, match="unknown objective"):
        make_recipe("small", 0.5, 0, "querys")
    with pytest.raises(ConceptBindError, match="as many train objects"):
        make_recipe("small", 0.2, values=4, objects=5).check()


def test_a_recipe_of_an_earlier_version_is_the_same(tmp_path):
    """Later settings stand in no file and no name where they are as ever."""
    plain, dot = recipe(), recipe(similarity="dot", negatives=1)
    assert not {"negatives", "most_swaps"} & set(plain.flat())
    assert "similarity" not in plain.flat()["shape"]
    assert "similarity" not in plain.key
    assert "negatives=1" in dot.key
    for one in (plain, dot):
        assert Recipe.read(one.flat(), "here") == one


@pytest.mark.parametrize(
    "changed",
    [{"similarity": "dot"}, {"attention": "causal"}, {"similarity": "dot", "shared": True}],
)
def test_a_model_of_every_kind_is_an_encoder(changed, tmp_path):
    """What its queries recognise is what they recognise in its rows, also made unit rows."""
    trained = train(recipe(**changed))
    write_model(trained, tmp_path)
    encoder = ControlledEncoder(tmp_path)
    space = vocabulary((5, 5))
    scenes = draw_objects(torch.arange(25), 40, 2, torch.Generator().manual_seed(0))
    texts = [" and ".join("a " + space.object_name(int(o)) for o in scene) for scene in scenes]
    rows = encoder.encode_texts(texts)
    assert rows.shape == (40, encoder.dimension)
    rows = torch.tensor(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    for concept in (None, 0, 1):
        queries = torch.tensor(encoder.query_rows(space, concept))
        held = scenes if concept is None else object_values(scenes, (5, 5))[..., concept]
        own = recognise(
            trained.model, all_queries(trained.model, trained.recipe.split()), scenes, concept
        )
        assert (read_rows(rows, queries, held).correct == own.correct).all()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"negatives": -1}, "negatives must be at least 0; got -1"),
        ({"most_object_queries": 0}, "most_object_queries must be at least 1; got 0"),
        ({"most_swaps": 1.5}, "most_swaps must be a whole number"),
    ],
)
def test_numbers_of_queries_that_make_no_sense(changed, said):
    with pytest.raises(ConceptBindError, match=said):
        recipe(**changed)


def test_recipes_of_earlier_versions_are_read_and_found():
    """They had a setting `swaps`, which 0 of `most_swaps` now says."""
    recipe = make_recipe("small", 0.5)
    flat = recipe.flat()
    assert flat["swaps"] is True
    assert "concept_weight=0.2, swaps=True, scale=20.0" in recipe.key
    assert Recipe.read(flat, "x") == recipe
    assert Recipe.read({**flat, "swaps": False}, "x") == make_recipe("small", 0.5, most_swaps=0)
