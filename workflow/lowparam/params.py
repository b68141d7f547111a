"""params.yaml as typed objects, the grid of runs, and the one statement of a run.

This module imports neither torch nor pandas, because Snakemake reads it at every start.
"""

import difflib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from lowparam import registry, studies
from lowparam.errors import LowparamError
from lowparam.files import read_yaml
from lowparam.section import Section
from lowparam.studies import StudySettings

__all__ = [
    "Augment",
    "Data",
    "Experiment",
    "Params",
    "Profile",
    "Recipe",
    "Run",
    "Scale",
    "Split",
    "format_budget",
    "format_size",
    "load",
    "parse_budget",
    "profile_spec",
    "rules_of",
    "run_spec",
    "schema",
]

UNITS = {"k": 1_000, "M": 1_000_000}

RULES = ["{}", "{}_runs", "{}_profiles", "{}_claims"]
RULES += [f"{verb}_{{}}" for verb in ("train", "profile", "tables", "figures", "claims", "page", "bilinear")]
"""Names of the rules that an experiment has of its own."""

RESERVED = {"all", "data", "prepare", "baseline", "collect"}
RESERVED |= {f"{part.study}_{part.name}" for part in studies.parts()}
RESERVED |= {rule.format(study) for study in studies.names() for rule in RULES}
"""Names of other rules and of other folders in results, which an experiment cannot have."""


def parse_budget(value: Any) -> int:
    """Read a parameter count such as ``25k``, ``1.5M`` or ``25000``.

    Raises
    ------
    ValueError
        If it is none of these or less than 1.
    """
    text = str(value).replace("_", "")
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kM]?)", text)
    count = float(match[1]) * UNITS.get(match[2], 1) if match and not isinstance(value, bool) else 0
    if count < 1 or count != int(count):
        raise ValueError(f"{value!r} is not a parameter count; write 25k, 1.5M or 25000")
    return int(count)


def format_budget(count: int) -> str:
    """Write a parameter count the way paths and tables do: ``25k``, ``1.5M``; the inverse of `parse_budget`."""
    for unit, size in (("M", UNITS["M"]), ("k", UNITS["k"])):
        if count >= size and count * 1000 % size == 0:
            return f"{count / size:.3f}".rstrip("0").rstrip(".") + unit
    return str(count)


def format_size(budget: int | None) -> str:
    """Write the size of a scale as in paths: ``25k``, or ``published`` for a network that has its own size."""
    return "published" if budget is None else format_budget(budget)


def rules_of(experiment: str) -> list[str]:
    """Name the rules that an experiment has of its own."""
    return [rule.format(experiment) for rule in RULES]


