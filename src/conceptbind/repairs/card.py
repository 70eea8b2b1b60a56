"""A fitted map with what it was fitted on and what it does, and its model card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.escape import markdown
from conceptbind.core.names import Control, Repair
from conceptbind.core.version import __version__
from conceptbind.repairs.section import NAMES, rows_of_table
from conceptbind.repairs.words import pull_in_words, turned

if TYPE_CHECKING:
    from conceptbind.repairs.arrays import ArrayRepair
    from conceptbind.repairs.labclip.adapter import Adapter
    from conceptbind.repairs.study import RepairStudy


def described(
    found: RepairStudy | ArrayRepair,
    *,
    encoder: str | None,
    revision: str | None,
    scenes: str | None,
    dropped: int = 0,
) -> Adapter:
    """The adapter with what it was fitted on and what it does.

    Args:
        found: the study that fitted it.
        encoder: whose captions it is for; None where rows without a name were given.
        revision: of the encoder.
        scenes: name of the table, or of the data.
        dropped: rows that were left out.
    """
    written = Repair.NONE
    if found.recommended or found.asked:
        written = Repair(str(found.adapter.config["protocol"]))
    own = found.records.where(control=Control.NONE)
    scores = {}
    for when, name in (("before", Repair.NONE), ("after", written)):
        judged = (record for record in own.where(repair=name) if record.ci_low is not None)
        scores[when] = {str(record.metric): record.value for record in judged}
    config = {
        "encoder": encoder,
        "revision": revision,
        "dimension": found.adapter.weight.shape[1],
        **found.adapter.config,
        "recommended": found.recommended,
        "pull_scored": found.pull,
        "folds": found.folds,
        "dropped": dropped,
        "scenes": scenes,
        **scores,
        "conceptbind": __version__,
    }
    return replace(found.adapter, config=config)


@explains_arguments
def repair_card(adapter: Adapter, study: RepairStudy | ArrayRepair, sentence: str) -> str:
    """The model card of an adapter, in Markdown.

    Args:
        adapter: the map that is written.
        study: what it was scored on.
        sentence: the verdict in words.
    """
    config = adapter.config
    table = "\n".join(
        "| " + " | ".join(map(markdown, row)) + " |" for row in rows_of_table(study.records)
    )
    who = (
        markdown(f"'{config['encoder']}' (revision {config['revision']})")
        if config.get("encoder")
        else "the encoder whose rows it was fitted on"
    )
    return f"""---
library_name: conceptbind
tags: [labclip, compositionality, binding]
---
# Linear repair of captions

For captions of {who}: `y = x @ weight.T`, divided by its length.
Pictures stay as they are, and so does an index of them.

{sentence}

| | {" | ".join(NAMES.values())} | n | ties |
|---|{"---|" * (len(NAMES) + 2)}
{table}

Fitted by conceptbind {config.get("conceptbind", "")}:
protocol {config["protocol"]} (LABCLIP, arXiv 2502.03566), solver {config["solver"]},
rate {config["rate"]}, batch {config["batch"]}, {config["steps"]} steps
on {config["pairs"]:,} pairs (hash {str(config["data_hash"])[:16]}), seed {config["seed"]}.
{pull_in_words(study)}
{turned(study)}{_left_out(config)}

It changes how captions rank pictures; it does not make an encoder know what it
does not know.

```python
import numpy as np
from safetensors.numpy import load_file

weight = load_file("adapter.safetensors")["weight"]
y = x @ weight.T
y /= np.linalg.norm(y, axis=1, keepdims=True)
```
"""


def _left_out(config: Mapping[str, Any]) -> str:
    return (
        f" {config['dropped']:,} rows were left out; dropped.csv lists them."
        if config.get("dropped")
        else ""
    )
