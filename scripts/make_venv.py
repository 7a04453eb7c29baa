"""Make the virtual environment; on a Debian that split `venv` off, install that package first."""

import os
import shutil
import subprocess
import sys
import venv


def main(target: str) -> int:
    """Create `target`; returns a process exit code."""
    if sys.version_info < (3, 11):  # noqa: UP036  an older Python is what this is here to refuse
        print(f"quotewire needs Python 3.11 or newer; this is {sys.version.split()[0]}. Try: make PYTHON=python3.11")
        return 1
    try:
        import ensurepip  # noqa: F401  Debian leaves this module out of its base package
    except ImportError:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            print("Python's venv module is missing. On Debian or Ubuntu: sudo apt-get install python3-venv")
            return 1
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(["apt-get", "install", "-y", "-qq", "python3-venv"], check=True)
        # The new module is only seen by a new interpreter.
        return subprocess.run([sys.executable, "-m", "venv", target], check=False).returncode
    venv.EnvBuilder(with_pip=True).create(target)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
