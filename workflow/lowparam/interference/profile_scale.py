"""Profile the trained runs of a scale, from files to files."""

import copy
from pathlib import Path

import torch
from torch import Tensor

from lowparam import data
from lowparam.files import write_text
from lowparam.interference import figure_data
from lowparam.interference.norm_statistics import recalibrate
from lowparam.interference.profile import profile_run
from lowparam.models.build import load_weights, network_for
from lowparam.models.layers.fast import accelerate
from lowparam.params import Params, Run, Scale, run_spec
from lowparam.threads import one_thread

__all__ = ["profile_scale"]


@one_thread()
def profile_scale(
    params: Params,
    scale: Scale,
    *,
    data_folder: Path | str,
    results: Path | str | None = None,
    out: Path | str | None = None,
    device: str | None = None,
) -> None:
    """Profile all seeds of a scale and write each one's ``seed<k>.csv``; for the first also ``seed<k>.safetensors``.

    Parameters
    ----------
    params : Params
        The experiments; the settings are ``experiments.<name>.profile``.
    scale : Scale
        Architecture, probe and budget whose runs are trained already.
    data_folder : Path
        Folder of the prepared data.
    results : Path, optional
        Folder of the scale, ``scale.folder`` by default.
    out : Path, optional
        Folder to write to, ``scale.profiles`` by default.
    device : str, optional
        Such as ``cuda:1``; by default a GPU if there is one, else the CPU.

    Raises
    ------
    LowparamError
        If data or weights are missing, damaged, or of another network.
    """
    results = Path(results) if results is not None else scale.folder
    out = Path(out) if out is not None else scale.profiles
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    experiment = params.experiment(scale.experiment)
    dataset = data.load(data_folder)
    shape = {"classes": len(dataset.classes), "in_channels": dataset.in_channels, "size": dataset.size}
    for seed in experiment.seeds:
        torch.manual_seed(seed)
        untrained = network_for(run_spec(params, Run(scale, seed)), **shape).to(device)
        if device == "cpu":
            accelerate(untrained)
        net = copy.deepcopy(untrained)
        load_weights(net, results / f"seed{seed}" / "model.safetensors")
        recalibrate(untrained, dataset)
        arrays: dict[str, Tensor] = {}
        profile = profile_run(net, dataset, experiment.profile, seed=seed, untrained=untrained, figure_data=arrays)
        if seed == experiment.seeds[0]:
            figure_data.write(out / f"seed{seed}.safetensors", arrays, classes=dataset.classes)
        write_text(out / f"seed{seed}.csv", profile.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
