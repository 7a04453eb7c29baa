"""Every setting, from the environment alone, as one frozen value built once.

`VARIABLES` is the single list: the parser, `docs/settings.md` and the error messages all read it. Unknown and malformed
variables stop the start with a sentence that names the variable and what it accepts. A new setting is a field of
`model.Settings` and a `Variable` in the module of its topic.
"""

from quotewire.settings.environment import VARIABLES, load
from quotewire.settings.model import Settings
from quotewire.settings.variable import PERSON_NAME, Network, Variable, is_loopback

__all__ = ["PERSON_NAME", "VARIABLES", "Network", "Settings", "Variable", "is_loopback", "load"]
