"""The profile of any network of timm, with the weights of a file, without training anything."""

from pathlib import Path

import torch

from lowparam import data
from lowparam.errors import LowparamError
from lowparam.files import write_json, write_text
from lowparam.interference.profile import load_weights, profile_run, recalibrate, summary
from lowparam.models import timm_adapter
from lowparam.params import Profile

__all__ = ["profile_model"]


def profile_model(
    model: str,
    data_folder: Path | str,
    out: Path | str,
    *,
    weights: Path | str | None = None,
    settings: Profile | None = None,
    seed: int = 0,
    device: str | None = None,
) -> None:
    """Profile a network of timm and write ``profile.csv`` and ``summary.json`` into `out`.

    Parameters
    ----------
    model : str
        ``timm:`` and a name that timm knows.
    data_folder : Path
        A prepared data set, as ``lowparam prepare`` makes them.
    out : Path
        Folder to write to.
    weights : Path, optional
        A safetensors file with the weights, by timm's names; without it the network stays as it was initialised.
    settings : Profile, optional
        How to measure.
    seed : int
        Of the initialisation that stands beside the weights.
    device : str, optional
        A GPU where there is one, by default.

    Raises
    ------
    LowparamError
        If timm has no such network, it does not fit the data, or the weights are not its own.
    """
    if not model.startswith(timm_adapter.PREFIX):
        raise LowparamError(f"--model must be {timm_adapter.PREFIX} and a name of timm, not {model!r}")
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    settings, out = settings or Profile(), Path(out)
    dataset = data.load(data_folder)

    def build() -> timm_adapter.Adapted:
        torch.manual_seed(seed)
        shape = {"classes": len(dataset.classes), "in_channels": dataset.in_channels, "size": dataset.size}
        return timm_adapter.build(model, **shape).to(device)

    untrained, net = build(), build()
    recalibrate(untrained, dataset)
    if weights is None:
        recalibrate(net, dataset)
    else:
        load_weights(net.net, Path(weights))
    profile = profile_run(net, dataset, settings, seed=seed, untrained=untrained)
    write_text(out / "profile.csv", profile.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    short = {key: None if value != value else value for key, value in summary(profile).items()}
    write_json(out / "summary.json", {"model": model, "weights": str(weights) if weights else None, **short})
