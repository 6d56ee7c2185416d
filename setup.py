"""Puts template.yaml and the locks into the wheel: in a clone they lie beside the packages, where people look for them.

Everything else about the package is in pyproject.toml.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

FILES = ("template.yaml", "requirements/function.txt", "requirements/function-api.txt", "requirements/ministack.txt")


class BuildWithFiles(build_py):
    """Copies the files to `headrace/shipped`, except for an editable install, which uses those of the clone."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for name in FILES:
            place = Path(self.build_lib, "headrace", "shipped", name)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(name, place)


setup(cmdclass={"build_py": BuildWithFiles})
