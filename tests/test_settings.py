"""The settings a person writes: a name that means nothing is told at once, with the names that do."""

from typing import Any, get_args

import pytest

from flywheel import settings
from flywheel.errors import BadInput
from flywheel.records.derive import RULES
from flywheel.settings.signals import RecordRule, SignalKind
from flywheel.tables import SIGNAL_KINDS

WRITTEN = {"start": "2026-01-05", "sources": [], "slices": [{"name": "bank", "tags": {"segment": "bank"}}]}
OWN = [{"name": "copied", "sql": "copied.sql"}]


def priced(name: str) -> dict[str, Any]:
    return {"workloads": {"drafts": {"base_model": "none", "policy": {"slices": {name: {"error": 2.0}}}}}}


def curated(**written: Any) -> dict[str, Any]:
    return {"workloads": {"drafts": {"base_model": "none", "curation": written}}}


@pytest.mark.parametrize(
    ("written", "wrong", "allowed"),
    [
        ({"records": {"rules_off": ["edit_pair", "edit_pairs"]}}, "edit_pairs", "edit_demonstration"),
        ({"signals": {"off": ["edit", "regenerations"]}}, "regenerations", "retrieval_miss"),
        ({"signals": {"off": ["copies"], "own": OWN}}, "copies", "copied"),
        (priced("banks"), "banks", "bank, unassigned"),
        (curated(off=["lenght_bias"]), "lenght_bias", "length_bias"),
        (curated(length_exempt=["edits"]), "edits", "edit_pair"),
    ],
)
def test_a_misspelled_name_is_told_with_the_names_that_are_known(
    written: dict[str, Any], wrong: str, allowed: str
) -> None:
    with pytest.raises(BadInput) as told:
        settings.parse({"workloads": {}} | WRITTEN | written, "flywheel.toml")
    assert wrong in str(told.value)
    assert allowed in str(told.value)
    assert "2026" not in str(told.value), "the whole file is no help"


def test_names_that_are_known_are_taken() -> None:
    signals = {"off": ["edit", "copied"], "own": OWN}
    read = settings.parse(WRITTEN | priced("bank") | {"signals": signals, "records": {"rules_off": ["edit_pair"]}})
    assert read.signals.off == ("edit", "copied")
    assert read.records.rules_off == ("edit_pair",)
    assert "bank" in read.workload("drafts").policy.slices
    assert "unassigned" in settings.parse(WRITTEN | priced("unassigned")).workload("drafts").policy.slices


def test_the_names_in_the_settings_are_those_of_the_stages() -> None:
    assert list(get_args(SignalKind)) == SIGNAL_KINDS
    assert list(get_args(RecordRule)) == [rule.name for rule in RULES]
