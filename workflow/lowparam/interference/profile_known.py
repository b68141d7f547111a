"""Profile the trained runs of a scale on images of known features, from files to files."""

import copy
from pathlib import Path

import torch
from torch import Tensor

from lowparam.data.known import load_known
from lowparam.files import write_text
from lowparam.interference import figure_data
from lowparam.interference.known_images import known_images
from lowparam.interference.norm_statistics import recalibrate
from lowparam.interference.profile import profile_network
from lowparam.models.build import load_weights, network_for
from lowparam.models.layers.fast import accelerate
from lowparam.params import Params, Run, Scale, run_spec
from lowparam.threads import one_thread

__all__ = ["profile_known"]


@one_thread()
def profile_known(
    params: Params,
    scale: Scale,
    *,
    data_folder: Path | str,
    results: Path | str | None = None,
    out: Path | str | None = None,
    device: str | None = None,
) -> None:
    """Profile all seeds of a scale on the images of its dose; parameters, files and errors are `profile_scale`'s."""
    results = Path(results) if results is not None else scale.folder
    out = Path(out) if out is not None else scale.profiles
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    experiment = params.experiment(scale.experiment)
    dataset = load_known(Path(data_folder), params.recipe(scale).dose)
    images = known_images(dataset, experiment.profile.images)
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
        profile = profile_network(net, images, experiment.profile, seed=seed, untrained=untrained, figure_data=arrays)
        if seed == experiment.seeds[0]:
            figure_data.write(out / f"seed{seed}.safetensors", arrays, classes=dataset.classes)
        write_text(out / f"seed{seed}.csv", profile.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
