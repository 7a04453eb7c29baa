"""What `import quotewire` promises is there, lazily, and nothing else is."""

import subprocess
import sys

import pytest

import quotewire


@pytest.mark.parametrize("name", quotewire.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(quotewire, name) is not None
    assert name in dir(quotewire)


def test_public_names_are_sorted_and_each_has_one_home() -> None:
    assert quotewire.__all__ == sorted(quotewire.__all__)
    assert {*quotewire._HOME_OF, "__version__"} == set(quotewire.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        quotewire.nothing  # type: ignore[attr-defined]  # noqa: B018


def test_the_sdk_brings_in_neither_the_gateway_nor_the_simulator() -> None:
    script = (
        "import sys, quotewire\n"
        "quotewire.connect\n"
        "parts = ('app', 'edge', 'hub', 'upstream', 'simulator', 'questrade', 'telemetry', 'settings')\n"
        "print([part for part in parts if f'quotewire.{part}' in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "[]\n"
