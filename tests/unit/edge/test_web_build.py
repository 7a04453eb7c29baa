"""The dashboard inside the package is built from the sources in web/, whole and unchanged. Needs no Node."""

import hashlib
import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
WEB = ROOT / "web"
SHIPPED = ROOT / "src" / "quotewire" / "edge" / "web"

# As in web/stamp.ts.
SINGLE = ("index.html", "package-lock.json", "package.json", "stamp.ts", "tsconfig.json", "vite.config.ts")
FOLDERS = ("src",)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sources() -> list[str]:
    found = [
        path.relative_to(WEB).as_posix() for folder in FOLDERS for path in (WEB / folder).rglob("*") if path.is_file()
    ]
    return sorted([*SINGLE, *found])


def fingerprint() -> str:
    lines = []
    for path in sources():
        text = (WEB / path).read_bytes().replace(b"\r\n", b"\n")
        lines.append(f"{path} {sha256(text)}\n")
    return sha256("".join(lines).encode())


def test_the_shipped_dashboard_is_built_from_the_sources_of_today() -> None:
    stamp = json.loads((SHIPPED / "build.json").read_text())

    assert stamp["sources"] == fingerprint(), "web/ has changed since the dashboard was built: run `make web`"


def test_the_shipped_files_are_those_the_build_made() -> None:
    stamp = json.loads((SHIPPED / "build.json").read_text())
    shipped = {path.relative_to(SHIPPED).as_posix(): path for path in SHIPPED.rglob("*") if path.is_file()}
    del shipped["build.json"]

    assert {name: sha256(path.read_bytes()) for name, path in shipped.items()} == stamp["files"]


def test_the_page_refers_only_to_files_that_are_shipped() -> None:
    page = (SHIPPED / "index.html").read_text()
    referred = re.findall(r'(?:src|href)="([^"]+)"', page)

    assert referred, "the page loads no script at all"
    assert [name for name in referred if not name.startswith("./") or not (SHIPPED / name).is_file()] == []


def test_neither_page_nor_lock_file_names_another_host() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text())
    shipped = "".join(path.read_text() for path in SHIPPED.rglob("*") if path.is_file())
    # Namespaces are names, not addresses: nothing is loaded from them.
    hosts = set(re.findall(r"(?:https?|wss?)://([\w.-]+)", shipped)) - {"www.w3.org"}

    assert hosts == set()
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []
