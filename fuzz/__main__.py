"""`python -m fuzz TARGET [FILE | libFuzzer options]`: a long run guided by coverage, or one input again."""

import sys
from pathlib import Path

WORK = Path("var/fuzz")


def main(name: str, arguments: list[str]) -> int:
    """Fuzz the target; returns only when the run is limited, with a process exit code."""
    if arguments and not arguments[0].startswith("-"):
        from fuzz.targets import TARGETS

        TARGETS[name](Path(arguments[0]).read_bytes())
        print("the invariant holds")
        return 0
    import atheris

    with atheris.instrument_imports(include=["quotewire"]):
        from fuzz.targets import FOUND, SEEDS, TARGETS
    corpus = WORK / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[name] + FOUND[name]):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = ["-max_len=4096", f"-artifact_prefix={WORK}/{name}-", *arguments]
    atheris.Setup([sys.argv[0], *options, str(corpus)], TARGETS[name])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
