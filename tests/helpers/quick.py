"""An experiment that trains in a second or two, too short to learn anything: its runs end `untrained`."""

from lowparam.params import Params

RECIPE = {"epochs": 3, "batch_size": 32, "lr": 0.01, "weight_decay": 0.05, "warmup_epochs": 1, "ema": 0.9}
AUGMENT = {"crop_padding": 1, "rotation": 10.0, "cutout": 2, "mixup": 0.2, "cutmix": 1.0}


def make_params(seeds=(0, 1), architectures=("mobilenetv1",), **recipe):
    """An experiment of one budget, with every kind of augmentation."""
    return Params.model_validate(
        {
            "data": {"digits": {"source": "digits", "split": {"train": 0.6, "validation": 0.2, "test": 0.2}}},
            "recipes": {"quick": {**RECIPE, "augment": AUGMENT, **recipe}},
            "replicate": ["quick"],
            "experiments": {
                "quick": {
                    "data": "digits",
                    "recipe": "quick",
                    "architectures": list(architectures),
                    "probes": ["none"],
                    "budgets": [5000],
                    "seeds": list(seeds),
                }
            },
        }
    )
