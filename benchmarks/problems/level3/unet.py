"""A small U-Net with batch normalisation (train) and transposed convolutions."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH = 2
WIDTH = 16
SIDE = 64


class Double(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1),
            nn.BatchNorm2d(after),
            nn.GELU(),
            nn.Conv2d(after, after, 3, padding=1),
            nn.BatchNorm2d(after),
            nn.ReLU(),
        )

    def forward(self, x):
        return self.layers(x)


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.down1, self.down2, self.middle = Double(3, width), Double(width, 2 * width), Double(2 * width, 4 * width)
        self.up2 = nn.ConvTranspose2d(4 * width, 2 * width, 2, stride=2)
        self.join2 = Double(4 * width, 2 * width)
        self.up1 = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.join1 = Double(2 * width, width)
        self.head = nn.Conv2d(width, 2, 1)

    def forward(self, x):
        one = self.down1(x)
        two = self.down2(F.max_pool2d(one, 2))
        x = self.up2(self.middle(F.max_pool2d(two, 2)))
        x = self.join2(torch.cat([x, two], dim=1))
        x = self.join1(torch.cat([self.up1(x), one], dim=1))
        return self.head(x)


def get_inputs():
    return [torch.randn(BATCH, 3, SIDE, SIDE)]


def get_init_inputs():
    return [WIDTH]
