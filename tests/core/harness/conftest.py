"""Cases of the harness's tests."""

from pathlib import Path

import pytest

from netwright.harness import TimingConfig, Variant

HERE = Path(__file__).parent
QUICK = TimingConfig(min_rounds=2, max_rounds=3, max_seconds=0.1, warm_up_seconds=0.1, threads=1, call_timeout_s=30)


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETWRIGHT_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def quick() -> TimingConfig:
    """Timing that is over at once."""
    return QUICK


def model_case(name: str) -> str:
    """The case of one of `models.py`'s classes."""
    return f"script:{HERE / 'models.py'}:{name}"


def local_variant(file: str, name: str) -> Variant:
    """A variant of one of the files beside this one."""
    return Variant(label=name, target=f"{HERE / file}:{name}")
