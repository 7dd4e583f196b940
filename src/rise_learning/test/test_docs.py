"""What the documentation points at exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    dead = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not dead


def test_every_file_and_name_of_the_method_map_exists() -> None:
    places = re.findall(r"`(rise_\w+)/([\w/]+\.py)(?:::(\w+))?`", (ROOT / "docs/method-to-code.md").read_text())
    assert len(places) > 20
    for package, file, name in places:
        path = ROOT / "src" / package / package / file
        assert path.is_file(), f"docs/method-to-code.md names {package}/{file}"
        definitions = [
            node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef | ast.FunctionDef)
        ]
        assert not name or name in {node.name for node in definitions}, f"{package}/{file} has no {name}"


def test_commands_of_the_readme_exist() -> None:
    text = "".join(page.read_text() for page in PAGES)
    for package, module in sorted(set(re.findall(r"python -m (rise_\w+)\.([\w.]+)", text))):
        path = ROOT / "src" / package / package / (module.replace(".", "/") + ".py")
        assert path.is_file(), f"the documentation calls python -m {package}.{module}"
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake (\w+)\b(?=`|  )", text)) <= targets
