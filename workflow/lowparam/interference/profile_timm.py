"""Profile any network of timm, with the weights of a file or of the Hugging Face hub; nothing is trained."""

from pathlib import Path

import torch
from torch import Tensor

from lowparam import data
from lowparam.errors import LowparamError
from lowparam.files import write_json, write_text
from lowparam.interference import figure_data, measures
from lowparam.interference.norm_statistics import recalibrate
from lowparam.interference.profile import profile_run
from lowparam.interference.summary import summary
from lowparam.models import timm_adapter
from lowparam.models.weights import fit, read_weights
from lowparam.params import Profile
from lowparam.threads import one_thread

__all__ = ["profile_timm"]


@one_thread()
def profile_timm(
    model: str,
    data_folder: Path | str,
    out: Path | str,
    *,
    weights: Path | str | None = None,
    pretrained: bool = False,
    settings: Profile | None = None,
    seed: int = 0,
    device: str | None = None,
) -> None:
    """Profile a network of timm and write ``profile.csv``, ``profile.safetensors`` and ``summary.json`` into `out`.

    Parameters
    ----------
    model : str
        ``timm:`` and a name that timm knows.
    data_folder : Path
        A prepared data set, as ``lowparam prepare`` writes it.
    out : Path
        Folder to write to.
    weights : Path, optional
        A safetensors file with the weights, by timm's names; without it the network stays as it was initialised. They
        may be of other classes or input channels than the data (`lowparam.models.weights.fit`).
    pretrained : bool
        Take the weights that timm has at the Hugging Face hub instead.
    settings : Profile, optional
        Numbers of images, folds and draws, and which measures are added to the default ones.
    seed : int
        Seed of the initialisation that the weights are compared with.
    device : str, optional
        Such as ``cuda:1``; by default a GPU if there is one, else the CPU.

    Raises
    ------
    LowparamError
        If timm has no such network, it does not fit the data, the weights are not its own, or the hub has none.

    Notes
    -----
    If the weights are of other classes than the data, what goes through the classifier is undefined.
    """
    if not model.startswith(timm_adapter.PREFIX):
        raise LowparamError(f"--model must be {timm_adapter.PREFIX} and a name of timm, not {model!r}")
    if pretrained and weights is not None:
        raise LowparamError("--weights and --pretrained are two sources of weights; give one of them")
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    settings, out = settings or Profile(), Path(out)
    dataset = data.load(data_folder)

    def build(pretrained: bool = False) -> timm_adapter.Adapted:
        torch.manual_seed(seed)
        shape = {"classes": len(dataset.classes), "in_channels": dataset.in_channels, "size": dataset.size}
        return timm_adapter.build(model, **shape, pretrained=pretrained).to(device)

    net, untrained = build(pretrained), build()
    recalibrate(untrained, dataset)
    own_classes = True
    if weights is not None:
        own_classes = fit(net.net, read_weights(Path(weights)))
    elif pretrained:
        own_classes = net.net.pretrained_cfg["num_classes"] == len(dataset.classes)
    else:
        recalibrate(net, dataset)
    arrays: dict[str, Tensor] = {}
    profile = profile_run(net, dataset, settings, seed=seed, untrained=untrained, figure_data=arrays)
    if not own_classes:
        arrays = {key: array for key, array in arrays.items() if not key.endswith("/cross_talk")}
        rows = profile["measure"].isin(_of_logits(settings))
        profile.loc[rows, ["value", "lower", "upper", "null", "null_sd", "z", "ratio", "untrained"]] = float("nan")
        profile.loc[rows, "note"] = "the classifier of these weights is of other classes than the data"
    figure_data.write(out / "profile.safetensors", arrays, classes=dataset.classes)
    write_text(out / "profile.csv", profile.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    short = {key: None if value != value else value for key, value in summary(profile).items()}
    source = "pretrained" if pretrained else str(weights) if weights else "random"
    write_json(out / "summary.json", {"model": model, "weights": source, **short})


def _of_logits(settings: Profile) -> list[str]:
    """Return the values that need the network's own logits."""
    declared = [measures.declared(name) for name in measures.names(settings)]
    return [value for entry in declared if "logits" in entry["NEEDS"] for value in entry["VALUES"]]
