"""Labels: which indices of which tensor dimensions stand or fall together."""

import numpy as np
from numpy.typing import NDArray

Axis = NDArray[np.int64]
"""One label per index of a dimension; 0 where nothing can ever be removed."""

FIXED = 0


class Labels:
    """A forest of labels: joined ones form a class, and a class is held when something needs it whole.

    Attributes:
        reasons: Why classes are held.
    """

    def __init__(self) -> None:
        self.reasons: list[tuple[str, str]] = []
        self._parents = np.zeros(1, np.int64)
        self._held = np.zeros(1, np.int64)  # 1 + index of the reason; 0 where nothing holds

    def __len__(self) -> int:
        return len(self._parents)

    def fresh(self, count: int) -> Axis:
        """New labels, each a class of its own."""
        start = len(self._parents)
        labels = np.arange(start, start + count, dtype=np.int64)
        self._parents = np.concatenate([self._parents, labels])
        self._held = np.concatenate([self._held, np.zeros(count, np.int64)])
        return labels

    def find(self, axis: Axis) -> Axis:
        """The class of every label, by its smallest one."""
        roots = self._parents[axis]
        while not np.array_equal(above := self._parents[roots], roots):
            roots = above
        self._parents[axis] = roots
        return roots

    def free(self, axis: Axis) -> NDArray[np.bool_]:
        """Which of the labels nothing holds."""
        roots = self.find(axis)
        found: NDArray[np.bool_] = (roots != FIXED) & (self._held[roots] == 0)
        return found

    def join(self, one: Axis, other: Axis, reason: tuple[str, str]) -> None:
        """Let labels at the same index stand or fall together; what meets a fixed index is held.

        Args:
            reason: The module and what in it asks for that.
        """
        if one is other or not (one.any() or other.any()):
            return
        left, right = self.find(one), self.find(other)
        differ = left != right
        if not differ.any():
            return
        for first, second in np.unique(np.stack([left[differ], right[differ]], 1), axis=0).tolist():
            low, high = sorted((self._root(first), self._root(second)))
            if low == FIXED:
                self._hold(high, reason)
            elif low != high:
                self._parents[high] = low
                self._held[low] = self._held[low] or self._held[high]

    def hold(self, axis: Axis, reason: tuple[str, str]) -> None:
        """Let these labels never go."""
        for root in np.unique(self.find(axis)).tolist():
            self._hold(root, reason)

    def reason(self, label: int) -> tuple[str, str] | None:
        """Why a label is held: the module, and what in it holds."""
        index = self._held[self._root(label)]
        return self.reasons[index - 1] if index else None

    def _root(self, label: int) -> int:
        while (above := int(self._parents[label])) != label:
            label = above
        return label

    def _hold(self, root: int, reason: tuple[str, str]) -> None:
        if root != FIXED and not self._held[root]:
            if not self.reasons or self.reasons[-1] != reason:
                self.reasons.append(reason)
            self._held[root] = len(self.reasons)
