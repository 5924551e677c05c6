"""Settings of hypothesis for every mode: compilation and interpretation know no deadline, and a failure comes back.

The profile `brief`, by ``--hypothesis-profile``, is for what has had all examples before (Makefile).
"""

from hypothesis import settings

settings.register_profile("tdu", deadline=None, derandomize=True)
settings.register_profile("brief", settings.get_profile("tdu"), max_examples=25)
settings.load_profile("tdu")
