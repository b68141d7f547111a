"""The sections and keys of params.yaml and recipes.yaml, as typed objects."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from lowparam import registry
from lowparam.errors import LowparamError
from lowparam.params.grid import Run, Scale, expand, parse_budget
from lowparam.params.messages import describe, first_finding
from lowparam.params.names import Architecture, Entry, Name, Probe, Variant, alike
from lowparam.section import Section, Seed
from lowparam.studies import StudySettings

__all__ = [
    "Augment",
    "Data",
    "Dose",
    "Experiment",
    "Factors",
    "Params",
    "Profile",
    "Recipe",
    "Section",
    "Split",
    "Tune",
    "are_numbers",
    "merge",
]

Budget = Annotated[int, BeforeValidator(parse_budget), Field(json_schema_extra={"type": ["integer", "string"]})]
Share = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Decay = Annotated[float, Field(ge=0, lt=1)]
Area = Annotated[float, Field(gt=0, le=1)]
Patterns = BeforeValidator(lambda names: expand(names) if isinstance(names, list) else names)
"""Expands braces in names: ``demonet_{star,sum}``."""


class Factors(Section):
    """Images that are sums of known features (`lowparam.data.sources.factors`)."""

    features: list[Annotated[int, Field(ge=1, le=4096)]] = Field(
        min_length=1, description="how many features occur in the images; a set of images for each number"
    )
    presence: list[Annotated[float, Field(gt=0, le=1)]] = Field(
        min_length=1, description="probability that a feature is in an image; a set of images for each"
    )
    images: list[Annotated[int, Field(ge=10)]] = Field(
        [1500, 500, 1000],
        min_length=3,
        max_length=3,
        description="training, validation and test images of each set",
    )
    places: Literal["fixed", "free"] = Field(
        "free", description="whether a feature is always in the same tile of the image, or in any"
    )
    patch: Annotated[int, Field(ge=2)] | None = Field(
        None, description="height and width of a tile in pixels; if none, the smallest that has room for all features"
    )
    availability: Area = Field(1.0, description="amplitude of the last feature over that of the first")
    importance: Area = Field(1.0, description="weight of the last feature in the loss over that of the first")
    correlation: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="share of the images in which the second feature of a pair occurs with the first, or neither"
    )
    noise: Annotated[float, Field(ge=0)] = Field(
        0.0, description="standard deviation of a pixel's noise, where a feature of amplitude 1 has length 1"
    )
    seed: Seed = Field(0, description="seed of the features and the images; not the seed of a run")

    @model_validator(mode="after")
    def _nothing_twice(self) -> "Factors":
        for key in ("features", "presence"):
            values = getattr(self, key)
            if values != sorted(set(values)):
                raise ValueError(f"{key}: write the values in rising order, each once: {sorted(set(values))}")
        return self


class Split(Section):
    """How a data set, or the training split of one with an official test split, is divided, stratified by class."""

    train: Share = Field(description="share of the images to train on")
    validation: Share = Field(description="share of the images to choose settings by")
    test: Share | None = Field(None, description="share that accuracy is reported on; none if there is a test split")
    seed: Seed = Field(0, description="seed of the division; not the seed of a run")

    @model_validator(mode="after")
    def _shares_fill_the_whole(self) -> "Split":
        total = self.train + self.validation + (self.test or 0)
        if abs(total - 1) > 1e-9:
            raise ValueError(f"train, validation and test must add up to 1, not {total:g}")
        return self


class Data(Section):
    """A data set."""

    source: Entry = Field(description="where the images come from: a file name in lowparam/data/sources")
    split: Split | None = Field(None, description="needed where the source has no official validation split")
    path: str | None = Field(
        None, min_length=1, description="folder of the images, or of files that were downloaded by hand"
    )
    size: int | None = Field(
        None, ge=8, le=4096, description="image folders and tiny_imagenet: height and width in pixels that networks see"
    )
    channels: Literal[1, 3] = Field(3, description="image folders: 3 for colour, 1 for grey")
    stream: bool = Field(False, description="image folders: read images while training, instead of keeping arrays")
    value_range: list[float] | None = Field(
        None,
        min_length=2,
        max_length=2,
        description="image folders: the values that are black and white in images of more than 8 bits",
    )
    skip_bad: bool = Field(False, description="image folders: leave bad files out, instead of refusing the folder")
    allow_copies: bool = Field(False, description="image folders: accept images that are in more than one split")
    licence: str | None = Field(None, description="image folders: under which the images may be used")
    citation: str | None = Field(None, description="image folders: what to cite")
    classes: int | None = Field(None, ge=2, description="only the first so many classes")
    train_per_class: int | None = Field(None, ge=1, description="at most so many training images of a class")
    factors: Factors | None = Field(None, description="factors: which features the images have")

    @field_validator("path")
    @classmethod
    def _may_be_a_folder(cls, path: str | None) -> str | None:
        if path is None:
            return None
        try:
            place = Path(path).expanduser()
        except RuntimeError:
            raise ValueError(
                f"{path} begins with a user whom this system does not know; write the folder in full"
            ) from None
        if place.is_file():
            raise ValueError(f"{path} is a file; give a folder, and unpack an archive of images first")
        return path

    @model_validator(mode="after")
    def _streamed_images_stay_as_they_are(self) -> "Data":
        if self.stream and (self.skip_bad or self.channels != 3):
            raise ValueError("stream needs channels: 3 and no skip_bad, as images are not looked at before training")
        return self

    @model_validator(mode="after")
    def _white_is_above_black(self) -> "Data":
        if self.value_range is not None and not self.value_range[0] < self.value_range[1] < float("inf"):
            raise ValueError("value_range must be two numbers, the values of black and white, such as [0, 4095]")
        return self

    @model_validator(mode="after")
    def _features_are_given(self) -> "Data":
        if (self.source == "factors") != (self.factors is not None):
            raise ValueError(
                "factors is missing; write which features there are, such as { features: [8, 16], presence: [0.1] }"
                if self.factors is None
                else f"factors is for the source factors only, not for {self.source}"
            )
        if self.factors is None:
            return self
        if self.size is None or self.size > 32:
            raise ValueError(f"size must be from 8 to 32 for the source factors, not {self.size}")
        for key in ("split", "classes", "train_per_class", "path", "stream"):
            if getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"{key} must go: the source factors generates its images, as factors describes them")
        return self

    def spec(self) -> dict[str, Any]:
        """Return what decides which images there are; not where they lie and whose they are."""
        return self.model_dump(exclude={"path", "licence", "citation"}, exclude_defaults=True) | (
            {"split": self.split.model_dump(exclude_none=True)} if self.split else {}
        )


class Augment(Section):
    """Random changes of the training images, each drawn anew for every image and epoch."""

    crop_padding: int = Field(
        0, ge=0, le=4096, description="pixels of zero padding before a random crop of the old size"
    )
    flip: bool = Field(False, description="mirror left to right with probability 1/2")
    rotation: float = Field(0.0, ge=0, le=180, description="largest rotation to either side, in degrees")
    cutout: int = Field(0, ge=0, le=4096, description="side in pixels of a square set to the mean; 0 for none")
    mixup: float = Field(0.0, ge=0, description="alpha of the Beta distribution of mixup; 0 for none")
    cutmix: float = Field(0.0, ge=0, description="alpha of the Beta distribution of cutmix; 0 for none")
    crop_area: Area = Field(
        1.0, description="streamed images: smallest area of a random crop, 0.08 for ImageNet; 1 for none"
    )
    rand_augment: str | None = Field(
        None, description="streamed images: RandAugment as timm writes it, rand-m9-mstd0.5"
    )
    color_jitter: float = Field(
        0.0, ge=0, description="streamed images: strength of colour jitter; none next to rand_augment"
    )
    erasing: float = Field(0.0, ge=0, le=1, description="streamed images: probability of random erasing")


class Dose(Section):
    """Which set of images of known features a network is trained and measured on."""

    features: int = Field(ge=1, description="number of features that occur; one of the data set's")
    presence: float = Field(gt=0, le=1, description="probability of each in an image; one of the data set's")


class Recipe(Section):
    """How a network is trained."""

    epochs: int = Field(gt=0, description="passes over the training images")
    batch_size: int = Field(gt=0, description="images in a step, over all devices")
    optimizer: Literal["adamw", "sgd", "rmsprop", "lamb"] = Field(
        "adamw", description="torch's optimiser of that name; lamb is timm's"
    )
    lr: float = Field(gt=0, description="highest learning rate")
    min_lr: float = Field(0.0, ge=0, description="learning rate at the end of the cosine")
    betas: list[Decay] = Field([0.9, 0.999], min_length=2, max_length=2, description="averages of adamw and lamb")
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum of sgd and rmsprop")
    nesterov: bool = Field(True, description="Nesterov's form of sgd")
    weight_decay: float = Field(0.0, ge=0, description="not applied to norms, biases and layer scale")
    schedule: Literal["cosine", "step", "constant"] = Field("cosine", description="how the learning rate falls")
    milestones: list[Positive] = Field([], description="step: epochs at which the learning rate falls")
    decay_every: Positive | None = Field(None, description="step: epochs between falls, in place of milestones")
    decay_factor: float = Field(0.1, gt=0, lt=1, description="step: factor of one fall")
    warmup_epochs: float = Field(0.0, ge=0, description="epochs of linear rise before the schedule")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="mass given to the wrong classes")
    dropout: Decay = Field(0.0, description="share of the values before the classifier that are dropped")
    drop_path: Decay = Field(
        0.0, description="how often the last residual branch is skipped; rises linearly from 0 at the first block"
    )
    loss: Entry = Field("cross_entropy", description="a file in training/losses")
    loss_options: dict[Entry, float] = Field({}, description="options of the loss, by name")
    penalties: dict[Entry, Annotated[float, Field(ge=0)]] = Field(
        {}, description="weights of penalties that are added to the loss, by their file in training/penalties"
    )
    clip_norm: float | None = Field(None, gt=0, description="largest norm of the gradient")
    ema: Decay | None = Field(None, description="decay a step of the averaged weights that are evaluated and kept")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of convolutions and matrix products; auto is bfloat16 on a GPU and float32 on a CPU"
    )
    augment: Augment = Field(Augment(), description="random changes of the training images")
    dose: Dose | None = Field(None, description="factors: which of the data set's sets of images")

    @model_validator(mode="after")
    def _warmup_leaves_room(self) -> "Recipe":
        if self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs must be below epochs ({self.epochs})")
        return self

    @model_validator(mode="after")
    def _rate_falls(self) -> "Recipe":
        if self.min_lr > self.lr:
            raise ValueError(f"min_lr must not be above lr ({self.lr:g}), the highest rate; it is {self.min_lr:g}")
        return self

    @model_validator(mode="after")
    def _steps_fit_the_schedule(self) -> "Recipe":
        given = (self.milestones != []) + (self.decay_every is not None)
        if given != (self.schedule == "step"):
            raise ValueError("schedule step needs either milestones or decay_every, and no other schedule has them")
        if self.milestones != sorted(set(self.milestones)):
            raise ValueError("milestones must rise")
        return self


UNTUNABLE = {"epochs", "loss", "loss_options", "penalties", "augment", "dose"}
"""How long, and what for: choices that make another experiment, not a fairer one."""
TUNABLE = [key for key in Recipe.model_fields if key not in UNTUNABLE]


def _lists_of_recipe_values(tree: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON schema of the recipe keys of ``tune``, in place of ``values``, which nobody writes."""
    tree["properties"].pop("values")
    tree["required"].remove("values")
    return {key: {"type": "array", "minItems": 2, "description": f"values of {key} to try"} for key in TUNABLE}


