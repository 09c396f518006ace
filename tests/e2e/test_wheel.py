"""The wheel alone, installed by pip into an empty directory, is the whole tool."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and install it; return the environment's directory of programs."""
    root = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(root / "dist"), str(CHECKOUT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = (root / "dist").glob("*.whl")
    venv.create(root / "venv", with_pip=True)
    programs = root / "venv" / "bin"
    subprocess.run([str(programs / "pip"), "install", "-q", str(wheel)], check=True, capture_output=True)
    return programs


def run(programs: Path, directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(programs / "rmqops"), *arguments], cwd=directory, capture_output=True, text=True, check=False
    )


def test_it_runs_from_anywhere(installed: Path, tmp_path: Path) -> None:
    assert run(installed, tmp_path, "--version").stdout.startswith("rmqops ")
    for name in ("local", "prod", "quickstart"):
        done = run(installed, tmp_path, "validate", "--inventory", name)
        assert done.returncode == 0, done
    done = run(installed, tmp_path, "render", "--inventory", "prod", "--out", "out")
    assert done.returncode == 0, done
    assert (tmp_path / "out" / "INSTALL.md").exists()


def test_it_renders_what_the_checkout_renders(installed: Path, tmp_path: Path) -> None:
    ours = subprocess.run(
        [sys.executable, "-m", "rmqops", "render", "--inventory", "local", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    done = run(installed, tmp_path, "render", "--inventory", "local", "--json")
    assert json.loads(done.stdout) == json.loads(ours.stdout)


def test_it_finds_its_playbooks(installed: Path, tmp_path: Path) -> None:
    code = (
        "from rmqops import assets; import subprocess, sys; from pathlib import Path\n"
        "program = Path(sys.executable).with_name('ansible-playbook')\n"
        "sys.exit(subprocess.run([program, '--syntax-check', '-i', assets.path('inventory', 'local'),"
        " assets.path('playbooks', 'site.yml')], env={'ANSIBLE_CONFIG': str(assets.path('ansible.cfg')),"
        " 'PATH': '/usr/bin:/bin', 'HOME': '/tmp', 'LANG': 'C.UTF-8'}).returncode)"
    )
    done = subprocess.run(
        [str(installed / "python"), "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done
