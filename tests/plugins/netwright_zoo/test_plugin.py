"""What the plugin brings."""

import subprocess
import sys

from netwright.registry import registry
from netwright.specs import CaseSourceSpec


def test_four_schemes_with_examples() -> None:
    specs = {component.spec.name: component.spec for component in registry().components("case source")}
    for scheme in ("timm", "torchvision", "hf", "kernelbench"):
        spec = specs[scheme]
        assert isinstance(spec, CaseSourceSpec)
        assert all(example.startswith(f"{scheme}:") for example in spec.examples)
        assert spec.examples
        assert callable(registry().load("case source", scheme))


def test_the_plugin_imports_no_library() -> None:
    code = "import sys, netwright_zoo.plugin; print({'torch', 'timm', 'transformers'} & set(sys.modules))"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "set()"
