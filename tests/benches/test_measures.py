"""Every measure runs, and what arrives in it is what was sent. Times are not looked at."""

import os
from pathlib import Path

import pytest

from benches.measures import MEASURES
from benches.setting import Setting, prepare


@pytest.fixture(scope="module")
def setting() -> Setting:
    """A short run, without the peers: they are other people's servers."""
    return prepare(quick=True, rounds=1, with_peers=False, say=lambda text: None)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_runs_and_loses_nothing(setting: Setting, name: str) -> None:
    outcome = MEASURES[name](setting)
    assert outcome.wrong == []
    assert outcome.rows
    assert outcome.data


def test_the_programs_are_not_kept(setting: Setting) -> None:
    ignored = (Path(__file__).parents[2] / "benches" / ".gitignore").read_text().split()
    assert f"{setting.load_program.parent.name}/" in ignored
    assert os.access(setting.load_program, os.X_OK)
