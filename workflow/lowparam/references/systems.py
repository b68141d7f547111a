"""Networks, blocks, elements and methods of the field, to tell which of them the package has.

Where a system is in the package is not written here: `lowparam.systems_page` finds every file that names its paper.
"""

from dataclasses import dataclass, field

__all__ = ["ANALYSES", "BACKBONES", "SMALL", "System"]


@dataclass(frozen=True)
class System:
    """What one paper proposes.

    Parameters
    ----------
    name : str
        What the field calls it.
    kind : str
        Such as ``network``, ``gate`` or ``training``.
    arxiv : str
        The paper's number; empty if none is known.
    left_out : str
        What the package leaves out of what it has of it, with the reason.
    out : str
        Why the package has nothing of it and will not have it.
    timm : str
        Its smallest network in timm, with pretrained weights or not.
    published : dict
        Parameters as the paper reports them, by the name of our network.
    classes : int
        Classes that these networks tell apart.
    checked : str
        The library or code that outputs or counts are compared with by tests, apart from the special cases of parts.
    """

    name: str
    kind: str
    arxiv: str = ""
    left_out: str = ""
    out: str = ""
    timm: str = ""
    published: dict[str, str] = field(default_factory=dict)
    classes: int = 1000
    checked: str = ""


SMALL = (
    System("LSNet", "network", "2503.23135"),
    System(
        "MobileNet (V1)",
        "network",
        "1704.04861",
        timm="mobilenetv1_100",
        published={"mobilenetv1_x1.0": "4.2 M", "mobilenetv1_x0.75": "2.6 M", "mobilenetv1_x0.5": "1.3 M"},
        checked="timm",
    ),
    System(
        "MobileNetV2",
        "network",
        "1801.04381",
        timm="mobilenetv2_035",
        published={"mobilenetv2_x1.0": "3.4 M"},
        checked="timm, torchvision",
    ),
    System(
        "SpaRTAN",
        "network",
        "2507.10999",
        "the dense convolutions of its first two stages, and so its network: one block has most of 25,000 parameters",
    ),
    System(
        "dual-input CNN, unfrozen step by step",
        "training",
        "2501.15547",
        out="layers, the way of joining the two networks, and the schedule of unfreezing are not public; a training, "
        "with its checkpoint, holds one network here",
    ),
    System("SwiftFormer", "network", "2303.15446", timm="swiftformer_xs"),
    System("SpiralMLP", "network", "2404.00648", checked="torchvision's deform_conv2d"),
    System(
        "EfficientNet",
        "network",
        "1905.11946",
        timm="efficientnet_b0",
        published={"efficientnet_b0": "5.3 M"},
        checked="timm, torchvision",
    ),
    System(
        "Bias Loss and SkipblockNet",
        "loss and network",
        "2107.11170",
        "the normalisation of the loss by the least variance since training began, which a checkpoint does not hold; "
        "SkipblockNet, MobileNetV3-Large with two inverted residuals from the pooled output of its first block to "
        "those of later groups, 5.5 M parameters without a published count",
    ),
    System(
        "MobileViT",
        "network",
        "2110.02178",
        "two layers and more in a block: the smallest form has one",
        timm="mobilevit_xxs",
        checked="timm",
    ),
    System(
        "ELA, efficient local attention",
        "gate",
        "2403.01123",
        "the place in a network, which is not public: here it is where MobileNetV3 has its gate",
    ),
    System("random convolutions, learned combinations", "kernel", "2301.11360"),
    System(
        "rank-adaptive Tucker training",
        "kernel",
        "2305.19059",
        "ranks that adapt: the integrator of the paper is not public, and what a budget counts would change",
    ),
    System("PReLU and its initialisation", "activation", "1502.01852"),
    System("squeeze-and-excitation", "gate", "1709.01507", timm="seresnext26ts", checked="timm"),
    System(
        "tensor regression and tensor dropout",
        "head",
        "1902.10758",
        "the Tucker form, which is larger than the CP form",
    ),
    System("MONet, Mu-Layer", "network", "2401.17992", "networks: the smallest has 10 million parameters"),
    System(
        "stable CP decomposition",
        "kernel",
        "2008.05441",
        "the correction of a network that is compressed after training: here kernels are trained in this form",
    ),
    System(
        "SPD-Conv",
        "down",
        "2208.03641",
        "a 3x3 convolution after it, which costs nine times as much as the 1x1 that bottlenecks have",
    ),
    System(
        "single intra-channel convolution",
        "kernel",
        "1608.04337",
        "topological subdivisioning and the spatial bottleneck: grids, windows and activations are not public",
    ),
    System(
        "SMPConv",
        "kernel",
        "2304.02330",
        "the parallel 5x5 convolution, which would do the work of the kernel that is tested",
    ),
    System("SLAB: PRepBN and simplified linear attention", "norm, block", "2405.11582"),
    System(
        "Terminator, HyperZ.Z.W",
        "network",
        "2401.17948",
        out="a constant is not public, and its predictions depend on which images are in a batch",
    ),
    System("FlexConv, FlexNet", "kernel", "2110.08059", "the anti-aliasing penalty, which the paper has as an option"),
    System(
        "binary weights and XNOR-Net",
        "kernel",
        "1603.05279",
        "XNOR-Net: binary inputs need another order of norm, sign and convolution, so a block",
    ),
    System(
        "DCLS, learned spacings",
        "kernel",
        "2112.03740",
        "positions shared in a stage, and the loss that pushes them apart",
        checked="the authors' package",
    ),
    System(
        "PCN, point cloud network",
        "kernel",
        "2309.12996",
        "learning rates of positions, which belong to plain SGD on raw pixels",
    ),
    System(
        "Kolmogorov-Arnold convolutions", "spatial", "2407.01092", "its splines and RBFs: the Gram form is its best"
    ),
    System("ConvFirst", "network", "2404.03617", "the network, whose stages are not public"),
    System("hypernetworks, static", "kernel", "1609.09106"),
    System(
        "SENetV2",
        "gate",
        "2311.10807",
        "a part of its own, as it equals squeeze-and-excitation of ratio r / 4",
    ),
    System(
        "orthonormal filters and modulation of errors",
        "training",
        "1703.01827",
        "the modulation of errors, which no public text defines",
    ),
    System(
        "PRANC",
        "kernel",
        "2206.08464",
        "the sum of k random networks, k N numbers for N weights; the authors' cheap form is here",
    ),
    System(
        "Gramian attention heads",
        "head",
        "2310.16483",
        "class attention and the loss between heads: they alone have more parameters than the networks here",
    ),
    System(
        "LAuReL",
        "shortcut",
        "2411.07501",
        "previous activations (PA): with two blocks a stage, no earlier stream has the shape of a shortcut",
    ),
    System(
        "IBN-Net",
        "norm",
        "1807.09441",
        "IBN-b, which puts a norm after the sum, where the stream of most blocks has none",
    ),
    System("SESR, collapsible linear blocks", "kernel", "2103.09404", "the network, which enlarges images"),
    System("Paon, Padé neuron", "spatial, activation", "2403.11791", "the shifter: its output depends on the batch"),
    System(
        "one-way filters",
        "kernel",
        "2304.04964",
        "the decomposition, which no public text gives in full; two readings of it are here",
    ),
    System("alias-free ConvNets", "activation, down", "2303.08085", "the stem and the norm of its ConvNeXt"),
    System("SCNet, shift-conv", "spatial", "2307.16140", "the network, which enlarges images"),
    System(
        "EdgeFace",
        "network",
        "2307.01838",
        "linear layers of low rank, which make square layers larger at the rank of 0.6 of the width",
        checked="timm",
    ),
    System("Lite-HRNet", "network", "2104.06403"),
    System("Lite-Mono", "network", "2211.13202"),
    System("CARN, cascading residual network", "shortcut", "1803.08664", "the network, which enlarges images"),
    System(
        "DLSIA: MSDNet, SMSNet",
        "network",
        "2308.02559",
        "SMSNet: its wiring is random, and in evaluation its norms depend on the batch",
    ),
)
"""Small networks, and elements and methods that are shown on image classification or fit it."""