Budget = Annotated[int, BeforeValidator(parse_budget), Field(json_schema_extra={"type": ["integer", "string"]})]
Share = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Decay = Annotated[float, Field(ge=0, lt=1)]
Area = Annotated[float, Field(gt=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:]+$")]


class Split(Section):
    """How a data set, or the training part of one with an official test part, is divided, stratified by class."""

    train: Share = Field(description="share of the images to train on")
    validation: Share = Field(description="share of the images to choose settings by")
    test: Share | None = Field(None, description="share that accuracy is reported on; none if there is a test part")
    seed: int = Field(0, ge=0, description="seed of the division; not the seed of a run")

    @model_validator(mode="after")
    def _shares_fill_the_whole(self) -> "Split":
        total = self.train + self.validation + (self.test or 0)
        if abs(total - 1) > 1e-9:
            raise ValueError(f"train, validation and test must add up to 1, not {total:g}")
        return self


class Data(Section):
    """A data set."""

    source: Name = Field(description="where the images come from: a file name in lowparam/data/sources")
    split: Split | None = Field(None, description="needed where the source has no official validation part")
    path: str | None = Field(None, description="folder of the images, or of files that were downloaded by hand")
    size: int | None = Field(None, ge=8, description="image folders: height and width in pixels that networks see")
    channels: Literal[1, 3] = Field(3, description="image folders: 3 for colour, 1 for grey")
    stream: bool = Field(False, description="image folders: read images while training, instead of keeping arrays")
    skip_bad: bool = Field(False, description="image folders: leave bad files out, instead of refusing the folder")
    licence: str | None = Field(None, description="image folders: under which the images may be used")
    citation: str | None = Field(None, description="image folders: what to cite")
    classes: int | None = Field(None, ge=2, description="only the first so many classes")
    train_per_class: int | None = Field(None, ge=1, description="at most so many training images of a class")

    @model_validator(mode="after")
    def _streamed_images_stay_as_they_are(self) -> "Data":
        if self.stream and (self.skip_bad or self.channels != 3):
            raise ValueError("stream needs channels: 3 and no skip_bad, as images are not looked at before training")
        return self

    def spec(self) -> dict[str, Any]:
        """Return what decides which images there are; not where they lie and whose they are."""
        return self.model_dump(exclude={"path", "licence", "citation"}, exclude_defaults=True) | (
            {"split": self.split.model_dump(exclude_none=True)} if self.split else {}
        )


class Augment(Section):
    """Random changes of the training images, each drawn anew for every image and epoch."""

    crop_padding: int = Field(0, ge=0, description="pixels of zero padding before a random crop of the old size")
    flip: bool = Field(False, description="mirror left to right with probability 1/2")
    rotation: float = Field(0.0, ge=0, le=180, description="largest rotation to either side, in degrees")
    cutout: int = Field(0, ge=0, description="side in pixels of a square set to the mean; 0 for none")
    mixup: float = Field(0.0, ge=0, description="alpha of the Beta distribution of mixup; 0 for none")
    cutmix: float = Field(0.0, ge=0, description="alpha of the Beta distribution of cutmix; 0 for none")
    crop_area: Area = Field(0.08, description="image folders: smallest area of a random crop")
    rand_augment: str | None = Field(None, description="image folders: RandAugment as timm writes it, rand-m9-mstd0.5")
    color_jitter: float = Field(0.0, ge=0, description="image folders: strength of colour jitter")
    erasing: float = Field(0.0, ge=0, le=1, description="image folders: probability of random erasing")


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
    loss: Name = Field("cross_entropy", description="a file in training/losses")
    loss_options: dict[Name, float] = Field({}, description="options of the loss, by name")
    penalties: dict[Name, Annotated[float, Field(ge=0)]] = Field(
        {}, description="weights of penalties that are added to the loss, by their file in training/penalties"
    )
    clip_norm: float | None = Field(None, gt=0, description="largest norm of the gradient")
    ema: Decay | None = Field(None, description="decay a step of the averaged weights that are evaluated and kept")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of convolutions and matrix products; auto is bfloat16 on a GPU and float32 on a CPU"
    )
    augment: Augment = Field(Augment(), description="random changes of the training images")

    @model_validator(mode="after")
    def _warmup_leaves_room(self) -> "Recipe":
        if self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs must be below epochs ({self.epochs})")
        return self

    @model_validator(mode="after")
    def _steps_fit_the_schedule(self) -> "Recipe":
        given = (self.milestones != []) + (self.decay_every is not None)
        if given != (self.schedule == "step"):
            raise ValueError("schedule step needs either milestones or decay_every, and no other schedule has them")
        if self.milestones != sorted(set(self.milestones)):
            raise ValueError("milestones must rise")
        return self


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
    measures: list[Name] = Field([], description="measures to add to the default ones, such as sparse_features")

    @model_validator(mode="after")
    def _measures_exist(self) -> "Profile":
        known = registry.entries("interference/measures")
        for name in self.measures:
            if name not in known:
                raise ValueError(f"unknown measure {name!r}; {registry.nearest(name, known)}")
        return self


class Experiment(Section):
    """A data set, a recipe and a grid of runs."""

    data: Name = Field(description="a name under data")
    recipe: Name = Field(description="a name under recipes")
    mode: Literal["controlled", "published"] = Field(
        "controlled", description="one skeleton for all, only the block differs; or the papers' own networks"
    )
    architectures: list[Name] = Field(
        min_length=1, description="mobilenetv2 in controlled mode; mobilenetv2_x0.5 or timm:resnet18 in published mode"
    )
    probes: list[Name] = Field(min_length=1, description="none, or where SoLU goes")
    budgets: list[Budget] = Field([], description="parameter counts to aim at; none in published mode")
    seeds: list[Annotated[int, Field(ge=0)]] = Field(min_length=1, description="one run for each")
    counting: Literal["total", "body", "head"] = Field("total", description="what a budget counts")
    depth: int = Field(2, ge=1, description="blocks in a stage")
    divisor: int = Field(1, ge=1, description="widths of stages are multiples of it")
    minimum_width: int = Field(4, ge=1, description="no stage is narrower")
    overrides: dict[Name, dict[str, Any]] = Field({}, description="recipe values for one architecture")
    variants: dict[Name, dict[str, Any]] = Field(
        {}, description="recipe values by a name of your own; every scale is trained with each of them"
    )
    profile: Profile = Field(Profile(), description="how interference is measured")

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

    @property
    def sizes(self) -> list[int | None]:
        """The budgets, or one None in published mode, where the name of a network settles its size."""
        return list(self.budgets) if self.mode == "controlled" else [None]


