"""A run in MLflow names what it was made of: the dataset and the eval set, by hash."""

from pathlib import Path

from flywheel.training.stage import plan
from flywheel.training.tracking import tracked
from tests.flywheel.datasets.made import RULES, derived, edits


def test_the_dataset_and_the_eval_set_are_inputs_of_the_run(tmp_path: Path, tiny_model: Path) -> None:
    from mlflow import MlflowClient

    from flywheel.datasets import cut

    lake = derived(tmp_path, edits(120))
    made = cut(lake, "drafts", RULES)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    planned = plan(lake, "drafts", RULES, start=tiny_model, tracking_uri=uri)
    assert planned.job is not None
    with tracked(planned.job["mlflow"], home=tmp_path, checkpoint="c", params={}) as track:
        track.log({"loss": 1.0}, 1)
    assert track.run is not None
    inputs = MlflowClient(uri).get_run(track.run).inputs
    assert inputs is not None
    told = {one.tags[0].value: one.dataset for one in inputs.dataset_inputs}
    assert (told["training"].digest, told["evaluation"].digest) == (made.name, made.items["eval_set"][0])
    assert f'"pairs": {made.dataset["pairs"][0]}' in str(told["training"].profile)
