"""Whether a model may serve: the measures, the rules, the champion."""
