"""Tests of reading a candidate's source: what is refused, and that usual code is not."""

from pathlib import Path

import pytest

from netwright.errors import UserError
from netwright.harness import Claims, Variant
from netwright.harness.source import complaint, is_readable

HERE = Path(__file__).parent


def said(tmp_path: Path, source: str, *, claims: Claims | None = None, allowed: tuple[str, ...] = ()) -> str | None:
    file = tmp_path / "candidate.py"
    file.write_text(source)
    return complaint(Variant(label="mine", target=f"{file}:build", claims=claims or Claims()), allowed)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("import gc", "it imports gc"),
        ("import os.path", "it imports os.path"),
        ("from time import perf_counter", "it imports time.perf_counter"),
        ("import netwright.harness", "it imports netwright.harness"),
        ("from torch import multiprocessing", "it imports torch.multiprocessing"),
        ("from torch import *", "it imports torch.*"),
        ("import torch\ntorch.sys.modules", "it uses torch.sys"),
        ("import torch\ntorch.load('x')", "it uses torch.load"),
        ("import torch\ntorch.set_num_threads(64)", "it uses torch.set_num_threads"),
        ("from torch import os", "it imports torch.os"),
        ("import torch\nother = torch\nyet = other\nyet.sys.modules", "it uses torch.sys"),
        ("from operator import attrgetter", "it imports operator.attrgetter"),
        ("open('x')", "it uses open"),
        ("eval('1')", "it uses eval"),
        ("list(map(getattr, [], []))", "it uses getattr"),
        ("import torch\ngetattr(torch, 'sys')", "it uses torch.sys"),
        ("import torch\ngetattr(torch, f'm{1}')", "it looks up an attribute whose name it computes"),
        ("def f(x, name):\n    return getattr(x, name)", "it looks up an attribute whose name it computes"),
        ("def f(x):\n    return x.__globals__", "it looks into __globals__"),
        ("def f(x):\n    return x.gi_frame", "it looks into gi_frame"),
        ("import torch\ntorch.mm = torch.matmul", "it changes torch.mm for everybody"),
        ("from torch import nn\nnn.Module.__call__ = len", "it changes torch.nn.Module.__call__ for everybody"),
        ("import torch\ntorch.backends.cuda.matmul.allow_tf32 = True", "it changes torch.backends.cuda.matmul"),
        ("import torch\ntorch._C.x['y'] = 1", "it changes torch._C.x for everybody"),
        ("def f(m):\n    type(m).forward = len", "it changes type(m).forward for everybody"),
        ("def f(m):\n    m.__class__.forward = len", "it changes m.__class__.forward for everybody"),
        ("def f(m):\n    try:\n        m()\n    except Exception:\n        pass", "it swallows exceptions"),
        ("from contextlib import suppress", "it imports contextlib.suppress"),
    ],
)
def test_what_a_candidate_has_no_business_with(tmp_path: Path, source: str, problem: str) -> None:
    answer = said(tmp_path, source)
    assert answer is not None
    assert answer.startswith("candidate.py, line ")
    assert problem in answer


@pytest.mark.parametrize(
    "source",
    [
        "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\nimport triton\nimport math",
        "try:\n    import triton\nexcept ImportError:\n    triton = None",
        "def f(m):\n    try:\n        m()\n    except ValueError as error:\n        raise RuntimeError from error",
        "def build(module):\n    module.fc = module.fc.double()\n    module.cache['x'] = 1\n    return module",
        "def f(self):\n    return [getattr(self, f'layer{number}') for number in range(3)]",
        "from torch import nn\nclass New(nn.Module):\n    def __init__(self):\n        super().__init__()",
        "import torch\nbuild = torch.compile",
    ],
)
def test_usual_code_reads_well(tmp_path: Path, source: str) -> None:
    assert said(tmp_path, source) is None


def test_what_the_user_allows_may_be_used(tmp_path: Path) -> None:
    source = "import torch\nfrom torch.utils.cpp_extension import load_inline\nimport scipy\ntorch.os"
    assert said(tmp_path, source, allowed=("torch.utils.cpp_extension", "scipy", "os")) is None


@pytest.mark.parametrize("use", ["module(x)", "module.forward(x)", "torch.compile(module)(x)"])
def test_who_claims_kernels_may_not_let_the_original_do_the_work(tmp_path: Path, use: str) -> None:
    source = f"import torch\ndef build(module):\n    return lambda x: {use}"
    problem = said(tmp_path, source, claims=Claims(kernels=("mine",)))
    assert problem == "candidate.py, line 3: it claims kernels of its own, and has the original module do the work"
    assert said(tmp_path, source) is None


def test_files_beside_it_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "helpers.py").write_text("import socket")
    assert said(tmp_path, "from helpers import f") == "helpers.py, line 1: it imports socket"
    assert said(tmp_path, "import helpers") == "helpers.py, line 1: it imports socket"


def test_files_are_read_and_installed_packages_are_not() -> None:
    assert is_readable(Variant(label="file", target="folder/file.py:build"))
    assert not is_readable(Variant(label="package", target="package.module:build"))
    assert not is_readable(Variant(label="eager"))


def test_what_is_not_python_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not import: SyntaxError"):
        said(tmp_path, "def")


@pytest.mark.parametrize("name", ["reassociated", "folded", "own_buffer"])
def test_honest_variants_read_well(name: str) -> None:
    assert complaint(Variant(label=name, target=f"{HERE / 'honest.py'}:{name}")) is None
