"""The pure part of the simulator knows no clock, no chance and no world."""

import ast
from pathlib import Path

import pytest

import quotewire.simulator

FOLDER = Path(quotewire.simulator.__file__).parent
TOUCHES_THE_WORLD = {
    "__init__",
    "acts",
    "control",
    "http",
    "hub",
    "network",
    "oauth",
    "ports",
    "rest",
    "server",
    "sockets",
    "stream",
}
FORBIDDEN = {"asyncio", "socket", "time", "random", "os", "logging", "secrets", "starlette", "uvicorn", "websockets"}


@pytest.mark.parametrize("name", sorted({path.stem for path in FOLDER.glob("*.py")} - TOUCHES_THE_WORLD))
def test_module_is_pure(name: str) -> None:
    tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module)
    assert not {each.partition(".")[0] for each in imported} & FORBIDDEN
    impure = {f"quotewire.simulator.{each}" for each in TOUCHES_THE_WORLD}
    assert not imported & impure
