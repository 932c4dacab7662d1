"""Convolutions and max pooling in four stages, then a classifier."""

import torch
from torch import nn

BATCH = 4
CLASSES = 100
SIDE = 64


class Model(nn.Module):
    def __init__(self, classes):
        super().__init__()
        stages = []
        for before, after in [(3, 32), (32, 64), (64, 128), (128, 128)]:
            stages += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
            stages += [nn.Conv2d(after, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*stages)
        self.hidden = nn.Linear(128 * 4 * 4, 512)
        self.classifier = nn.Linear(512, classes)

    def forward(self, x):
        return self.classifier(torch.relu(self.hidden(torch.flatten(self.features(x), 1))))


def get_inputs():
    return [torch.randn(BATCH, 3, SIDE, SIDE)]


def get_init_inputs():
    return [CLASSES]
