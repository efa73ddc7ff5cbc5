"""Evaluate: truth against saved predictions: errors one by one, every score, thresholds."""

from mitoem.ui import (
    address,
    evaluation,
    mistakes,
    panels,
    playground,
    rivals,
    runs,
    scorecards,
)

at = address.here()
chosen = evaluation.choose(at)
if chosen:
    sides, part = chosen
    states = evaluation.ready(at, sides)
    if states:
        with panels.edge():
            found = dict(
                zip(sides.predictions, (runs.scores(one.id) or {} for one in states), strict=True)
            )
            first = found[sides.prediction]
            if part in ("Scores", "Two predictions"):
                evaluation.apart(sides, states)
            if part == "Scores":
                scorecards.show(at, sides.truth, found)
            elif part == "Two predictions":
                rivals.show(sides, first, found.get(sides.other))
            elif part == "Thresholds":
                playground.show(at, sides.prediction)
            else:
                mistakes.browse(at, first, sides.truth, sides.prediction)
            evaluation.foot(at, sides, states, found)
