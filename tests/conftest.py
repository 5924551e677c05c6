"""Settings of hypothesis for every mode: compilation and interpretation know no deadline, and a failure comes back."""

from hypothesis import settings

settings.register_profile("tdu", deadline=None, derandomize=True)
settings.load_profile("tdu")