BACKBONES = (
    System(
        "NASNet",
        "network",
        "1707.07012",
        "the network for 224 pixels, and the cell as a block: it reads two outputs, and blocks have one input",
        timm="nasnetalarge",
        published={"nasnet_f32_n6": "3.3 M"},
        classes=10,
        checked="counts, and cells of zero filters",
    ),
    System("HaloNet", "network", "2103.12731", timm="halonet_h1"),
    System("MLP-Mixer", "network", "2105.01601", timm="mixer_s16_224"),
    System("LambdaNetworks", "network", "2102.08602", timm="lambda_resnet26t"),
    System("DenseNet", "network", "1608.06993", timm="densenet121"),
    System("Inception v3", "network", "1512.00567", timm="inception_v3"),
    System("LeViT", "network", "2104.01136", timm="levit_128s"),
    System("CrossViT", "network", "2103.14899", timm="crossvit_tiny_240"),
    System("VGG", "network", "1409.1556", timm="vgg11"),
    System("ResNeXt", "network", "1611.05431", timm="resnext26ts"),
    System(
        "Wide ResNet",
        "network",
        "1605.07146",
        timm="wide_resnet50_2",
        published={"wideresnet_40_1": "0.6 M"},
        classes=10,
        checked="pytorchcv",
    ),
    System("ConvMixer", "network", "2201.09792", timm="convmixer_768_32"),
    System("PVT v2", "network", "2106.13797", timm="pvt_v2_b0"),
    System("ResNeSt", "network", "2004.08955", timm="resnest14d"),
    System("UniRepLKNet", "network", "2311.15599"),
    System(
        "FLatten, focused linear attention",
        "network",
        "2308.00442",
        left_out="networks: they have tables of positions, which fix the size of the image",
    ),
    System("All-CNN", "network", "1412.6806"),
    System("Network in Network", "network", "1312.4400"),
    System(
        "InLine, injective linear attention",
        "network",
        "2412.06590",
        left_out="networks: they have tables of positions, which fix the size of the image",
    ),
    System(
        "CCNN",
        "network",
        "2301.10540",
        "the frequencies of its kernels at the start, which the authors tune for every data set",
        published={"ccnn_4_140": "200 k"},
        classes=10,
    ),
    System(
        "RALA, RAVLT",
        "network",
        "2411.07635",
        left_out="networks, rotation by position, two depthwise 3x3: the smallest form that has the paper's two ideas",
    ),
    System(
        "LR-Net, local relation layer",
        "network",
        "1904.11491",
        "networks, which are not public: the layer is in ResNet's bottleneck",
    ),
    System("VAN, large kernel attention", "network", "2202.09741", published={"van_b0": "4.1 M", "van_b1": "13.9 M"}),
    System("RepLKNet", "network", "2203.06717"),
    System(
        "ViG, gated linear attention",
        "network",
        "2405.18425",
        "networks: they have tables of positions, which fix the size of the image",
    ),
    System(
        "RepMLP, RepMLPNet",
        "network",
        "2105.01883",
        "networks, whose matrices are those of maps of one size, and the first form, which is a part of a ResNet",
    ),
    System(
        "SOFT, softmax-free attention",
        "network",
        "2110.11945",
        left_out="networks: they have tables of positions, which fix the size of the image",
    ),
    System(
        "SparseFormer",
        "network",
        "2304.03768",
        out="has no map after its stem, so no block and no sites; at 32 pixels its smallest form would read 256 "
        "positions by 16 tokens with 9 points each, which tests nothing of its sparsity",
    ),
    System(
        "PyramidNet",
        "network",
        "1610.02915",
        published={"pyramidnet_110_a48": "1.7 M"},
        classes=10,
        checked="pytorchcv",
    ),
    System(
        "Visual Transformer, semantic tokens",
        "network",
        "2006.03677",
        "tokens made from those of the module before, since blocks pass maps on",
    ),
)
"""Networks that small ones are compared with."""

