"""MLflow's database as a file: a half-made one is never left in its place."""

from pathlib import Path

from flywheel import database


def test_what_a_killed_process_left_half_made_is_made_anew(tmp_path: Path) -> None:
    uri = f"{database.SQLITE}{tmp_path}/state/mlflow.db"
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "mlflow.db.half").write_bytes(b"torn")
    client = database.client(uri, tmp_path)
    run = client.create_run(client.create_experiment("w")).info.run_id
    assert database.client(uri, tmp_path).get_run(run).info.run_id == run
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["mlflow.db"]
