"""Convert the cases of the Autobahn test suite, which are Python 2, so that this Python runs them.

A Python 2 text is bytes. Each becomes a text here whose characters are those bytes (latin-1), so that the cases compare
and slice as they always did; `driver.py` turns them into bytes where they meet the wire.
"""

import re
import shutil
from pathlib import Path

# The cases of permessage-deflate, which the edge does not offer, and one that never ends by design.
LEFT_OUT = re.compile(
    r"^from case(12|9_9_1)\S* import \*$|^Cases\.extend\(Case1[23]_X_X\).*$|^.*Case1[23]_X_X_CaseSub.*$", re.M
)
CODING = re.compile(r"^#.*coding[=:].*$", re.M)
REWRITES = (
    (re.compile(r"^from (case\w*) import", re.M), r"from autobahn_cases.\1 import"),
    (re.compile(r"^import binascii$", re.M), "from autobahn_cases import native as binascii"),
    (re.compile(r"^from autobahn.websocket.utf8validator import", re.M), "from autobahn_cases.native import"),
    (re.compile(r"\(object, Case, \)"), "(Case,)"),
    (re.compile(r"len\(self\.payload\) / "), "len(self.payload) // "),
)
NATIVE = '''"""The few library calls the cases make, for texts that stand for bytes."""

import binascii

from autobahn.websocket.utf8validator import Utf8Validator as _Validator


def b2a_hex(data):
    return binascii.b2a_hex(data if isinstance(data, bytes) else data.encode("latin-1")).decode()


class Utf8Validator(_Validator):
    def validate(self, data):
        return _Validator.validate(self, data.encode("latin-1"))
'''


def convert(suite: Path, target: Path) -> Path:
    """Write the cases of the installed `suite` to the package `autobahn_cases` in `target`; returns the package."""
    from fissix.refactor import RefactoringTool, get_fixers_from_package  # installed only for this

    package = target / "autobahn_cases"
    shutil.rmtree(package, ignore_errors=True)
    package.mkdir(parents=True)
    wanted = {f"fissix.fixes.fix_{name}" for name in ("print", "xrange", "has_key", "unicode", "except", "dict")}
    tool = RefactoringTool([fixer for fixer in get_fixers_from_package("fissix.fixes") if fixer in wanted])
    for source in sorted((suite / "case").glob("*.py")):
        if source.name.startswith(("case12", "case9_9")):
            continue
        text = CODING.sub("", LEFT_OUT.sub("", source.read_bytes().decode("latin-1").replace("\r\n", "\n")))
        for pattern, replacement in REWRITES:
            text = pattern.sub(replacement, text)
        (package / source.name).write_text(str(tool.refactor_string(text + "\n", source.name)), encoding="utf-8")
    (package / "native.py").write_text(NATIVE, encoding="utf-8")
    return package
