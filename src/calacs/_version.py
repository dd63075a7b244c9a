"""The one place where the version stands."""

__version__ = "0.1.0"

OFFICIAL_VERSION = "10.5.0"
"""Version of official CALACS whose results these are."""

CAL_VER = f"{OFFICIAL_VERSION} (calacs {__version__})"
"""Text of the CAL_VER keyword in products."""
