"""What was measured, shown, kept as JSON, and written into docs/performance.md."""

import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benches.loading import HERE
from benches.setting import Outcome, Row

RESULTS: Final = HERE / "results"
PAGE: Final = HERE.parent / "docs" / "performance.md"
BEGIN, END = "<!-- table -->", "<!-- /table -->"


def show(outcome: Outcome) -> None:
    """Print the rows and what is wrong."""
    for row in outcome.rows:
        print(f"  {row.measure} | {row.target} | {row.measured} | {verdict(row)} {row.note}".rstrip(), flush=True)
    for wrong in outcome.wrong:
        print(f"  WRONG: {wrong}", flush=True)


def verdict(row: Row) -> str:
    """A row's verdict in a word."""
    return {True: "met", False: "**missed**", None: ""}[row.met]


def write(outcomes: dict[str, Outcome], where: dict[str, Any], *, rounds: int, took_s: float) -> Path:
    """Keep everything under `results/`, and fill the table; the file of results. `where` is from `surroundings`."""
    about = where | {"rounds": rounds, "took_s": round(took_s)}
    RESULTS.mkdir(exist_ok=True)
    kept = RESULTS / f"{about['date'][:10]}-{about['machine_slug']}.json"
    everything = {
        "about": about,
        "measures": {
            name: {
                "rows": [[row.measure, row.target, row.measured, row.met, row.note] for row in outcome.rows],
                "wrong": outcome.wrong,
                "data": _rounded(outcome.data),
            }
            for name, outcome in outcomes.items()
        },
    }
    kept.write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")
    fill(PAGE, outcomes, about, kept.name)
    return kept


def fill(page: Path, outcomes: dict[str, Outcome], about: dict[str, Any], kept: str) -> None:
    """Put the table between the marks of the page. Raises ValueError when the marks are not there."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page.name} lacks the marks {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n{table(outcomes, about, kept)}{END}{after}", encoding="utf-8")


def table(outcomes: dict[str, Outcome], about: dict[str, Any], kept: str) -> str:
    """The machine in words, the rows, and what was not as it must be."""
    lines = [
        f"Run of {about['date']} ({about['took_s'] // 60} minutes, {about['rounds']} rounds): {about['cores']} cores of"
        f" {about['machine']}, {about['memory_gib']} GiB, Linux {about['kernel']}, {about['python']}, uvloop"
        f" {about['uvloop']}, TCP congestion control {about['congestion_control']}; quotewire at {about['commit']}."
        f" Everything behind the table: `benches/results/{kept}`.",
        "",
        "| measure | target | measured | |",
        "| --- | --- | --- | --- |",
    ]
    for outcome in outcomes.values():
        for row in outcome.rows:
            note = f" ({row.note})" if row.note else ""
            cells = (row.measure, row.target, row.measured + note, verdict(row))
            lines.append("| " + " | ".join(cell.replace("|", "&#124;") for cell in cells) + " |")
    wrong = [found for outcome in outcomes.values() for found in outcome.wrong]
    lines += ["", f"Peers: {', '.join(f'{name} {version}' for name, version in about['peers'].items())}."]
    lines += ["", "Sent against received, in every run above: " + ("no difference." if not wrong else "")]
    lines += [f"- {found}" for found in wrong]
    return "\n".join(lines) + "\n"


def surroundings() -> dict[str, Any]:
    """What a reader needs to judge the figures."""
    machine = _cpu()
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine,
        "machine_slug": re.sub(r"[^a-z0-9]+", "-", f"{os.cpu_count()}-cores-{machine}".lower()).strip("-"),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "kernel": platform.release(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "uvloop": importlib.metadata.version("uvloop"),
        "congestion_control": _sysctl("net/ipv4/tcp_congestion_control"),
        "compiler": _said(["cc", "--version"]),
        "commit": _said(["git", "-C", str(HERE), "describe", "--always", "--dirty"]),
        "peers": peer_versions(),
        "load_average": round(os.getloadavg()[0], 2),
    }


def peer_versions() -> dict[str, str]:
    """Names and versions of the peers, as their lock files have them."""
    wanted = ("socketify", "picows", "aiohttp", "websockets", "uvicorn")
    pinned = dict(re.findall(r"^([a-z-]+)==([^ ;]+)", (HERE / "requirements.lock").read_text(), re.MULTILINE))
    found = {name: pinned[name] for name in wanted if name in pinned}
    lock = json.loads((HERE / "peers" / "node" / "package-lock.json").read_text())
    found["ws"] = lock["packages"]["node_modules/ws"]["version"]
    if shutil.which("node"):
        found["node"] = _said(["node", "--version"])
    return found


def _sysctl(name: str) -> str:
    path = Path("/proc/sys") / name
    return path.read_text(encoding="utf-8").strip() if path.exists() else "unknown"


def _said(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout.strip().splitlines() or ["unknown"])[0]


def _cpu() -> str:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return re.sub(r"\((R|TM)\)", "", found.group(1)).strip() if found else platform.machine()


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {str(key): _rounded(each) for key, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, (list, tuple)) else value
