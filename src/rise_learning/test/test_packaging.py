"""Packages, requirement files, executables, scripts and containers agree with what is in the repository."""

from __future__ import annotations

import ast
import importlib.util
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("rise_robot", "rise_worldmodel", "rise_learning")
SCRIPTS = sorted(p for place in ("scripts/*.sh", "docker/*.sh", "env.sh", ".ci/run") for p in ROOT.glob(place))
DOCKERFILES = sorted((ROOT / "docker").glob("Dockerfile.*"))


def _lint_packages() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lint_packages", ROOT / "scripts/lint_packages.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_packages_pass_the_ament_style_checks() -> None:
    assert _lint_packages().problems(ROOT / "src") == []


def test_ament_style_checks_name_what_is_wrong(tmp_path: Path) -> None:
    for package in ("rise_worldmodel", "rise_msgs"):
        shutil.copytree(ROOT / "src" / package, tmp_path / package)
    broken = tmp_path / "rise_worldmodel"
    xml = (broken / "package.xml").read_text()
    (broken / "package.xml").write_text(xml.replace('format="3"', 'format="2"').replace("0.1.0", "0.2.0"))
    (broken / "resource/rise_worldmodel").unlink()
    (broken / "rise_worldmodel/added.py").write_text("import sensor_msgs.msg\n")
    found = "\n".join(_lint_packages().problems(tmp_path))
    for expected in (
        "format is 2",
        "no section for version 0.2.0",
        "no resource/rise_worldmodel marker",
        "imports sensor_msgs without declaring it",
        "package versions differ",
    ):
        assert expected in found


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.name)
def test_requirements_are_pinned(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    assert lines
    loose = [line for line in lines if not re.fullmatch(r"[\w.-]+(\[\w+\])?==[\w.!-]+", line)]
    assert not loose, f"not pinned to one version: {loose}"


def test_every_imported_library_is_required() -> None:
    required = {
        re.sub(r"[-_.]+", "-", re.split(r"[\[=]", line)[0]).lower()
        for path in (ROOT / "requirements").glob("*.txt")
        if path.name != "constraints.txt"
        for line in path.read_text().splitlines()
        if line and not line.startswith("#")
    }
    providers = packages_distributions()
    missing = set()
    for package in PACKAGES:
        for path in (ROOT / "src" / package).rglob("*.py"):
            for name in _lint_packages().imported_modules(path) - set(sys.stdlib_module_names) - set(PACKAGES):
                offered = {re.sub(r"[-_.]+", "-", item).lower() for item in providers.get(name, [])}
                is_ros = any(item.startswith("ros-") for item in offered) or name.endswith(("_msgs", "_srvs"))
                if offered and not is_ros and not offered & required:
                    missing.add(f"{name} ({path.relative_to(ROOT)}), of {sorted(offered)}")
    assert not missing, f"imported, but in no requirements/*.txt: {sorted(missing)}"


def _executables(package: str) -> dict[str, str]:
    """Name to "module:function" of the console_scripts in a package's setup.py, read from its syntax tree."""
    texts = [
        node.value
        for node in ast.walk(ast.parse((ROOT / "src" / package / "setup.py").read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"\w+ = [\w.]+:\w+", node.value)
    ]
    return dict(text.split(" = ") for text in texts)


def _defines_main(path: Path) -> bool:
    return any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in ast.parse(path.read_text()).body)


@pytest.mark.parametrize("package", PACKAGES)
def test_executables_exist(package: str) -> None:
    for name, target in _executables(package).items():
        module, function = target.split(":")
        path = ROOT / "src" / package / (module.replace(".", "/") + ".py")
        assert path.is_file(), f"ros2 run {package} {name}: there is no {path.relative_to(ROOT)}"
        assert function == "main" and _defines_main(path), (
            f"ros2 run {package} {name}: {path.relative_to(ROOT)} has no main"
        )


@pytest.mark.parametrize("package", PACKAGES)
def test_every_main_is_an_executable(package: str) -> None:
    targets = set(_executables(package).values())
    folder = ROOT / "src" / package / package
    mains = {
        ".".join((package, *path.relative_to(folder).with_suffix("").parts)) + ":main"
        for path in folder.rglob("*.py")
        if _defines_main(path) and path.name != "__main__.py"
    }
    assert mains <= targets, f"not in {package}/setup.py: {sorted(mains - targets)}"


def test_build_installs_configuration_and_launch_files(tmp_path: Path) -> None:
    """The very command that colcon runs for an ament_python package, into another prefix."""
    package = ROOT / "src/rise_robot"
    command = [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", str(tmp_path), "build", "--build-base"]
    command += [str(tmp_path / "build"), "install", "--prefix", str(tmp_path / "install"), "--no-compile"]
    command += ["--record", str(tmp_path / "files"), "--single-version-externally-managed"]
    result = subprocess.run(command, cwd=package, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    share = tmp_path / "install/share/rise_robot"
    expected = {p.relative_to(ROOT) for p in (ROOT / "config").rglob("*") if p.is_file()}
    of_learning = {"policy.launch.py", "evaluate.launch.py"}
    expected |= {p.relative_to(ROOT) for p in (ROOT / "launch").glob("*.launch.py") if p.name not in of_learning}
    assert {path for path in expected if not (share / path).is_file()} == set()
    executables = {path.name for path in (tmp_path / "install/lib/rise_robot").iterdir()}
    assert executables == set(_executables("rise_robot"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_parse_and_those_to_be_run_are_executable(path: Path) -> None:
    """env.sh and learned_recipe.sh are read by others and have no `#!`."""
    result = subprocess.run(["bash", "-n", str(path)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert bool(path.stat().st_mode & 0o111) == path.read_text().startswith("#!"), f"{path}: executable or not?"


def test_apt_install_plans_every_step_without_running_it() -> None:
    plan = subprocess.run([ROOT / "scripts/install_apt.sh", "--dry-run"], capture_output=True, text=True, timeout=60)
    assert plan.returncode == 0, plan.stderr
    steps = [
        "apt-get install",
        "rosdep install",
        "-m venv --system-site-packages",
        "requirements/robot.txt",
        " build --base",
    ]
    positions = [plan.stdout.find(step) for step in steps]
    assert -1 not in positions and positions == sorted(positions), plan.stdout
    assert "requirements/learning.txt" in plan.stdout and "rise_learning" in plan.stdout
    robot = subprocess.run(
        [ROOT / "scripts/install_apt.sh", "--dry-run", "--no-learning"], capture_output=True, text=True, timeout=60
    )
    assert "learning" not in robot.stdout.replace("--no-learning", ""), robot.stdout


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_dockerfile_names_only_what_exists(path: Path) -> None:
    text = path.read_text().replace("\\\n", " ")
    copied: set[str] = set()
    for arguments in re.findall(r"^COPY (.+)$", text, re.MULTILINE):
        *sources, _ = arguments.split()
        assert all((ROOT / source).exists() for source in sources), f"COPY {arguments}"
        copied |= set(sources)
    for script in re.findall(r"(?:scripts|docker)/\w+\.sh", text):
        assert (ROOT / script).is_file(), f"{path.name} runs {script}"
        assert script in copied or script.split("/")[0] in copied, f"{path.name} runs {script} without copying it"
    ignored = set((ROOT / ".dockerignore").read_text().split())
    assert not copied & ignored, f"{path.name} copies what .dockerignore leaves out: {copied & ignored}"


def test_compose_builds_from_files_that_exist() -> None:
    services = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())["services"]
    for name, service in services.items():
        if "build" in service:
            context = (ROOT / "docker" / service["build"]["context"]).resolve()
            assert context == ROOT and (context / service["build"]["dockerfile"]).is_file(), name
