"""Which faces are of one person when nobody says who: average linkage. Pure.

Two groups become one while the mean of the squared distances between their faces is at most a
limit, the closest two first. A face between two people therefore joins one of them and does not
make them one, as it would where groups are chained by their nearest faces. The result depends
neither on the order of the faces nor on chance, except between equal distances.

Method: hierarchical clustering by reciprocal nearest neighbours; F. Murtagh, "A survey of recent
advances in hierarchical clustering algorithms", The Computer Journal 26 (1983). Average linkage
is reducible: what two groups become is no closer to a third one than the closer of the two was.
So all pairs that are each other's nearest merge at once, a group's nearest stays its nearest
until that one merges, and a group whose nearest is too far away is complete. Means of squared
distances follow from the groups' centres, so no matrix of all distances is kept.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Embeddings = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Distances computed at once, as float32.
BLOCK_BYTES = 32_000_000
_UNKNOWN = -1


def group_faces(
    embeddings: Embeddings, *, largest_distance: float, block_bytes: int = BLOCK_BYTES
) -> Numbers:
    """Return for each row of (n, d) the smallest row of its group.

    Groups are as large as they can be with no two of them `largest_distance` or less apart, in
    the root of the mean square.
    """
    if not len(embeddings):
        return np.zeros(0, np.int64)
    # A photo that was uploaded twice has the same faces. Taken one by one, equal faces would
    # all have the same nearest one, and only two would merge at a time.
    distinct, first, inverse, sizes = np.unique(
        embeddings, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    merging = _Merging(distinct, sizes, largest_distance**2, block_bytes)
    while len(merging.open):
        merging.find_nearest()
        merging.complete_distant()
        merging.merge_nearest()
    groups = merging.groups()
    smallest = np.full(len(distinct), len(embeddings))
    np.minimum.at(smallest, groups, first)
    result: Numbers = smallest[groups[inverse.reshape(-1)]]
    return result


class _Merging:
    """Groups, each under the number of one of its faces; `open` ones may merge yet."""

    def __init__(
        self,
        embeddings: Embeddings,
        sizes: npt.NDArray[np.integer[Any]],
        limit: float,
        block_bytes: int,
    ) -> None:
        count = len(embeddings)
        self.open: Numbers = np.arange(count)
        self._limit = limit
        self._block_bytes = block_bytes
        self._into: Numbers = np.arange(count)
        self._centres: Embeddings = embeddings.astype(np.float32)
        self._sizes: Floats = sizes.astype(np.float64)
        # The mean squared distance of a group's faces from their centre.
        self._spreads: Floats = np.zeros(count)
        self._nearest: Numbers = np.full(count, _UNKNOWN)
        self._squared: Floats = np.full(count, np.inf)

    def find_nearest(self) -> None:
        """Find the nearest group of those that do not know it."""
        if len(self.open) == 1:
            return
        asking = np.flatnonzero(self._nearest[self.open] == _UNKNOWN)
        centres = self._centres[self.open]
        own = np.einsum("ij,ij->i", centres, centres) + self._spreads[self.open].astype(np.float32)
        rows = max(1, self._block_bytes // (4 * len(self.open)))
        for start in range(0, len(asking), rows):
            block = asking[start : start + rows]
            # Less what is the same along a row.
            squared = (centres[block] * np.float32(-2)) @ centres.T
            squared += own
            squared[np.arange(len(block)), block] = np.inf
            nearest = self.open[squared.argmin(axis=1)]
            self._nearest[self.open[block]] = nearest
            self._squared[self.open[block]] = self._between(self.open[block], nearest)

    def complete_distant(self) -> None:
        """Close the groups that nothing is near enough to."""
        self.open = self.open[self._squared[self.open] <= self._limit]

    def merge_nearest(self) -> None:
        """Merge every two groups that are each other's nearest."""
        if not len(self.open):
            return
        nearest = self._nearest[self.open]
        ones = self.open[(self._nearest[nearest] == self.open) & (self.open < nearest)]
        if not len(ones):
            # The closest two are each other's nearest, though rounding may hide it.
            ones = self.open[[self._squared[self.open].argmin()]]
        self._merge(ones, self._nearest[ones])

    def groups(self) -> Numbers:
        """Follow each face to the group that it became part of."""
        into = self._into
        while not np.array_equal(into, into[into]):
            into = into[into]
        return into

    def _merge(self, kept: Numbers, given_up: Numbers) -> None:
        share = self._sizes[given_up] / (self._sizes[kept] + self._sizes[given_up])
        apart = self._apart(given_up, kept)
        self._spreads[kept] = (
            (1 - share) * self._spreads[kept]
            + share * self._spreads[given_up]
            + share * (1 - share) * np.einsum("ij,ij->i", apart, apart)
        )
        self._centres[kept] += share[:, np.newaxis] * apart
        self._sizes[kept] += self._sizes[given_up]
        self._into[given_up] = kept
        has_changed = np.zeros(len(self._into), np.bool_)
        has_changed[kept] = has_changed[given_up] = True
        self.open = self.open[self._into[self.open] == self.open]
        is_stale = has_changed[self.open] | has_changed[self._nearest[self.open]]
        self._nearest[self.open[is_stale]] = _UNKNOWN
        self._squared[self.open[is_stale]] = np.inf

    def _between(self, ones: Numbers, others: Numbers) -> Floats:
        """The mean squared distance, directly: the matrix product is off by about 1e-6."""
        apart = self._apart(ones, others)
        squared: Floats = np.einsum("ij,ij->i", apart, apart)
        return squared + self._spreads[ones] + self._spreads[others]

    def _apart(self, ones: Numbers, others: Numbers) -> Floats:
        apart: Floats = self._centres[ones].astype(np.float64) - self._centres[others]
        return apart
