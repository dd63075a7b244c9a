"""The golden cases are collected only where ``CALACS_GOLDEN`` names the folder that holds them."""

import os

if not os.environ.get("CALACS_GOLDEN"):
    collect_ignore_glob = ["test_*.py"]
