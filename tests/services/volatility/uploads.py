"""Real prices on days of the present: python uploads.py FILE COUNT LAST. Runs in the environment of volatility/.

Writes the S&P 500's last COUNT sessions before December 2018 as if they were the sessions up to two months after LAST, and
prints those sessions from 40 before LAST on, with whether each ends a week. Real, so that the gate has something to judge;
of the present, because AWS's clock goes forward only.
"""

from __future__ import annotations

import json
import sys

import pandas as pd

from chronos_volatility.calendar import get_calendar
from chronos_volatility.sources.bundled import Bundled

file, count, last = sys.argv[1], int(sys.argv[2]), pd.Timestamp(sys.argv[3])
calendar = get_calendar()
sessions = calendar.sessions(last - pd.Timedelta(days=2 * count), last + pd.Timedelta(days=60))[-count:]
real = Bundled().fetch("SPX", pd.Timestamp("2000-01-03"), pd.Timestamp("2018-11-30")).frame.tail(count)
real.assign(date=sessions).to_csv(file, index=False)
shown = [one for one in sessions if one >= last - pd.Timedelta(days=60)]
print(json.dumps({str(one.date()): calendar.is_last_of_week(one) for one in shown}))
