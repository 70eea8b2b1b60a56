"""Callbacks in real short trainings of each library, on a processor."""

from __future__ import annotations

import math
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from conceptbind.scenes import text20
from conceptbind.watching import (
    BindingProbe,
    lightning_callback,
    sentence_evaluator,
    trainer_callback,
)
from conceptbind.watching.logs import log_to_running
from encoders.conftest import clip_folder  # noqa: F401

NAME = "binding/probe_text"


@pytest.fixture(autouse=True)
def without_pages(monkeypatch):
    monkeypatch.setattr(BindingProbe, "draw", lambda self: self.folder)


def letters(captions):
    """(n, 64) letters with their places."""
    rows = np.zeros((len(captions), 64), dtype=np.float32)
    for row, text in enumerate(captions):
        for place, letter in enumerate(text):
            rows[row, (ord(letter) * 7 + place * 13) % 64] += 1
    return torch.from_numpy(rows)


def made(folder, **options):
    return BindingProbe(folder, scenes=text20(3, 3), say=lambda _: None, **options)


def embedded(model, captions):
    return model(letters(captions))


class Net(torch.nn.Module):
    """Letters in, rows out, with dropout; its loss as transformers' Trainer takes it."""

    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Sequential(
            torch.nn.Linear(64, 16), torch.nn.Dropout(0.3), torch.nn.Linear(16, 8)
        )

    def forward(self, rows, labels=None):
        found = self.inner(rows)
        return found if labels is None else {"loss": (found.sum(dim=1) - labels).square().mean()}


DATA = [{"rows": letters([f"{i} circles"])[0], "labels": float(i)} for i in range(24)]


def trained(folder, probe=None, *, log=True, report=()):
    """Weights and trainer after six steps."""
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    torch.manual_seed(0)
    args = transformers.TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=4,
        max_steps=6,
        report_to=list(report),
        disable_tqdm=True,
        use_cpu=True,
        save_strategy="no",
        logging_strategy="no",
        seed=0,
    )
    trainer = transformers.Trainer(model=Net(), args=args, train_dataset=DATA)
    if probe is not None:
        trainer.add_callback(trainer_callback(probe, trainer if log else None))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.train()
    return trainer.model.state_dict(), trainer


@pytest.mark.slow
def test_transformers_trains_to_the_same_weights_and_its_log_has_the_numbers(tmp_path, monkeypatch):
    pytest.importorskip("tensorboard")
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "logs"))
    probe = made(tmp_path / "w", every=3, texts=embedded)
    watched, trainer = trained(tmp_path / "a", probe, report=["tensorboard"])
    alone, _ = trained(tmp_path / "b")
    assert all(torch.equal(watched[name], alone[name]) for name in alone)
    steps = [one["step"] for one in trainer.state.log_history if NAME in one]
    assert steps == [0, 3, 6]
    assert probe.table.history.step == 6
    assert probe.looks == 3
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (folder,) = {path.parent for path in (tmp_path / "logs").rglob("events*")}
    events = EventAccumulator(str(folder))
    events.Reload()
    (tag,) = (tag for tag in events.Tags()["scalars"] if tag.endswith(NAME))
    assert [event.step for event in events.Scalars(tag)] == [0, 3, 6]


@pytest.mark.slow
def test_transformers_without_a_log_writes_none(tmp_path):
    probe = made(tmp_path / "w", every=6, texts=embedded)
    _, trainer = trained(tmp_path / "a", probe, log=False)
    assert probe.looks == 2
    assert not any(NAME in one for one in trainer.state.log_history)
    assert not list((tmp_path / "a").rglob("events*"))


@pytest.mark.slow
def test_a_clip_of_transformers_is_scored_by_its_folder(tmp_path, clip_folder, scenes):  # noqa: F811
    """Pictures and captions; contrastive training of a CLIP by transformers' Trainer."""
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    model = transformers.CLIPModel.from_pretrained(clip_folder)
    item = {"pixel_values": torch.rand(3, 32, 32), "input_ids": torch.tensor([1, 4, 5, 2])}
    args = transformers.TrainingArguments(
        output_dir=str(tmp_path / "a"),
        per_device_train_batch_size=4,
        max_steps=2,
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        save_strategy="no",
        logging_strategy="no",
    )

    class Contrastive(transformers.Trainer):
        def compute_loss(self, model, inputs, **more):
            return model(**inputs, return_loss=True).loss

    probe = BindingProbe(
        tmp_path / "w", scenes=scenes, say=lambda _: None, every=2, like=f"hf:{clip_folder}"
    )
    trainer = Contrastive(model=model, args=args, train_dataset=[item] * 8)
    trainer.add_callback(trainer_callback(probe, trainer))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.train()
    assert probe.looks == 2
    assert {"binding/crossmodal_both", "binding/within_image_trap"} <= set(probe.last)


