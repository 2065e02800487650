"""A checkpoint is a folder: safetensors weights, config, tokenizer. Its fingerprint is its identity everywhere.

A model behind an endpoint is a checkpoint too: a folder that holds `endpoint.json` and nothing else. Finding and
hashing one, and what its tokenizer takes for a command, belong here and need no torch; loading weights belongs in
`flywheel.model`, asking in `flywheel.endpoint`.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from flywheel.errors import BadInput, Terminal
from flywheel.settings import Endpoint, Settings

# What decides the answers of a model; logs, optimizer state and notes beside it do not.
DECIDING = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
ENDPOINT = "endpoint.json"
ASKED = ("url", "model", "system")
"""Of an endpoint, what decides its answers; what it costs, its key and our patience do not."""


def fingerprint(folder: Path) -> str:
    """The hash of everything that decides this model's answers."""
    if is_endpoint(folder):
        told = endpoint(folder)
        return hashlib.sha256(json.dumps([getattr(told, name) for name in ASKED]).encode()).hexdigest()[:16]
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.safetensors"), *(folder / name for name in DECIDING)]):
        if path.exists():
            digest.update(path.name.encode())
            with path.open("rb") as handle:
                digest.update(hashlib.file_digest(handle, "sha256").digest())
    return digest.hexdigest()[:16]


def locate(base_model: str) -> Path:
    """The local folder of a base model: a folder as it is, a hub name after its download."""
    folder = Path(base_model)
    if (folder / "config.json").exists():
        return folder
    if folder.is_absolute() or base_model.startswith("."):
        raise BadInput(
            "the base model's folder holds no config.json", seen=base_model, do="check base_model in flywheel.toml"
        )
    from huggingface_hub import snapshot_download  # heavy, and only hub names need it

    patterns = ["*.safetensors", "*.json", "*.jinja", "*.txt", "tokenizer.model"]
    try:
        return Path(snapshot_download(base_model, allow_patterns=patterns))
    except Exception as error:  # the hub's errors are many and share no base class
        raise BadInput(
            f"the base model could not be fetched ({type(error).__name__})",
            seen=base_model,
            allowed="a hub name that this machine can reach or has cached, or a local folder",
            do="check base_model in flywheel.toml and the network",
        ) from error


def control_tokens(base_model: str) -> list[str] | None:
    """What the tokenizer of a base model reads as one special token; None where its `tokenizer.json` is not at hand."""
    path = Path(base_model) / "tokenizer.json"
    if not path.exists():
        from huggingface_hub import try_to_load_from_cache  # heavy, and only hub names need it

        try:
            path = try_to_load_from_cache(base_model, path.name)
        except ValueError:  # no hub name
            return None
    if not isinstance(path, str | Path):
        return None
    added = json.loads(Path(path).read_bytes())["added_tokens"]
    return [token["content"] for token in added if token["special"]]


def harmless(text: str, control: Iterable[str]) -> str:
    """The text with a space inside every control token that somebody typed, so that it stays text."""
    for token in control:
        if len(token) > 1:
            text = text.replace(token, f"{token[0]} {token[1:]}")
    return text


# ---- models behind endpoints ----------------------------------------------------------------------------------------


def is_endpoint(folder: Path) -> bool:
    return (folder / ENDPOINT).exists()


def endpoint(folder: Path) -> Endpoint:
    """The endpoint that this folder names."""
    try:
        return Endpoint.model_validate_json((folder / ENDPOINT).read_bytes())
    except (OSError, ValidationError) as error:
        first = str(error).strip().splitlines()[-1].strip()
        raise Terminal(
            f"{folder / ENDPOINT} names no endpoint ({first})",
            allowed="the fields of [workloads.X.endpoints.Y] in flywheel.toml",
            do="promote another version, or restore that file",
        ) from None


def endpoint_folder(home: Path, named: Endpoint) -> Path:
    """The folder that stands for this endpoint as a checkpoint; what it costs may change, its name stays."""
    text = json.dumps(named.model_dump(), indent=1, sort_keys=True)
    name = hashlib.sha256(json.dumps([getattr(named, field) for field in ASKED]).encode()).hexdigest()[:16]
    folder = home / "endpoints" / name
    folder.mkdir(parents=True, exist_ok=True)
    if not is_endpoint(folder) or (folder / ENDPOINT).read_text() != text:
        half = folder / f"{ENDPOINT}.half"
        half.write_text(text)
        half.replace(folder / ENDPOINT)
    return folder


def champion_zero(read: Settings, workload: str) -> Path:
    """What serves until a trained model wins: the endpoint that the settings name, else the base model."""
    rules = read.workload(workload)
    if rules.champion_zero is None:
        return locate(read.base_model(workload))
    if rules.champion_zero not in rules.endpoints:
        raise BadInput(
            f"the champion zero of {workload} is no endpoint of it",
            seen=rules.champion_zero,
            allowed=", ".join(rules.endpoints) or "none is written",
            do=f"write it under [workloads.{workload}.endpoints.{rules.champion_zero}]",
        )
    return endpoint_folder(read.home, rules.endpoints[rules.champion_zero])


def require_weights(folder: Path) -> None:
    """An endpoint can be asked, not loaded."""
    if is_endpoint(folder):
        told = endpoint(folder)
        raise Terminal(
            "this model lies behind an endpoint and has no weights to load",
            seen=f"{told.model} at {told.url}",
            do="use a model whose folder holds safetensors; the gate asks endpoints itself",
        )


def starting_point(champion: Path, base: Path) -> tuple[Path, str]:
    """Where a training that starts from the champion begins, and a word where that is not the champion."""
    if not is_endpoint(champion):
        return champion, ""
    told = endpoint(champion)
    return (
        base,
        f"the champion is {told.model} behind an endpoint, which cannot be trained: the base model is the start",
    )
