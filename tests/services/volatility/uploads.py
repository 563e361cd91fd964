"""Real prices on days of the present: python uploads.py FILE COUNT LAST [CLOSED …]. Runs in the environment of volatility/.

Writes the S&P 500's last COUNT sessions before December 2018 as if they were the sessions up to two months after LAST, and
prints the sessions from two months before LAST on: whether each ends a week, and which close early. Real, so that the gate has
something to judge; of the present, because AWS's clock goes forward only. On the days CLOSED there is no session.
"""

from __future__ import annotations

import json
import sys

import pandas as pd

from chronos_volatility.calendar import get_calendar
from chronos_volatility.sources.bundled import Bundled

file, count, last, closed = sys.argv[1], int(sys.argv[2]), pd.Timestamp(sys.argv[3]), tuple(sys.argv[4:])
calendar = get_calendar("XNYS", closed)
sessions = calendar.sessions(last - pd.Timedelta(days=2 * count), last + pd.Timedelta(days=60))[-count:]
real = Bundled().fetch("SPX", pd.Timestamp("2000-01-03"), pd.Timestamp("2018-11-30")).frame.tail(count)
real.assign(date=sessions).to_csv(file, index=False)
shown = [one for one in sessions if one >= last - pd.Timedelta(days=60)]
week_ends = {str(one.date()): calendar.is_last_of_week(one) for one in shown}
print(json.dumps([week_ends, [str(one.date()) for one in shown if calendar.is_early_close(one)]]))
