"""The generated pages are today's, the example environments load, and no link of the front matter is broken."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from quotewire.settings import load

ROOT = Path(__file__).parents[2]
EXAMPLES = (".env.development.example", ".env.production.example")
FRONT_MATTER = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/adr/README.md")


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference_docs", ROOT / "scripts" / "reference_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["settings.md", "metrics.md"])
def test_the_page_is_todays(name: str) -> None:
    page = script().PAGES[name]()
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == page, "run scripts/reference_docs.py"


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_environments_are_accepted(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    environ = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert load(environ).environment == name.split(".")[2]


@pytest.mark.parametrize("name", FRONT_MATTER)
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{name} links to {target}"
