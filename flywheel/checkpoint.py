"""A checkpoint is a folder: safetensors weights, config, tokenizer. Its fingerprint is its identity everywhere.

Finding and hashing one belongs here and needs no torch; loading one belongs in `flywheel.model`.
"""

import hashlib
from pathlib import Path

from flywheel.errors import BadInput

# What decides the answers of a model; logs, optimizer state and notes beside it do not.
DECIDING = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


def fingerprint(folder: Path) -> str:
    """The hash of everything that decides this model's answers."""
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
