"""Train scales of an experiment: choose how, for images in memory or on disk, with one process or several.

torch is imported inside the function, after the environment is set that it reads when it is imported.
"""

import os
from collections.abc import Sequence

from lowparam import paths, prepared_data
from lowparam.params import Params, Scale

__all__ = ["train"]


def train(
    params: Params,
    scales: Sequence[Scale],
    *,
    device: str | None = None,
    processes: int | None = None,
    again: bool = False,
) -> int:
    """Train all seeds of some scales of one experiment; keep what is trained, resume what was interrupted.

    Parameters
    ----------
    params : Params
        The experiments.
    scales : sequence of Scale
        What to train.
    device : str or None
        ``cpu`` or ``cuda``; by default a GPU if there is one.
    processes : int or None
        Processes that share images on disk; by default one for each GPU.
    again : bool
        Train also what is trained.

    Returns
    -------
    int
        The exit code: not 0 if one of several processes failed, which has printed the reason.

    Raises
    ------
    LowparamError
        If the data were prepared from other files or with other settings; otherwise as
        `lowparam.training.train_scale.train_scale` and `lowparam.training.distributed.train_streamed`.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch: large pages for large maps
    experiment = scales[0].experiment
    source = params.experiment(experiment).data
    started_by_torchrun = "WORLD_SIZE" in os.environ  # by this function, which has checked the data
    folder = paths.data(source) if started_by_torchrun else prepared_data.folder_for(params, experiment)
    if not params.data[source].stream:
        from lowparam.training.train_scale import train_scale

        for scale in scales:
            train_scale(params, scale, data_folder=folder, device=device, again=again)
        return 0

    from lowparam.training import distributed

    for scale in scales:
        distributed.load(params, scale, folder)  # one clear line rather than one from every process
    count = 1 if started_by_torchrun else processes or distributed.count_processes(device)
    if count > 1:
        options = [*([] if device is None else ["--device", device]), *(["--again"] if again else [])]
        names = [scale.name for scale in scales]
        return distributed.start_processes(count, ["train", experiment, *names, *options])
    for scale in scales:
        distributed.train_streamed(params, scale, data_folder=folder, device=device, again=again)
    distributed.leave_group()
    return 0