def _as_typed(key: str, options: list[Any]) -> list[Any]:
    """Return the values of a recipe key with whole numbers as floats where the key is one, so that 1 is 1.0.

    A list of whole numbers is continued by whole numbers, which is right for a batch size only.
    """
    if not _is_float(Recipe.model_fields[key].annotation):
        return options
    return [float(option) if type(option) is int and abs(option) < 2**63 else option for option in options]


def _is_float(annotation: Any) -> bool:
    return annotation is float or any(_is_float(part) for part in get_args(annotation))


class Profile(Section):
    """How the interference inside a finished network is measured. Nothing here changes the training."""

    images: int = Field(2000, gt=0, description="most held-out images (validation and test) that are looked at")
    positions: int = Field(16, gt=0, description="most positions of a feature map that are read from one image")
    folds: int = Field(20, ge=3, description="groups of images that the jackknife leaves out, one at a time")
    null_draws: int = Field(100, ge=10, description="random draws behind a null")
    steering_images: int = Field(16, gt=0, description="images that class directions are added to")
    steering_classes: int = Field(64, ge=3, description="most classes that are steered; more are sampled")
    ablation_pairs: int = Field(8, ge=0, description="pairs of channels ablated at the end of a stage; 0 for none")
    ablation_images: int = Field(8, gt=0, description="images on which channels are ablated")
    gradient_images: int = Field(8, ge=0, description="images of a class behind a gradient; 0 for no gradients")
    sae_steps: int = Field(8000, ge=100, description="steps of a sparse autoencoder; fewer do not calibrate")
    measures: list[Entry] = Field([], description="measures to add to the default ones, such as sparse_features")

    @model_validator(mode="after")
    def _measures_exist(self) -> "Profile":
        known = registry.entries("interference/measures")
        for name in self.measures:
            if name not in known:
                raise ValueError(f"unknown measure {name!r}; {registry.nearest(name, known)}")
        return self


