"""The command line of `volatility`."""

import pytest

from chronos_volatility import __version__
from chronos_volatility.cli import main


def test_version(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"volatility {__version__}\n"
