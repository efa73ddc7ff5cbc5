"""An error of a prediction as a picture at its worst point."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from mitoem import front, render
from mitoem.front import Mistake
from mitoem.manifest import check_name
from mitoem.server import access, answers
from mitoem.server.parse import integer, integers, word

MOST_PREDICTIONS = 300
"""Of one error: a truth that is split into more pieces is shown with the first so many."""


async def picture(request: Request) -> Response:
    """Truth, prediction and difference in three planes, as a JPEG.

    ``labels`` are the truth; ``?truth=``, ``?others=``, ``?predictions=``, ``?partner=`` name
    the instances,
    ``?field=`` is the width of tissue in nm.
    """
    volume = await access.volume(request)
    path = request.path_params
    truth, prediction = (check_name(path[one], what="labels") for one in ("labels", "prediction"))
    z, y, x = (integer(path[axis], what=axis) for axis in "zyx")
    mistake = Mistake(
        truth=integer(word(request, "truth", default="0"), what="truth"),
        predictions=integers(
            word(request, "predictions"), what="predictions", most=MOST_PREDICTIONS
        ),
        partner=integer(word(request, "partner", default="0"), what="partner"),
        point=(z, y, x),
        others=integers(word(request, "others"), what="others", most=MOST_PREDICTIONS),
    )
    field = integer(word(request, "field", default="1500"), what="field")
    version = " ".join(volume.version(one) for one in ("image", truth, prediction))
    fresh = answers.freshness(request, version, volume.name, truth, prediction, mistake, field)
    same = answers.not_modified(request, fresh)
    if same is not None:
        return same
    drawn = await asyncio.to_thread(
        front.mistake_picture, volume, truth, prediction, mistake, field_nm=float(field)
    )
    body = await asyncio.to_thread(render.encode_picture, drawn)
    return answers.data(body, "image/jpeg", fresh)
