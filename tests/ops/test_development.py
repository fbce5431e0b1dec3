"""Setting up a checkout: exact versions, `make`, and the check that runs on every change."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def _constraints() -> dict[str, Requirement]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {_normal(requirement.name): requirement for requirement in found}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_constraints_are_exact_and_hold_for_every_dependency() -> None:
    constraints = _constraints()
    for requirement in constraints.values():
        assert requirement.url is None
        assert [specifier.operator for specifier in requirement.specifier] == ["=="], requirement
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    lines = [*PROJECT["dependencies"], *groups["dev"]]
    lines += [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
    for line in lines:
        wanted = Requirement(line)
        if wanted.name == PROJECT["name"]:
            continue
        (pinned,) = constraints[_normal(wanted.name)].specifier
        assert wanted.specifier.contains(pinned.version), line


def test_make_explains_itself() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    said = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert set(re.findall(r"^  make ([a-z]+)", said, re.MULTILINE)) == targets


def _program(name: str) -> str:
    found = shutil.which(name)
    assert found is not None, f"{name} is not installed"
    return found


def _python(folder: Path, name: str, script: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder with nothing but what `make install` reads, and no Python but what a test puts into bin."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "bin").mkdir()
    for name in ("sh", "touch", "mkdir", "chmod"):
        (tmp_path / "bin" / name).symlink_to(_program(name))
    return tmp_path


def _make(bare: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(bare / "bin"), "MAKEFLAGS": ""}
    return subprocess.run(
        [_program("make"), *arguments], cwd=bare, env=environment, capture_output=True, text=True, check=False
    )


def test_make_says_which_python_it_needs(bare: Path) -> None:
    _python(bare / "bin", "python3", "echo 3.9.2; exit 1")
    _python(bare / "bin", "python3.12", "echo 'command not found in this version' >&2; exit 127")
    done = _make(bare, "install")
    assert done.returncode != 0
    assert "Python 3.11 or newer is needed" in done.stderr
    assert "python3 is 3.9.2" in done.stderr
    assert "PYTHON=" in done.stderr


def test_make_takes_the_first_python_that_is_new_enough_and_installs_once(bare: Path) -> None:
    # Stands in for a Python: says a version, and makes an environment whose Python notes what it is asked.
    fake = f"""
        case "$1" in
          -c) echo 3.12.9 ;;
          -m) case "$2" in
                venv) mkdir -p .venv/bin; for last; do :; done
                      printf '%s\\n' '#!/bin/sh' 'echo "$@" >> {bare}/asked' > .venv/bin/python
                      chmod +x .venv/bin/python ;;
              esac ;;
        esac"""
    _python(bare / "bin", "python3", "echo 3.9.2; exit 1")
    _python(bare / "bin", "python3.13", "exit 127")
    _python(bare / "bin", "python3.12", fake)
    done = _make(bare, "install")
    assert (done.returncode, done.stderr) == (0, "")
    assert "with python3.12 (3.12.9)" in done.stdout
    asked = (bare / "asked").read_text().splitlines()
    assert [line for line in asked if "pip" in line] == asked
    assert "--upgrade pip" in asked[0]
    assert "--editable .[all] --group dev" in asked[1]
    assert all("--constraint constraints.txt" in line for line in asked)
    again = _make(bare, "install")
    assert (again.returncode, (bare / "asked").read_text().splitlines()) == (0, asked)


def test_a_chosen_python_is_taken_or_refused(bare: Path) -> None:
    _python(bare / "bin", "python3", "echo 3.12.9")
    done = _make(bare, "install", "PYTHON=python9")
    assert done.returncode != 0
    assert "none was found as: python9" in done.stderr


# --- the check of a checkout ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "user", "apt_works", "installs"),
    [
        (["redis-server"], 0, True, []),
        (["valkey-server"], 0, True, []),
        ([], 0, True, ["redis-server"]),
        ([], 0, False, ["redis-server"]),
        ([], 1000, True, []),
    ],
)
def test_the_check_installs_what_is_missing_and_goes_on_without(
    tmp_path: Path, there: list[str], user: int, apt_works: bool, installs: list[str]
) -> None:
    for name in ("bash", "dirname", "mktemp", "cat", "rm"):
        (tmp_path / name).symlink_to(_program(name))
    for name in there:
        _python(tmp_path, name, "")
    _python(tmp_path, "id", f"echo {user}")
    _python(tmp_path, "python3", "")
    _python(tmp_path, "make", f'echo "make $1 CI=$CI" >> {tmp_path}/calls')
    works = "" if apt_works else "; echo no such host >&2; exit 100"
    _python(tmp_path, "apt-get", f'echo "apt-get $*" >> {tmp_path}/calls{works}')
    done = subprocess.run(
        [tmp_path / "bash", ROOT / ".ci" / "run"],
        env={"PATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    calls = (tmp_path / "calls").read_text().splitlines()
    assert done.returncode == 0, done.stderr
    assert calls[-2:] == ["make test CI=true", "make check CI=true"]
    assert [call.split()[-1] for call in calls[:-2] if "install" in call.split()] == (
        installs if apt_works else []
    )
    assert bool(calls[:-2]) == bool(installs)
    assert ("no such host" in done.stderr) == (bool(installs) and not apt_works)


def test_the_check_fails_where_the_tests_do(tmp_path: Path) -> None:
    for name in ("bash", "dirname"):
        (tmp_path / name).symlink_to(_program(name))
    for name in ("redis-server", "python3"):
        _python(tmp_path, name, "")
    _python(tmp_path, "make", "exit 2")
    done = subprocess.run([tmp_path / "bash", ROOT / ".ci" / "run"], env={"PATH": str(tmp_path)}, check=False)
    assert done.returncode == 2