ANALYSES = (
    System("energy of the first layer", "measure", "2206.02454"),
    System("linear interpreter", "measure", "1908.05168", "pictures of the classes' linear maps"),
    System(
        "partial linearisation, path length",
        "measure",
        "2211.17180",
        "the slopes that are trained on: the weight and the threshold of their penalty are not public",
    ),
    System("weights of bilinear layers", "measure", "2410.08417"),
    System(
        "B-cos networks",
        "block",
        "2205.10268",
        "images with their negatives as input, units in stem and classifier, and pictures of what an output depends on",
    ),
    System("CNN Filter DB", "measure", "2203.15331", "shifts between sets of filters"),
    System("clusters of depthwise kernels", "measure", "2401.14469", "the autoencoder: its layers are not public"),
    System("comparison of layers (CKA)", "measure", "2108.08810"),
    System("ICE, concepts by matrix factorisation", "measure", "2006.15417", "weights and pictures of concepts"),
    System("neural collapse", "measure", "2301.00437"),
    System("CRATE, coding rate", "block", "2306.01129"),
    System(
        "guidance by another network",
        "training",
        "2410.20035",
        "trained guides, which a penalty has no place for, and guides that see noise; the guide here is an untrained "
        "MobileNetV1, a reading",
    ),
    System("linearity of layers", "measure", "2405.12250"),
    System("FeatureVis", "pictures", "1606.07757", "its toolbox, which is for MatConvNet"),
    System("rank of the Hessian", "measure", "2305.09088", "the bound for convolutional networks, which is not public"),
    System(
        "explainability of robust networks", "protocol", "2205.13042", out="needs ImageNet and labels of what is seen"
    ),
    System("integrated gradients", "pictures", "1703.01365", checked="captum, which computes it"),
    System("sanity checks of attributions", "measure", "1810.03292", "weights drawn anew, and shuffled labels"),
    System("Network Dissection", "measure", "1704.05796", "its data of concepts: masks are those of the images"),
    System(
        "PatternNet", "measure", "1705.05598", "PatternNet's pictures of signals, and the estimator for rectified units"
    ),
    System("survey of visualisation", "survey", "1804.11191", "deconvolution"),
    System("i-RevNet", "network", "1802.07088"),
    System("inverting representations", "pictures", "1412.0035", "jitter, and a size of pixels that is bounded"),
    System("DeconvNet, ablation of layers", "measure", "1311.2901", "pictures, and training again after an ablation"),
    System(
        "coding-rate reduction (MCR2)",
        "measure",
        "2301.01805",
        "clustering, as classes are given here; training on the reduction alone",
    ),
    System("Grad-CAM++", "pictures", "1710.11063", checked="torchcam, which computes it"),
    System(
        "object detectors in scene networks",
        "measure",
        "1412.6856",
        "labels that people give: features are those of masks, or classes",
    ),
    System(
        "predictivity and availability of features",
        "measure",
        "2310.16228",
        left_out="nesting of a feature in layers of the mapping to pixels: availability is amplitude alone",
        checked="closed forms of linear networks, and of LDA on pairs",
    ),
    System(
        "shape against texture",
        "data",
        "1811.12231",
        out="shape bias is defined by 16 groups of ImageNet's classes and photographs in conflict, which may not be "
        "passed on; shapes and textures of our own at 32 pixels would be another quantity",
    ),
    System(
        "batch norm without exploding gradients",
        "measure, activation",
        "2310.02012",
        "orthogonal weights at the start, and networks of linear layers alone, for which the paper proves it",
    ),
    System("ReLU and layer norm in place of softmax", "probe", "2309.10713"),
)
"""Methods that analyse a network, or blocks that are made to be analysed."""
