"""What is told of a run."""

import json
from pathlib import Path

import pytest

from benches import plot, report
from benches.report import fill, peer_versions, surroundings, table
from benches.setting import Outcome, Row, faults, median, spread, summary

ABOUT = {
    "date": "2026-03-03 10:00 UTC",
    "machine": "Some CPU",
    "cores": 2,
    "memory_gib": 24,
    "kernel": "6.1",
    "python": "CPython 3.11.7",
    "uvloop": "0.22",
    "congestion_control": "cubic",
    "commit": "abc",
    "peers": {"ws": "8.18"},
    "rounds": 3,
    "took_s": 780,
}
MET, MISSED, PLAIN = Row("a", ">= 1", "2", True), Row("b", ">= 3", "2", False, "why"), Row("c|d", "", "2")


def test_each_row_says_whether_its_target_was_met() -> None:
    told = table({"x": Outcome([MET, MISSED, PLAIN])}, ABOUT, "kept.json").splitlines()
    assert "| a | >= 1 | 2 | met |" in told
    assert "| b | >= 3 | 2 (why) | **missed** |" in told
    assert "| c&#124;d |  | 2 |  |" in told
    assert "Sent against received, in every run above: no difference." in told


def test_what_went_wrong_stands_under_the_table() -> None:
    told = table({"x": Outcome([MET], wrong=["10 lost"])}, ABOUT, "kept.json")
    assert "- 10 lost" in told.splitlines()
    assert "no difference" not in told


def test_only_what_is_between_the_marks_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- table -->\nold\n<!-- /table -->\nafter\n")
    fill(page, {"x": Outcome([MET])}, ABOUT, "kept.json")
    text = page.read_text()
    assert text.startswith("before\n<!-- table -->\nRun of")
    assert text.endswith("<!-- /table -->\nafter\n")
    assert "old" not in text
    page.write_text("no marks")
    with pytest.raises(ValueError, match="lacks the marks"):
        fill(page, {}, ABOUT, "kept.json")


def test_a_page_without_a_run_of_its_own_can_be_filled_again() -> None:
    assert "<!-- table -->" in (Path(__file__).parents[2] / "docs" / "performance.md").read_text()


def test_contents_that_differ_are_named() -> None:
    good = dict.fromkeys(("reordered", "torn", "unknown", "behind", "unannounced", "failed"), 0)
    assert faults({"groups": {"all": good}}, "run") == []
    assert faults({"groups": {"all": good | {"torn": 2}}}, "run") == ["run: group all: torn 2"]


def test_rounds_are_summed_up_by_their_middle() -> None:
    runs = [{"x": 3.0}, {"x": 1.0}, {"x": 2.0}]
    assert median(runs, "x") == 2.0
    assert spread(runs, "x") == (1.0, 3.0)
    assert summary(runs) == {"x": [2.0, 1.0, 3.0]}


def test_a_run_says_where_it_was_taken() -> None:
    about = surroundings()
    assert about["cores"] >= 1
    assert about["kernel"]
    assert {"socketify", "picows", "aiohttp", "websockets", "uvicorn", "ws"} <= peer_versions().keys()


def test_the_picture_has_each_line_and_every_point(tmp_path: Path) -> None:
    picture = tmp_path / "deep" / "a.svg"
    plot.lines(picture, {"ours": {100: 2.0, 1000: 3.0}, "theirs": {100: 1.0}}, title="t", across="clients", up="us")
    text = picture.read_text()
    assert text.count("<polyline") == 2
    assert text.count("<circle") == 3
    assert ">ours<" in text
    assert ">1,000<" in text


def test_a_run_is_kept_whole_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- table -->\n<!-- /table -->\n")
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(report, "PAGE", page)
    kept = report.write(
        {"x": Outcome([MET], {"deep": {1: [0.123456]}}, ["10 lost"])}, surroundings(), rounds=3, took_s=61.0
    )
    told = json.loads(kept.read_text())
    assert told["measures"]["x"] == {
        "rows": [["a", ">= 1", "2", True, ""]],
        "wrong": ["10 lost"],
        "data": {"deep": {"1": [0.1235]}},
    }
    assert (told["about"]["rounds"], told["about"]["took_s"]) == (3, 61)
    assert kept.name in page.read_text()
    assert "- 10 lost" in page.read_text()
