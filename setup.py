"""What pyproject.toml cannot say: the wheel brings lessons, pages and JupyterLab's settings.

They stand beside the package, and come into the wheel as mlm_course/shipped.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
SHIPPED = ("lessons/*.ipynb", "course/*.md", "course/images/*", "jupyter/**/*.json", "README.md")


class WithLessons(build_py):
    """The package, and beside its modules what a learner without git needs."""

    def run(self):
        super().run()
        if self.editable_mode:  # everything is in its place
            return
        target = Path(self.build_lib) / "mlm_course" / "shipped"
        shutil.rmtree(target, ignore_errors=True)
        for path in (path for pattern in SHIPPED for path in sorted(ROOT.glob(pattern))):
            place = target / path.relative_to(ROOT)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)


setup(cmdclass={"build_py": WithLessons})
