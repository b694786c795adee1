"""Run as `python verify LOG`, wherever this folder was copied to."""

import sys
from importlib import import_module
from pathlib import Path

FOLDER = Path(__file__).resolve().parent

if __name__ == "__main__":
    sys.path.insert(0, str(FOLDER.parent))
    sys.exit(import_module(FOLDER.name).main())
