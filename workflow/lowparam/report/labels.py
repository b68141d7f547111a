"""What things are called in print."""

from functools import cache

from lowparam import registry
from lowparam.params import Data
from lowparam.studies.star.names import VARIANTS, StarName, parse

__all__ = ["architecture_label", "data_remark", "element_label", "probe_label"]

ARCHITECTURES = {
    "mobilenetv1": "MobileNetV1",
    "mobilenetv2": "MobileNetV2",
    "mobilenetv3": "MobileNetV3",
    "mobilenext": "MobileNeXt",
    "lsnet": "LSNet",
    "swiftformer_encoder": "SwiftFormer encoder",
    "shuffleunit": "ShuffleNetV2 unit",
    "ccw_single": "Lite-HRNet weighting",
    "replknet": "RepLKNet",
    "replknet_plain": "RepLKNet (large kernel alone)",
    "unireplknet": "UniRepLKNet",
    "unireplknet_plain": "UniRepLKNet (large kernel alone)",
    "spiralmlp": "SpiralMLP",
    "cdc": "Lite-Mono CDC",
    "cdc_lgfi": "Lite-Mono LGFI",
    "convnext": "ConvNeXt",
    "convnextv2": "ConvNeXt V2",
    "nodepth_a": "NoDepth (reading A)",
    "nodepth_b": "NoDepth (reading B)",
    "nodepth_bp": "NoDepth (reading B′)",
    "nodepth_c": "NoDepth (reading C)",
    "van": "VAN",
    "crate": "CRATE",
    "wideresnet": "Wide ResNet",
    "pyramidnet": "PyramidNet",
    "nin": "NIN",
    "efficientnet": "MBConv",
    "inline": "InLine",
    "inline_local": "InLine with local term",
    "allcnn": "All-CNN",
    "flatten": "FLatten",
    "rala": "RALA",
    "soft": "SOFT",
}
"""Printed names of blocks whose file declares none: to write them there would make recorded networks stale."""

FACTORS = {
    "stream": "depthwise on the stream",
    "hidden": "depthwise in the hidden space",
    "layernorm": "layer norm",
    "batchnorm": "batch norm",
    "noshortcut": "no shortcut",
    "gelu": "GELU",
    **{f"e{ratio}": f"expansion {ratio}" for ratio in (2, 4, 6)},
}


@cache
def _labels() -> dict[str, str]:
    """Return the printed names of blocks, which the file of a block declares."""
    declared = (registry.constants("models/blocks", entry) for entry in registry.entries("models/blocks"))
    return ARCHITECTURES | {name: label for each in declared for name, label in each.get("LABELS", {}).items()}


def architecture_label(name: str) -> str:
    """Return the printed name of an architecture, with the variant of its recipe; one without a label keeps its own."""
    architecture, _, variant = name.partition("@")
    architecture, *parts = architecture.split("+")
    if architecture.startswith("ablation_"):
        printed = _ablation(architecture.removeprefix("ablation_"))
    else:
        star = parse(architecture)
        printed = _star(star) if star else _labels().get(architecture, architecture)
    added = [_part(part)["LABEL"] for part in parts]
    return ", ".join([printed, *added, *([variant] if variant else [])])


def element_label(parts: str) -> str:
    """Return the printed name of parts, each after its slot: ``gate: squeeze-and-excitation, norm: layer norm``."""
    return ", ".join("{SLOT}: {LABEL}".format(**_part(part)) for part in parts.split("+"))


def _part(name: str) -> dict[str, str]:
    """Return what a part declares; without a label it keeps its name."""
    return {"LABEL": name} | registry.constants("models/parts", name)


def data_remark(data: Data) -> str:
    """Return what differs in the pixels from those of published results, as the source declares it, or nothing."""
    if data.source not in registry.entries("data/sources"):
        return ""
    return registry.constants("data/sources", data.source).get("REMARK", "")


def _star(found: StarName) -> str:
    """Return a name such as ``DemoNet, star, depth 12, width 8`` or ``StarNet-050, sum in stages 3 and 4``."""
    parts = ["DemoNet" if found.family == "demonet" else "StarNet"]
    if found.size and not found.depth_width:
        parts[0] += f"-{found.size[1:] if len(found.size) == 4 else found.size.upper()}"  # StarNet-050, StarNet-S4
    if found.operator == "mixed":
        stages = " and ".join(map(str, found.summed))
        parts.append(f"sum in stage{'s' * (len(found.summed) > 1)} {stages}")
    elif found.family == "demonet" or found.operator == "sum":
        parts.append(found.operator)
    if found.variant:
        parts.append(VARIANTS[found.variant].label)
    if found.depth_width:
        parts.append("depth {}, width {}".format(*found.depth_width))
    return ", ".join(parts)


def _ablation(name: str) -> str:
    """Return the printed name of a block, or of a block changed in one factor: ``mobilenetv2_stream``."""
    block = max((known for known in _labels() if name == known or name.startswith(f"{known}_")), key=len, default="")
    factor = name.removeprefix(block).removeprefix("_")
    return ", ".join([f"{_labels().get(block, block)} block", *([FACTORS.get(factor, factor)] if factor else [])])


def probe_label(name: str) -> str:
    """Return the printed name of a probe: its family's label, its place, and its variant: ``SoLU (S1), layer norm``."""
    if name == "none":
        return "own activation"
    family, _, rest = name.partition("_")
    place, _, variant = rest.partition("_")
    if family not in registry.entries("models/probes") or not place:
        return name
    declared = registry.constants("models/probes", family)
    labels = declared.get("VARIANT_LABELS", {})
    return f"{declared['LABEL']} ({place.upper()})" + (f", {labels.get(variant, variant)}" if variant else "")
