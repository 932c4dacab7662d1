"""Pools of whole images, and adaptive pools that are none."""

import torch
from torch.nn import functional as F

from netwright_fusion.rules.whole_pool import AdaptivePool, WholePool


def test_pools_of_whole_images(check):
    x = torch.randn(2, 3, 4, 6).double()
    check(WholePool(), lambda x: F.avg_pool2d(x, (4, 6)), [x], times=1)
    check(WholePool(), lambda x: F.max_pool2d(x, (4, 6)), [x], times=1)
    check(WholePool(), lambda x: F.avg_pool2d(x, 4), [x], times=0)
    check(WholePool(), lambda x: F.avg_pool2d(x, (4, 6), padding=1), [x], times=0)


def test_adaptive_pools(check):
    x = torch.randn(2, 3, 4, 6).double()
    check(AdaptivePool(), lambda x: F.adaptive_avg_pool2d(x, 1), [x], times=1)
    check(AdaptivePool(), lambda x: F.adaptive_avg_pool2d(x, (2, 3)), [x], times=1)
    check(AdaptivePool(), lambda x: F.adaptive_avg_pool1d(x[0], 2), [x], times=1)
    check(AdaptivePool(), lambda x: F.adaptive_avg_pool2d(x, (4, 4)), [x], times=0)
    check(AdaptivePool(), lambda x: F.adaptive_avg_pool2d(x, 5), [x], times=0)