class Params(Section):
    """The whole of params.yaml, with `defaults` already merged into the experiments."""

    data: dict[Name, Data] = Field(min_length=1, description="data sets by name")
    recipes: dict[Name, Recipe] = Field(min_length=1, description="recipes by name")
    defaults: dict[str, Any] = Field({}, description="what an experiment does not say for itself")
    experiments: dict[Name, Experiment] = Field(min_length=1, description="experiments by name")
    studies: StudySettings = Field(StudySettings(), description="settings of the studies, by name")
    replicate: list[Name] = Field(min_length=1, description="experiments that run when no other is named")

    @model_validator(mode="after")
    def _names_lead_somewhere(self) -> "Params":
        for name in self.replicate:
            _known(name, self.experiments, "replicate")
        rules = {f"prepare_{name}": f"data.{name}" for name in self.data}
        for name in sorted(self.experiments, key=len):  # of digits and digits_runs, the second is the one to rename
            for rule in rules_of(name):
                if rules.setdefault(rule, f"experiments.{name}") != f"experiments.{name}":
                    raise ValueError(
                        f"experiments.{name}: {rules[rule]} has a rule {rule} as well; choose another name"
                    )
        for name, experiment in self.experiments.items():
            if name in RESERVED:
                raise ValueError(
                    f"experiments.{name}: the workflow has another use for this name; choose one of your own"
                )
            _known(experiment.data, self.data, f"experiments.{name}.data")
            _known(experiment.recipe, self.recipes, f"experiments.{name}.recipe")
            for architecture in experiment.overrides:
                _known(architecture, experiment.architectures, f"experiments.{name}.overrides")
            for scale in self.scales(name):
                self.recipe(scale)
        return self

    def experiment(self, name: str) -> Experiment:
        """Return an experiment by name.

        Raises
        ------
        LowparamError
            If params.yaml has none of that name.
        """
        if name not in self.experiments:
            raise LowparamError(f"params.yaml has no experiment {name!r}; it has {', '.join(self.experiments)}")
        return self.experiments[name]

    def recipe(self, scale: "Scale") -> Recipe:
        """Return the recipe of a scale: that of the experiment, below that of its architecture and of its variant."""
        chosen = self.experiments[scale.experiment]
        recipe = self.recipes[chosen.recipe]
        for key, above in (
            (f"overrides.{scale.architecture}", chosen.overrides.get(scale.architecture, {})),
            (f"variants.{scale.variant}", chosen.variants.get(scale.variant, {})),
        ):
            try:
                recipe = Recipe.model_validate(_merge(recipe.model_dump(), above)) if above else recipe
            except ValidationError as error:
                raise ValueError(f"experiments.{scale.experiment}.{key}.{_first(error)}") from error
        return recipe

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


@dataclass(frozen=True, order=True)
class Scale:
    """An architecture with an probe at a budget, in an experiment.

    A published network has no budget (None), because its name settles its size: ``mobilenetv2_x0.5``. An experiment
    with variants of its recipe has a scale for each of them.
    """

    experiment: str
    architecture: str
    probe: str
    budget: int | None
    variant: str = ""

    @property
    def label(self) -> str:
        """The architecture, with the variant if there is one: ``mobilenetv2``, ``mobilenetv2@lr0.01``."""
        return f"{self.architecture}@{self.variant}" if self.variant else self.architecture

    @property
    def name(self) -> str:
        """The folder's name: ``mobilenetv2-none-25k``, ``mobilenetv2_x0.5-none-published``.

        A timm network is written with a point, ``timm.mobilevit_xxs-none-published``, because a colon is no part of
        a file name everywhere.
        """
        return f"{self.label.replace(':', '.')}-{self.probe}-{format_size(self.budget)}"

    @property
    def folder(self) -> Path:
        """Where its runs are."""
        return Path("results", self.experiment, "runs", self.name)

    @property
    def profiles(self) -> Path:
        """Where their interference profiles are: not beside them, so that training alone writes what it made."""
        return Path("results", self.experiment, "profiles", self.name)


