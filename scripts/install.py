"""Install a hashed lock file, then quotewire itself, into the environment this runs in."""

import importlib.util
import subprocess
import sys


def pip(*args: str) -> None:
    """Run this environment's pip quietly; raises CalledProcessError when it fails."""
    subprocess.run([sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *args], check=True)


def main(lock: str) -> int:
    """Install `lock`; returns a process exit code."""
    print(f"installing {lock} ...", flush=True)
    pip("install", "--require-hashes", "--no-deps", "-r", lock)
    if importlib.util.find_spec("quotewire") is None:
        pip("install", "--no-deps", "--no-build-isolation", "--editable", ".")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
