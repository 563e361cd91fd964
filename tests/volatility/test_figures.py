"""How well the S&P 500 of 2007 to 2018 is forecast, walk-forward. The settings were chosen on what came before."""

import pytest

from chronos_volatility.gate.measures import gain, score
from chronos_volatility.models import walk_forward
from chronos_volatility.models.specifications import HAR_X
from tests.volatility.panels import real_design


@pytest.mark.parametrize(("with_vix", "qlike", "rmse_gain"), [(True, 0.370, 0.15), (False, 0.417, 0.13)])
def test_log_har_x_reaches_its_figures(with_vix, qlike, rmse_gain):
    table = walk_forward.run(real_design(with_vix), [HAR_X], first="2007-01-01")
    y = table["y"].to_numpy()
    found = {name: score(y, table[name].to_numpy(), synthetic=False) for name in ("rv-20", "log-har-x")}
    assert len(table) == 3000
    assert found["log-har-x"]["qlike"] <= qlike
    assert gain(found["log-har-x"]["rmse"], found["rv-20"]["rmse"]) >= rmse_gain