@dataclass(frozen=True, order=True)
class Run:
    """One training: a scale with a seed."""

    scale: Scale
    seed: int

    @property
    def folder(self) -> Path:
        return self.scale.folder / f"seed{self.seed}"

    @property
    def profile(self) -> Path:
        return self.scale.profiles / f"seed{self.seed}.csv"


def run_spec(params: Params, run: Run) -> dict[str, Any]:
    """State all that determines a run, as plain values.

    The rule of the run has it as a parameter, metrics.json repeats it, and `collect` compares the two.
    """
    scale, experiment = run.scale, params.experiment(run.scale.experiment)
    skeleton = ("counting", "depth", "divisor", "minimum_width")  # what a published network has no use for
    return {
        "experiment": scale.experiment,
        "mode": experiment.mode,
        "architecture": scale.architecture,
        "probe": scale.probe,
        "budget": scale.budget,
        **({key: getattr(experiment, key) for key in skeleton} if experiment.mode == "controlled" else {}),
        "seed": run.seed,
        "data": {"name": experiment.data, **params.data[experiment.data].spec()},
        "recipe": params.recipe(scale).model_dump(),
    }


def profile_spec(params: Params, run: Run) -> dict[str, Any]:
    """State all that determines the profile of a run: the run and how it is looked at.

    It is apart from `run_spec`, so that another way of looking does not train again.
    """
    profile = params.experiment(run.scale.experiment).profile
    return {"run": run_spec(params, run), "profile": profile.model_dump()}


def load(path: Path | str = "params.yaml") -> Params:
    """Read and check params.yaml.

    Raises
    ------
    LowparamError
        In one line: the key, what is wrong with it, and what would be right.
    """
    path = Path(path)
    values = read_yaml(path, missing="run this in the folder that has it")
    try:
        if isinstance(values, dict) and isinstance(values.get("experiments"), dict):
            defaults = values.get("defaults") or {}
            values = {
                **values,
                "experiments": {
                    name: _merge(defaults, given) if isinstance(given, dict) else given
                    for name, given in values["experiments"].items()
                },
            }
        return Params.model_validate(values)
    except ValidationError as error:
        raise LowparamError(f"{path}: {_first(error)}") from error


def schema() -> str:
    """Return the JSON schema of params.yaml as text.

    Experiments may leave out what `defaults` says, so their keys are all optional here; `load` sees the whole.
    """
    tree = Params.model_json_schema()
    tree["title"] = "params.yaml of lowparam"
    tree["$defs"]["Experiment"]["required"] = ["data", "recipe"]
    optional = {key: value for key, value in tree["$defs"]["Experiment"].items() if key != "required"}
    tree["properties"]["defaults"] = {**optional, "description": tree["properties"]["defaults"]["description"]}
    return json.dumps(tree, indent=2, ensure_ascii=False)


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Lay one mapping over another, level by level; lists and values are replaced whole."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _known(name: str, known: Any, key: str) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, list(known), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
        raise ValueError(f"{key}: {name!r} is not defined; {hint}")


def _first(error: ValidationError) -> str:
    """Put the first finding of a validation into one line: the key, what is wrong, what was given.

    A key that is not known comes first: the key that is missing is often the one that was meant.
    """
    finding = min(error.errors(), key=lambda finding: finding["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in finding["loc"])
    if finding["type"] == "extra_forbidden":
        known = {name for section in Section.__subclasses__() for name in section.model_fields}
        near = difflib.get_close_matches(str(finding["loc"][-1]), sorted(known), n=1)
        return f"{key} is not a known key" + (f"; did you mean {near[0]!r}?" if near else "")
    message = finding["msg"].removeprefix("Value error, ")
    if finding["type"] == "missing":
        return f"{key} is missing"
    if finding["type"] == "value_error":
        return f"{key}: {message}" if key else message
    if finding["type"] == "too_short":
        return f"{key} is empty; it needs at least one item"
    given = finding["input"]
    hint = "; write it with a point, as 1.0e-3" if finding["type"] == "float_type" and _is_number(given) else ""
    return f"{key}: {message[0].lower()}{message[1:]}, not {given!r}{hint}"


def _is_number(text: Any) -> bool:
    try:
        float(text)
    except (TypeError, ValueError):
        return False
    return isinstance(text, str)