class Tune(Section):
    """Recipe values that are chosen by validation accuracy, for each architecture with each probe.

    Besides the keys below it has recipe keys with the values to try, in rising order: ``lr: [0.003, 0.01, 0.03]``.
    Where it has several such keys, all combinations are tried.
    """

    model_config = ConfigDict(json_schema_extra=lambda tree: tree["properties"].update(_lists_of_recipe_values(tree)))

    values: dict[str, list[Any]] = Field(min_length=1, description="recipe keys, each with the values to try")
    budget: Budget | None = Field(None, description="parameter count to tune at; none in published mode")
    seeds: list[Seed] = Field(min_length=1, description="seeds of the trials, none of which the results use")
    epochs: int | None = Field(
        None, gt=0, description="passes over the training images in a trial; if none, the recipe's"
    )
    check: int = Field(2, ge=0, description="architectures whose choice is checked at the largest budget")

    @model_validator(mode="before")
    @classmethod
    def _gather_recipe_keys(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        own = {key: value for key, value in given.items() if key in {"budget", "seeds", "epochs", "check"}}
        values = {key: value for key, value in given.items() if key not in own}
        for key, options in values.items():
            if key not in TUNABLE:
                raise ValueError(f"{key!r} cannot be tuned; {registry.nearest(str(key), TUNABLE)}")
            if not isinstance(options, list) or len(options) < 2:
                raise ValueError(f"{key}: write a list of at least two values to try, not {options!r}")
            values[key] = options = _as_typed(key, options)
            if any(options.count(option) > 1 for option in options):
                raise ValueError(f"{key} has a value twice")
            if are_numbers(options) and options != sorted(options):
                raise ValueError(f"{key}: write the values in rising order, {sorted(options)}")
        if not values:
            raise ValueError("a recipe key with values to try is missing, such as lr: [0.003, 0.01, 0.03]")
        return {**own, "values": values}

    @model_validator(mode="after")
    def _no_seed_twice(self) -> "Tune":
        twice = next((seed for seed in self.seeds if self.seeds.count(seed) > 1), None)
        if twice is not None:
            raise ValueError(f"seeds has {twice} twice")
        return self

    @property
    def combinations(self) -> list[dict[str, Any]]:
        """All combinations of the values to try; the last key varies fastest."""
        return [dict(zip(self.values, chosen, strict=True)) for chosen in product(*self.values.values())]

    @property
    def trials(self) -> int:
        """How many trainings the values take, without those that extend a list or check a choice."""
        return len(self.combinations) * len(self.seeds)


def are_numbers(values: list[Any]) -> bool:
    """Whether all values are numbers, which have an order and can be extended; True and False are none."""
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


class Experiment(Section):
    """A data set, a recipe and a grid of runs."""

    data: Name = Field(description="a name under data")
    recipe: Name = Field(description="a name under recipes")
    mode: Literal["controlled", "published"] = Field(
        "controlled", description="one skeleton for all, only the block differs; or the papers' own networks"
    )
    architectures: Annotated[list[Architecture], Patterns] = Field(
        min_length=1,
        description="mobilenetv2 in controlled mode; mobilenetv2_x0.5 or timm:resnet18 in published mode; "
        "demonet_{star,sum}_d12_w{8,16} is four names",
    )
    probes: list[Probe] = Field(min_length=1, description="none, or where SoLU goes")
    budgets: list[Budget] = Field([], description="parameter counts to aim at; none in published mode")
    seeds: list[Seed] = Field(min_length=1, description="one run for each")
    counting: Literal["total", "body", "head"] = Field("total", description="what a budget counts")
    depth: int = Field(2, ge=1, le=200, description="blocks in a stage")
    divisor: int = Field(1, ge=1, description="widths of stages are multiples of it")
    minimum_width: int = Field(4, ge=1, description="no stage is narrower")
    overrides: dict[Architecture, dict[str, Any]] = Field({}, description="recipe values for one architecture")
    variants: dict[Variant, dict[str, Any]] = Field(
        {}, description="recipe values by a name that you choose; every scale is trained with each of them"
    )
    tune: Tune | None = Field(None, description="recipe values to choose by validation accuracy before training")
    profile: Profile = Field(Profile(), description="how interference is measured")
    deploy: bool = Field(False, description="whether each run is also exported and measured as for a device")

    @model_validator(mode="after")
    def _nothing_twice(self) -> "Experiment":
        for key in ("architectures", "probes", "budgets", "seeds"):
            values = getattr(self, key)
            twice = next((v for v in values if values.count(v) > 1), None)
            if twice is not None:
                raise ValueError(f"{key} names {twice!r} twice")
        return self

    @model_validator(mode="after")
    def _sizes_fit_the_mode(self) -> "Experiment":
        timm = next((name for name in self.architectures if name.startswith("timm:")), None)
        if self.mode == "published" and self.budgets:
            raise ValueError("budgets must be empty in published mode: a published network has a size of its own")
        if self.mode == "controlled" and timm:
            raise ValueError(f"{timm} has a size of its own: put it in an experiment with mode: published")
        if self.mode == "controlled" and not self.budgets:
            raise ValueError("budgets is missing; write a list such as [25k, 100k]")
        return self

    @model_validator(mode="after")
    def _tuning_stands_apart(self) -> "Experiment":
        if self.tune is None:
            return self
        if twice := sorted({*self.tune.seeds} & {*self.seeds}):
            raise ValueError(
                f"tune.seeds has {twice[0]}, which is also a seed of the results; choose others, such as 100"
            )
        if (self.tune.budget is None) == (self.mode == "controlled"):
            needed = "needs a budget, such as 25k" if self.mode == "controlled" else "has no budget in published mode"
            raise ValueError(f"tune {needed}")
        for place in ("overrides", "variants"):
            for name, given in getattr(self, place).items():
                if both := sorted({*given} & {*self.tune.values}):
                    raise ValueError(f"{place}.{name}.{both[0]} is also tuned; remove one of the two")
        return self

    @property
    def sizes(self) -> list[int | None]:
        """The budgets, or one None in published mode, where the name of a network settles its size."""
        return list(self.budgets) if self.mode == "controlled" else [None]


class Params(Section):
    """All of params.yaml, with `defaults` already merged into the experiments."""

    data: dict[Name, Data] = Field(min_length=1, description="data sets by name")
    recipes: dict[Name, Recipe] = Field(min_length=1, description="recipes by name")
    defaults: dict[str, Any] = Field({}, description="defaults for all experiments")
    experiments: dict[Name, Experiment] = Field(min_length=1, description="experiments by name")
    studies: StudySettings = Field(StudySettings(), description="settings of the studies, by name")
    replicate: list[Name] = Field(min_length=1, description="experiments that run when no other is named")

    @model_validator(mode="after")
    def _names_differ_in_more_than_case(self) -> "Params":
        scales = {f"experiments.{name}": [s.name for s in self.scales(name)] for name in self.experiments}
        for key, names in {"experiments": self.experiments, "data": self.data, **scales}.items():
            if pair := alike(names):
                raise ValueError(f"{key}: {pair[0]} and {pair[1]} would share a folder on some systems; rename one")
        return self

    @model_validator(mode="after")
    def _names_lead_somewhere(self) -> "Params":
        for name in self.replicate:
            if self.replicate.count(name) > 1:
                raise ValueError(f"replicate names {name!r} twice")
            _known(name, self.experiments, "replicate")
        for name, experiment in self.experiments.items():
            _known(experiment.data, self.data, f"experiments.{name}.data")
            _known(experiment.recipe, self.recipes, f"experiments.{name}.recipe")
            for architecture in experiment.overrides:
                _known(architecture, experiment.architectures, f"experiments.{name}.overrides")
            for scale in self.scales(name):
                self._check_recipe(self.recipe(scale), scale)
            self._check_tuning(name)
            if experiment.deploy and self.data[experiment.data].factors:
                raise ValueError(f"experiments.{name}.deploy must go: devices are measured by the class of an image")
        return self

    def _check_tuning(self, name: str) -> None:
        """Check that every trial has a valid recipe, and that its images are in memory."""
        chosen = self.experiments[name]
        if chosen.tune is None:
            return
        if self.data[chosen.data].stream:
            raise ValueError(
                f"experiments.{name}.tune needs images in memory, but {chosen.data} has stream: true; tune on a "
                "smaller data set and write the values under overrides"
            )
        for scale in {family.label: family for family in self.families(name)}.values():
            for values in chosen.tune.combinations:
                self.trial_recipe(scale, values)

    def _check_recipe(self, recipe: Recipe, scale: Scale) -> None:
        where = f"experiments.{scale.experiment} (recipe {self.experiments[scale.experiment].recipe})"
        _known(recipe.loss, registry.entries("training/losses"), f"{where}: loss")
        for name in recipe.penalties:
            _known(name, registry.entries("training/penalties"), f"{where}: penalties")
        self._check_dose(recipe, self.data[self.experiments[scale.experiment].data].factors, where)

    def _check_dose(self, recipe: Recipe, factors: Factors | None, where: str) -> None:
        """Check that a recipe has what images of known features need, and that others do not have it."""
        if factors is None:
            if recipe.dose is not None:
                raise ValueError(f"{where}: dose must go: it is for images of known features (source: factors)")
            return
        if recipe.loss != "binary_cross_entropy":
            raise ValueError(f"{where}: loss must be binary_cross_entropy, as an image may have several features")
        if recipe.augment != Augment():
            raise ValueError(f"{where}: augment must go: it would change the features in the images")
        if recipe.dose is None:
            if len(factors.features) * len(factors.presence) > 1:
                raise ValueError(f"{where}: dose is missing; write which images, {self._doses(factors)}")
        elif recipe.dose.features not in factors.features or recipe.dose.presence not in factors.presence:
            raise ValueError(f"{where}: the data set has no images of this dose; write {self._doses(factors)}")

    @staticmethod
    def _doses(factors: Factors) -> str:
        return f"features as one of {factors.features} and presence as one of {factors.presence}"

    def experiment(self, name: str) -> Experiment:
        """Return an experiment by name.

        Raises
        ------
        LowparamError
            If params.yaml has none of that name.
        """
        if name not in self.experiments:
            raise LowparamError(f"params.yaml has no experiment {name!r}; {registry.nearest(name, self.experiments)}")
        return self.experiments[name]

    def recipe(self, scale: "Scale", choice: Mapping[str, Any] | None = None) -> Recipe:
        """Return the recipe of a scale: that of the experiment, with the values of its architecture and its variant.

        Parameters
        ----------
        scale : Scale
            Which one.
        choice : mapping, optional
            Values that tuning chose for it (`lowparam.runs.choice`).
        """
        chosen = self.experiments[scale.experiment]
        recipe = self.recipes[chosen.recipe]
        for key, above in (
            (f"overrides.{scale.architecture}", chosen.overrides.get(scale.architecture, {})),
            (f"variants.{scale.variant}", chosen.variants.get(scale.variant, {})),
            ("tune", dict(choice or {})),
        ):
            try:
                recipe = Recipe.model_validate(merge(recipe.model_dump(), above)) if above else recipe
            except ValidationError as error:
                raise ValueError(f"experiments.{scale.experiment}.{key}.{_describe(error)}") from error
        return recipe

    def trial_recipe(self, scale: "Scale", values: Mapping[str, Any]) -> Recipe:
        """Return the recipe of a trial of tuning: that of the scale with some values, for as long as ``tune`` says."""
        tune = self.experiments[scale.experiment].tune
        assert tune is not None
        return self.recipe(scale, {**values, **({} if tune.epochs is None else {"epochs": tune.epochs})})

    def families(self, experiment: str) -> list["Scale"]:
        """Return the scales that an experiment tunes at: one for each architecture, variant and probe."""
        chosen = self.experiment(experiment)
        budget = chosen.tune.budget if chosen.tune else chosen.sizes[0]
        found = [replace(scale, budget=budget) for scale in self.scales(experiment)]
        return list(dict.fromkeys(found))

    def scales(self, experiment: str) -> list["Scale"]:
        """Expand an experiment: architecture x variant x probe x budget (no budgets in published mode)."""
        chosen = self.experiment(experiment)
        return [
            Scale(experiment, architecture, probe, budget, variant)
            for architecture in chosen.architectures
            for variant in chosen.variants or [""]
            for probe in chosen.probes
            for budget in chosen.sizes
        ]

    def runs(self, experiment: str) -> list["Run"]:
        """Expand an experiment into its runs: each scale with each seed."""
        return [Run(scale, seed) for scale in self.scales(experiment) for seed in self.experiment(experiment).seeds]


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Merge one mapping over another, level by level; lists and values are replaced."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _describe(error: ValidationError) -> str:
    return describe(first_finding(error), Section.__subclasses__())


def _known(name: str, known: Any, key: str) -> None:
    if name not in known:
        raise ValueError(f"{key}: {name!r} is not defined; {registry.nearest(name, known)}")
