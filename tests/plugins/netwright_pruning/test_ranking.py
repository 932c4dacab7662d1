"""Rankings: widths that follow from scores and a ratio."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from netwright.errors import NetwrightError
from netwright_pruning.groups import ChannelGroup
from netwright_pruning.ranking import Ranking, ScoredGroup, describe_multiples, score_units


def group(name: str, channels: int, *, blocks: int = 1, pattern: str = "conv") -> ChannelGroup:
    return ChannelGroup(name, channels, blocks, (pattern,))


def scored(
    name: str, scores: list[float], *, round_to: int | None = 1, blocks: int = 1, pattern: str = "conv"
) -> ScoredGroup:
    return score_units(group(name, len(scores), blocks=blocks, pattern=pattern), Tensor(scores), round_to)


@st.composite
def rankings(draw: st.DrawFn) -> tuple[Ranking, int]:
    round_to = draw(st.sampled_from([1, 2, 4, 8]))
    sizes = draw(st.lists(st.integers(1, 40), min_size=1, max_size=5))
    seed = draw(st.integers(0, 1000))
    generator = torch.Generator().manual_seed(seed)
    groups = [
        score_units(group(f"layer{i}", size, pattern=str(size)), torch.rand(size, generator=generator), round_to)
        for i, size in enumerate(sizes)
    ]
    return Ranking(groups, isomorphic=draw(st.booleans())), round_to


@given(rankings(), st.floats(0, 1))
def test_widths_are_whole_or_multiples_and_never_nothing(drawn: tuple[Ranking, int], ratio: float) -> None:
    ranking, round_to = drawn
    for name, width in ranking.widths(ratio).items():
        channels = ranking.groups[name].group.channels
        assert width == channels or (0 < width < channels and width % round_to == 0)


@given(rankings(), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_ratio_never_widens_a_layer(drawn: tuple[Ranking, int], one: float, other: float) -> None:
    ranking, _ = drawn
    wider, narrower = ranking.widths(min(one, other)), ranking.widths(max(one, other))
    assert all(narrower[name] <= wider[name] for name in wider)


@given(rankings())
def test_ratio_0_keeps_all_and_ratio_1_leaves_the_floor(drawn: tuple[Ranking, int]) -> None:
    ranking, _ = drawn
    assert ranking.widths(0.0) == ranking.whole
    assert ranking.widths(1.0) == {name: scored.floor for name, scored in ranking.groups.items()}


@given(rankings(), st.floats(0, 1))
def test_the_least_important_channels_go(drawn: tuple[Ranking, int], ratio: float) -> None:
    ranking, _ = drawn
    for name, gone in ranking.cuts(ranking.widths(ratio)).items():
        scores = ranking.groups[name].scores
        kept = [index for index in range(len(scores)) if index not in gone]
        assert scores[gone].max() <= scores[kept].min()


@given(rankings(), st.floats(0, 0.99))
def test_a_step_narrows_one_layer_to_a_permitted_width(drawn: tuple[Ranking, int], ratio: float) -> None:
    ranking, _ = drawn
    widths = ranking.widths(ratio)
    for name, narrowed in ranking.narrowed(widths):
        assert narrowed[name] < widths[name]
        assert ranking.groups[name].rounded(narrowed[name]) == narrowed[name]
        assert {key: value for key, value in narrowed.items() if key != name} == {
            key: value for key, value in widths.items() if key != name
        }


def test_layers_are_ranked_relative_to_their_own_mean() -> None:
    small, large = scored("small", [1.0, 2.0, 3.0, 4.0]), scored("large", [1000.0, 2000.0, 3000.0, 4000.0])
    widths = Ranking([small, large], isomorphic=False).widths(0.5)
    assert widths == {"small": 2, "large": 2}


def test_one_ranking_for_all_cuts_the_layer_that_has_more_unimportant_channels() -> None:
    skewed, even = scored("skewed", [0.1, 0.1, 0.1, 3.7]), scored("even", [1.0, 1.0, 1.0, 1.0])
    assert Ranking([skewed, even], isomorphic=False).widths(3 / 8) == {"skewed": 1, "even": 4}


def test_isomorphic_ranking_cuts_every_pattern_by_the_same_ratio() -> None:
    skewed = scored("skewed", [0.1, 0.1, 0.1, 3.7], pattern="a")
    even = scored("even", [1.0, 1.0, 1.0, 1.0], pattern="b")
    assert Ranking([skewed, even], isomorphic=True).widths(0.5) == {"skewed": 2, "even": 2}


def test_blocks_lose_the_same_place_together() -> None:
    ranking = Ranking([scored("grouped", [5.0, 1.0, 6.0, 1.0, 2.0, 7.0], blocks=2)], isomorphic=False)
    assert ranking.groups["grouped"].group.units == 3
    assert ranking.cuts({"grouped": 2}) == {"grouped": [1, 4]}


def test_rounding_counts_the_channels_of_all_blocks() -> None:
    grouped = scored("grouped", [1.0] * 32, blocks=4, round_to=8)
    assert [grouped.rounded(units) for units in (1, 3, 5, 7, 8)] == [2, 4, 6, 8, 8]


@pytest.mark.parametrize(("channels", "step"), [(16, 8), (63, 8), (64, 16), (512, 16)])
def test_unless_told_otherwise_steps_suit_processors(channels: int, step: int) -> None:
    layer = scored("layer", [1.0] * channels, round_to=None)
    assert layer.step == layer.floor == step
    assert describe_multiples(None) == "multiples of 16 (8 in narrow layers)"


def test_equal_scores_are_shared_evenly() -> None:
    ranking = Ranking([scored("a", [1.0] * 8), scored("b", [1.0] * 4)], isomorphic=False)
    assert ranking.widths(0.5) == {"a": 4, "b": 2}


def test_groups_can_be_left_out() -> None:
    ranking = Ranking([scored("a", [1.0, 2.0]), scored("b", [1.0, 2.0])], isomorphic=False)
    assert list(ranking.without({"a": None}).groups) == ["b"]


def test_scores_of_zero_are_no_obstacle() -> None:
    assert scored("dead", [0.0, 0.0, 0.0]).scores.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(("scores", "why"), [([1.0, float("nan")], "not finite"), ([1.0, 2.0, 3.0], "shape")])
def test_unusable_scores_are_refused_with_the_layer(scores: list[float], why: str) -> None:
    with pytest.raises(NetwrightError, match=rf"'conv1'.*{why}"):
        score_units(group("conv1", 2), Tensor(scores), 1)


def test_absolute_scores_are_not_set_in_relation_to_their_mean() -> None:
    scores = Tensor([1.0, 5.0])
    assert score_units(group("conv1", 2), scores, 1).scores.tolist() == pytest.approx([1 / 3, 5 / 3])
    assert score_units(group("conv1", 2), scores, 1, absolute=True).scores.tolist() == [1.0, 5.0]
