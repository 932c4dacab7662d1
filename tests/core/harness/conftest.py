"""Cases and variants of the harness's tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from netwright.cases import Case, CaseOptions, load_case
from netwright.harness import TimingConfig, Variant

HERE = Path(__file__).parent
TOKENS = {"inputs": {"args": [{"shape": [3, 7], "dtype": "int64", "range": [0, 11]}]}}

MakeCase = Callable[..., Case]
MakeVariant = Callable[[str, str], Variant]


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache that all of the harness's tests share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETWRIGHT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def quick() -> TimingConfig:
    """Timing that is over at once, on one thread."""
    return TimingConfig(min_rounds=2, max_rounds=3, max_seconds=0.1, warm_up_seconds=0.1, threads=1)


@pytest.fixture(scope="session")
def case_name() -> Callable[[str], str]:
    """A function from the name of a class in `models.py` to that of its case."""
    return lambda name: f"script:{HERE / 'models.py'}:{name}"


@pytest.fixture(scope="session")
def model_case(case_name: Callable[[str], str]) -> MakeCase:
    """A function from the name of a class in `models.py` to its case; further arguments are case options."""

    def make(name: str, **options: object) -> Case:
        constants = TOKENS if name == "Embedding" else None
        return load_case(case_name(name), CaseOptions.model_validate({"constants": constants, **options}))

    return make


@pytest.fixture(scope="session")
def local_variant() -> MakeVariant:
    """A function from a file beside this one and the name of a variant in it to that variant."""
    return lambda file, name: Variant(label=name, target=f"{HERE / file}:{name}")
