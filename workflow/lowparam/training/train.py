"""Train scales of an experiment: choose how, for images in memory or on disk, with one process or several.

torch is imported inside the function, after the environment is set that it reads when it is imported.
"""

import math
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from lowparam import paths, prepared_data
from lowparam.errors import LowparamError
from lowparam.files import read_json
from lowparam.params import Params, Scale

__all__ = ["refuse_small_batches", "small_batches_named", "train"]


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
        if params.data[source].factors is None:
            from lowparam.training.train_scale import train_scale
        else:
            from lowparam.training.train_known import train_known as train_scale

        for scale in scales:
            with small_batches_named(params.experiment(experiment).recipe):
                train_scale(params, scale, data_folder=folder, device=device, again=again)
        return 0

    from lowparam.training import distributed

    for scale in scales:
        distributed.load(params, scale, folder)  # one clear line rather than one from every process
    count = 1 if started_by_torchrun else processes or distributed.count_processes(device)
    if count > 1:
        for scale in scales:
            refuse_small_batches(params, scale, count)
        options = [*([] if device is None else ["--device", device]), *(["--again"] if again else [])]
        names = [scale.name for scale in scales]
        return distributed.start_processes(count, ["train", experiment, *names, *options])
    for scale in scales:
        with small_batches_named(params.experiment(experiment).recipe):
            distributed.train_streamed(params, scale, data_folder=folder, device=device, again=again)
    distributed.leave_group()
    return 0


def refuse_small_batches(params: Params, scale: Scale, count: int) -> None:
    """Refuse more processes than a batch or a split has images, before gloo ends in a traceback.

    Raises
    ------
    LowparamError
        If a process would have no image.
    """
    name, recipe = params.experiment(scale.experiment).recipe, params.recipe(scale)
    source = params.experiment(scale.experiment).data
    sizes = {split: sum(counts) for split, counts in read_json(paths.manifest(source))["images_per_class"].items()}
    smallest = sizes["train"] // math.ceil(sizes["train"] / recipe.batch_size)
    if smallest < count:
        raise LowparamError(
            f"recipes.{name}.batch_size is {recipe.batch_size}, which gives batches of {smallest} images for {count} "
            "processes; raise it, or set --processes"
        )
    for split, size in sizes.items():
        if size < count:
            raise LowparamError(f"data.{source}: {split} has {size} images for {count} processes; set --processes")


@contextmanager
def small_batches_named(recipe: str) -> Generator[None]:
    """Word batch norm's error about a batch of one image whose feature map is 1x1.

    Raises
    ------
    LowparamError
        Instead of that error.
    """
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise LowparamError(
            f"recipes.{recipe}.batch_size gives a batch of one image, of which batch norm has no statistics where "
            "feature maps are 1x1; set one that leaves no single image"
        ) from error
