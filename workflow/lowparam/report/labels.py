"""What things are called in print."""

from lowparam.studies.star.names import StarName, parse

__all__ = ["architecture_label", "probe_label"]

ARCHITECTURES = {
    "mobilenetv1": "MobileNetV1",
    "mobilenetv2": "MobileNetV2",
    "mobilenetv3": "MobileNetV3",
    "mobilenext": "MobileNeXt",
    "convnext": "ConvNeXt",
    "convnextv2": "ConvNeXt V2",
    "nodepth_a": "NoDepth (reading A)",
    "nodepth_b": "NoDepth (reading B)",
    "nodepth_bp": "NoDepth (reading B′)",
    "nodepth_c": "NoDepth (reading C)",
}

PROBES = {
    "none": "own activation",
    "solu_s1": "SoLU (S1)",
    "solu_s2": "SoLU (S2)",
    "solu_s3": "SoLU (S3)",
    "solu_s1_ln": "SoLU (S1), layer norm",
    "solu_s1_xc": "SoLU (S1), times width",
    "scale_s1": "its shrinking alone (S1)",
    "topk_s1": "its sparsity alone (S1)",
}


FACTORS = {
    "stream": "depthwise on the stream",
    "hidden": "depthwise in the hidden space",
    "layernorm": "layer norm",
    "batchnorm": "batch norm",
    "noshortcut": "no shortcut",
    "gelu": "GELU",
    **{f"e{ratio}": f"expansion {ratio}" for ratio in (2, 4, 6)},
}


VARIANTS = {
    "noact": "no activation",
    "actboth": "activation on both branches",
    "actproduct": "activation after the product",
    "relu": "ReLU",
    "gelu": "GELU",
    "leakyrelu": "LeakyReLU",
    "hardswish": "h-swish",
    "gate": "design II",
    "gatepw": "design III",
    "shared": "design IV",
    "square": "design V",
}


def architecture_label(name: str) -> str:
    """Name of an architecture in print, with the variant of its recipe; one that is not listed keeps its own."""
    architecture, _, variant = name.partition("@")
    if architecture.startswith("ablation_"):
        printed = _ablation(architecture.removeprefix("ablation_"))
    else:
        star = parse(architecture)
        printed = _star(star) if star else ARCHITECTURES.get(architecture, architecture)
    return f"{printed}, {variant}" if variant else printed


def _star(found: StarName) -> str:
    """Such as ``DemoNet, star, no activation, depth 12, width 8`` or ``StarNet-050, sum in stages 3 and 4``."""
    parts = ["DemoNet" if found.family == "demonet" else "StarNet"]
    if found.size and not found.depth_width:
        parts[0] += f"-{found.size[1:] if len(found.size) == 4 else found.size.upper()}"  # StarNet-050, StarNet-S4
    if found.operator == "mixed":
        stages = " and ".join(map(str, found.summed))
        parts.append(f"sum in stage{'s' * (len(found.summed) > 1)} {stages}")
    elif found.family == "demonet" or found.operator == "sum":
        parts.append(found.operator)
    if found.variant:
        parts.append(VARIANTS[found.variant])
    if found.depth_width:
        parts.append("depth {}, width {}".format(*found.depth_width))
    return ", ".join(parts)


def _ablation(name: str) -> str:
    """Return the printed name of a block, or of a block changed in one factor: ``mobilenetv2_stream``."""
    block = max(
        (known for known in ARCHITECTURES if name == known or name.startswith(f"{known}_")), key=len, default=""
    )
    factor = name.removeprefix(block).removeprefix("_")
    return ", ".join([f"{ARCHITECTURES.get(block, block)} block", *([FACTORS.get(factor, factor)] if factor else [])])


def probe_label(name: str) -> str:
    """Name of an activation in print; one that is not listed keeps its own."""
    return PROBES.get(name, name)
