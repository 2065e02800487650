"""A dataset as files that other tools train on: JSONL, and a folder of Hugging Face `datasets` beside it.

Formats are TRL's own: `trl-sft` (prompt, completion), `trl-dpo` (prompt, chosen, rejected), `trl-kto` (prompt,
completion, label); `jsonl` is every row as it is. `trl-kto` has what people thought of single answers where the dataset
came with such labels; without them the sides of pairs and the demonstrations stand for them. As in training, a record
without weight teaches nothing and is left out of TRL's formats, and a control token of the base model that somebody
typed gets a space inside, so that it stays text for whoever trains on it; `jsonl` has every text as it was written.
"""

import json
import shutil
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from flywheel.checkpoint import harmless
from flywheel.errors import BadInput

FORMATS = ("trl-sft", "trl-dpo", "trl-kto", "jsonl")
SPLITS = ("train", "development")
Line = dict[str, Any]


def exported(
    rows: pl.DataFrame, labels: pl.DataFrame, format: str, *, control: Collection[str] = ()
) -> dict[str, list[Line]]:
    """The lines of each split, of a dataset's rows and the labels that came with it; `control` is made harmless."""
    if format not in FORMATS:
        raise BadInput("no such format", seen=format, allowed=", ".join(FORMATS))
    opinions = labels.filter(pl.col("weight") > 0)
    labelled = format == "trl-kto" and len(opinions) > 0
    kept = opinions if labelled else rows if format == "jsonl" else rows.filter(pl.col("weight") > 0)
    parts = {split: kept.filter(split=split).sort("record").to_dicts() for split in SPLITS}
    made = _opinion if labelled else partial(_lines, format=format)
    lines = {split: [line for row in part for line in made(row)] for split, part in parts.items()}
    if format == "jsonl" or not control:
        return lines
    return {split: [_plain(line, control) for line in part] for split, part in lines.items()}


def write(
    rows: pl.DataFrame, labels: pl.DataFrame, format: str, folder: Path, *, control: Collection[str] = ()
) -> dict[str, int]:
    """One JSONL file a split and the same as `datasets` folder `hf`; says how many lines each file has."""
    parts = exported(rows, labels, format, control=control)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for split, lines in parts.items():
            text = "".join(json.dumps(line, ensure_ascii=False, default=str) + "\n" for line in lines)
            (folder / f"{split}.jsonl").write_text(text)
    except OSError as error:
        what = f"the export cannot be written ({error.strerror})"
        raise BadInput(what, seen=folder, do="give another --out") from None
    _write_folder(parts, folder / "hf")
    return {f"{split}.jsonl": len(lines) for split, lines in parts.items()}


def _write_folder(parts: dict[str, list[Line]], folder: Path) -> None:
    from datasets import Dataset, DatasetDict, disable_progress_bars  # seconds to load, and only an export needs it

    disable_progress_bars()
    if folder.exists() and not (folder / "dataset_dict.json").exists():
        raise BadInput("the folder holds something else", seen=folder, do="give another --out")
    shutil.rmtree(folder, ignore_errors=True)
    DatasetDict({split: Dataset.from_list(lines) for split, lines in parts.items() if lines}).save_to_disk(folder)


def _opinion(row: Line) -> list[Line]:
    said = _said(row["response"])
    return [{"prompt": json.loads(row["prompt"]), "completion": said, "label": row["desirable"]}]


def _lines(row: Line, format: str) -> list[Line]:
    if format == "jsonl":
        return [row]
    prompt, chosen = json.loads(row["prompt"]), json.loads(row["chosen"]) if row["trajectory"] else _said(row["chosen"])
    pair = row["kind"] == "pair"
    if format == "trl-sft":
        return [] if pair else [{"prompt": prompt, "completion": chosen}]
    rejected = _said(row["rejected"]) if pair else []
    if format == "trl-dpo":
        return [{"prompt": prompt, "chosen": chosen, "rejected": rejected}] if pair else []
    labelled = [{"prompt": prompt, "completion": chosen, "label": True}]
    return [*labelled, {"prompt": prompt, "completion": rejected, "label": False}] if pair else labelled


def _plain(line: Line, control: Collection[str]) -> Line:
    """A line of TRL's with every message made harmless; a label is no message."""
    return {
        name: [{**each, "content": harmless(each["content"], control)} for each in told] if name != "label" else told
        for name, told in line.items()
    }


def _said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]