@pytest.mark.slow
def test_lightning_trains_with_its_callback_and_its_loggers_get_the_numbers(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lightning = pytest.importorskip("lightning.pytorch")
        from lightning.pytorch.loggers import CSVLogger

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = Net()

        def training_step(self, batch, _):
            return self.net(batch["rows"], batch["labels"].float())["loss"]

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=1e-4)

    def fitted(name, callbacks, logger):
        torch.manual_seed(0)
        module = Module()
        trainer = lightning.Trainer(
            max_steps=6,
            accelerator="cpu",
            callbacks=callbacks,
            logger=logger,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=tmp_path / name,
        )
        loader = torch.utils.data.DataLoader(DATA, batch_size=4)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trainer.fit(module, loader)
        return module.state_dict()

    probe = made(tmp_path / "w", every=3, texts=embedded)
    logger = CSVLogger(tmp_path / "logs")
    callback = lightning_callback(probe, lambda module: module.net)
    watched = fitted("a", [callback], logger)
    alone = fitted("b", [], False)
    assert all(torch.equal(watched[name], alone[name]) for name in alone)
    assert probe.looks == 3
    logger.save()
    written = next((tmp_path / "logs").rglob("metrics.csv")).read_text()
    assert NAME in written.splitlines()[0]
    assert len(written.splitlines()) == 1 + 3


@pytest.mark.slow
def test_sentence_transformers_evaluates_binding(tmp_path, minilm_folder):
    """MiniLM for two steps; the trainer's log has the numbers of the evaluator."""
    pytest.importorskip("accelerate")
    st = pytest.importorskip("sentence_transformers")
    datasets = pytest.importorskip("datasets")
    model = st.SentenceTransformer(str(minilm_folder), device="cpu")
    pairs = {"anchor": ["a red circle"] * 4, "positive": ["a circle that is red"] * 4}
    args = st.SentenceTransformerTrainingArguments(
        output_dir=str(tmp_path / "a"),
        max_steps=2,
        per_device_train_batch_size=2,
        eval_strategy="steps",
        eval_steps=1,
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        save_strategy="no",
        logging_strategy="no",
    )
    probe = made(tmp_path / "w")  # the evaluations say when, so that no number is an old one
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sentence_transformers.losses import MultipleNegativesRankingLoss

        trainer = st.SentenceTransformerTrainer(
            model=model,
            args=args,
            train_dataset=datasets.Dataset.from_dict(pairs),
            loss=MultipleNegativesRankingLoss(model),
            evaluator=sentence_evaluator(probe),
        )
        trainer.train()
    found = [one for one in trainer.state.log_history if "eval_binding_probe_text" in one]
    assert [one["step"] for one in found] == [1, 2]
    assert probe.looks == 2
    assert "2 looks took" in probe.finish()


def test_a_look_that_fails_ends_no_training_that_keeps_the_best_model(tmp_path):
    """It asks for its metric at every evaluation, and a failed one is worse than any."""
    pytest.importorskip("sentence_transformers")
    probe = made(tmp_path / "w")
    evaluator = sentence_evaluator(probe)
    found = evaluator(lambda captions: np.ones((len(captions), 1)) * np.arange(3), steps=1)
    assert found["binding_within_text_neutral"] == -math.inf
    assert found["binding_factors_text"] == math.inf
    probe.finish()


# --- logs that are there already


class Writer:
    def __init__(self):
        self.lines = []

    def add_scalar(self, name, value, step):
        self.lines.append((name, value, step))


def test_a_writer_of_tensorboard_gets_every_number(tmp_path):
    writer = Writer()
    probe = made(tmp_path / "w", every=1, texts=embedded, log=writer)
    probe(Net(), 7)
    assert {step for _, _, step in writer.lines} == {7}
    assert {name: value for name, value, _ in writer.lines} == probe.last
    probe.finish()


def test_only_runs_that_are_open_get_numbers(monkeypatch):
    """As their documentation calls them; neither package is imported for it."""
    sent = []
    wandb = SimpleNamespace(run=None, log=lambda found, commit: sent.append((found, commit)))
    mlflow = SimpleNamespace(
        active_run=lambda: None, log_metrics=lambda found, step: sent.append((found, step))
    )
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    log_to_running({"a": 1.0}, 5)
    assert "wandb" not in sys.modules
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    log_to_running({"a": 1.0}, 5)
    assert sent == []
    wandb.run, mlflow.active_run = object(), object
    log_to_running({"a": 1.0}, 5)
    assert sent == [({"a": 1.0, "binding/step": 5}, False), ({"a": 1.0}, 5)]


def test_a_log_that_fails_ends_no_training(tmp_path):
    lines = []
    probe = BindingProbe(
        tmp_path / "w",
        scenes=text20(3, 3),
        say=lines.append,
        texts=embedded,
        log=lambda found, step: 1 / 0,
    )
    assert probe(Net(), 0) is not None
    assert lines[-1] == "step 0 was not logged: ZeroDivisionError: division by zero"
    probe.finish()


@pytest.mark.slow
def test_mlflow_itself(tmp_path):
    """Where it is installed."""
    mlflow = pytest.importorskip("mlflow")
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    with mlflow.start_run() as run:
        log_to_running({"binding/a": 0.5}, 3)
    assert mlflow.get_run(run.info.run_id).data.metrics == {"binding/a": 0.5}
