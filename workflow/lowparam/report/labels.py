"""What things are called in print."""

__all__ = ["activation_label", "architecture_label"]

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
    "starnet": "StarNet",
    "starnet_sum": "StarNet, sum",
    "demonet_star": "DemoNet, star",
    "demonet_sum": "DemoNet, sum",
    "demonet_star_noact": "DemoNet, star, no activation",
    "demonet_sum_noact": "DemoNet, sum, no activation",
}

ACTIVATIONS = {
    "base": "own activation",
    "solu_s1": "SoLU (S1)",
    "solu_s2": "SoLU (S2)",
    "solu_s3": "SoLU (S3)",
}


def architecture_label(name: str) -> str:
    """Name of an architecture in print, with the variant of its recipe; one that is not listed keeps its own."""
    architecture, _, variant = name.partition("@")
    printed = ARCHITECTURES.get(architecture, architecture)
    return f"{printed}, {variant}" if variant else printed


def activation_label(name: str) -> str:
    """Name of an activation in print; one that is not listed keeps its own."""
    return ACTIVATIONS.get(name, name)
