"""Structure that is left, against the formula without what spares work on faint waves."""

import numpy as np
import pytest

from service.proof.sampling import box_mean
from service.proof.structure import WINDOW, left, shown

WAVES = np.random.default_rng(3).normal(0, 12, (40, 50)).astype(np.float32)


@pytest.mark.parametrize("peak", [0.0, 0.4, 1.2, 1.26, 1.27, 1.5, 4.0, 40.0])
@pytest.mark.parametrize("ratio", [1.0, 4.0])
def test_faint_waves_are_judged_as_all_are(peak: float, ratio: float) -> None:
    """However faint the very same structure became, the formula says whether it is left."""
    faint = WAVES * np.float32(peak / np.abs(WAVES).max())
    means = box_mean(np.stack([WAVES**2, WAVES * faint, faint**2]), WINDOW)
    maps = shown(WAVES, np.stack([faint, -faint]), ratio=ratio)
    assert np.array_equal(maps.left, left(*means, ratio=ratio))
    assert maps.there.all()
    assert maps.left.any() == (peak >= 4)
