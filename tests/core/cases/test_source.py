"""What a script's behaviour depends on."""

from pathlib import Path

from netwright.cases.source import sibling_checksums


def test_siblings_are_found_however_deeply(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("import os\nfrom layers.core import Layer\n")
    (tmp_path / "layers").mkdir()
    (tmp_path / "layers" / "__init__.py").write_text("")
    (tmp_path / "layers" / "core.py").write_text("def late():\n    import sizes\n")
    (tmp_path / "sizes.py").write_text("import model\n")
    (tmp_path / "unrelated.py").write_text("")
    before = sibling_checksums(tmp_path / "model.py")
    assert set(before) == {"layers/__init__.py", "layers/core.py", "sizes.py", "model.py"}
    (tmp_path / "sizes.py").write_text("import model\nWIDTH = 3\n")
    after = sibling_checksums(tmp_path / "model.py")
    assert {name for name in before if before[name] != after[name]} == {"sizes.py"}
