"""Any network of timm joins an experiment, or says in one line why it cannot."""

import copy
import re
from types import SimpleNamespace

import pytest
import timm
import torch
from safetensors.torch import save_file

from lowparam.errors import LowparamError
from lowparam.interference.pointwise import activity_weighted
from lowparam.models import timm_adapter
from lowparam.models.cost import cost

NONE = SimpleNamespace(hf_hub_id=None)

FIELD = (  # name, image size, whether it belongs to the quick tests
    ("efficientnet_b0", 32, False),
    ("mobilevit_xxs", 64, True),
    ("swiftformer_xs", 64, False),
    ("levit_128s", 64, False),
    ("edgenext_xx_small", 64, False),
    ("fasternet_t0", 32, False),
    ("convmixer_768_32", 32, False),
    ("mixer_s32_224", 64, True),
    ("densenet121", 32, False),
    ("resnext26ts", 32, False),
    ("resnet18", 8, True),
    ("convnext_zepto_rms", 32, True),
    ("vit_tiny_patch16_224", 32, False),
    ("mobilenetv4_conv_small_035", 28, True),
)


@pytest.mark.parametrize(
    ("name", "size"),
    [pytest.param(name, size, marks=() if quick else pytest.mark.slow) for name, size, quick in FIELD],
)
def test_the_reference_networks_of_the_field_adapt(name, size):
    torch.manual_seed(0)
    net = timm_adapter.build(f"timm:{name}", classes=7, in_channels=1, size=size)
    assert net.training
    images = torch.rand(2, 1, size, size)
    assert net(images).shape == (2, 7)
    sites, seen = net.eval().sites(), {}
    for key, site in sites.items():
        site.output.register_forward_hook(lambda module, args, output, key=key: seen.update({key: output}))
    net(images)
    kinds = {site.kind for site in sites.values()}
    assert {"spatial", "expansion", "stream"} <= kinds | ({"expansion"} if name.startswith("convmixer") else set())
    for key, site in sites.items():
        assert seen[key].ndim == 4, key
        assert seen[key].shape[0] % 2 == 0, key  # MobileViT puts the patches of an image into the batch
        if site.pointwise is not None:
            assert site.pointwise.weight.shape[0] == seen[key].shape[1], key


def test_the_adapter_computes_what_timm_computes():
    torch.manual_seed(0)
    net = timm_adapter.build("timm:mobilevit_xxs", classes=10, in_channels=3, size=64).eval()
    theirs = timm.create_model("mobilevit_xxs", num_classes=10).eval()
    theirs.load_state_dict(net.net.state_dict())
    images = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(net(images), theirs(images))


def test_a_copy_shows_its_own_feature_maps():
    net = timm_adapter.build("timm:resnet18", classes=10, in_channels=3, size=32).eval()
    other = copy.deepcopy(net)
    key = next(iter(other.sites()))
    seen = []
    other.sites()[key].output.register_forward_hook(lambda module, args, output: seen.append(output))
    net(torch.rand(1, 3, 32, 32))
    assert not seen
    other(torch.rand(1, 3, 32, 32))
    assert len(seen) == 1


def test_costs_are_those_of_the_network():
    net = timm_adapter.build("timm:mobilevit_xxs", classes=1000, in_channels=3, size=256)
    given = cost(net, 3, 256)
    assert given.parameters.total == 1_272_024
    assert given.parameters.head == 320 * 1000 + 1000
    # Two products of (tokens x tokens x width) in each of 4 patch positions: tokens, width and layers of the stages.
    attention = sum(
        2 * 4 * tokens**2 * width * layers for tokens, width, layers in ((256, 64, 2), (64, 80, 4), (16, 96, 3))
    )
    assert (given.macs - attention) / 1e6 == pytest.approx(329.18, abs=0.005)  # convolutions and linear layers


def test_gates_are_no_feature_maps():
    net = timm_adapter.build("timm:mobilenetv3_small_050", classes=10, in_channels=3, size=32)
    assert not [name for name in net.sites() if ".se." in name]


def test_tokens_and_maps_with_channels_last_are_turned():
    assert timm_adapter.Tap(True).turned(torch.zeros(2, 49, 5)).shape == (2, 5, 49, 1)
    assert timm_adapter.Tap(True).turned(torch.zeros(2, 7, 6, 5)).shape == (2, 5, 7, 6)
    assert timm_adapter.Tap(False).turned(torch.zeros(2, 5, 7, 6)).shape == (2, 5, 7, 6)


@pytest.mark.parametrize(
    ("name", "size", "layer", "scale"),
    [  # a parameter of the block, once after a view and once on tokens; a module, on a map and on tokens
        ("convnext_zepto_rms", 32, "stages.1.blocks.0.mlp.fc2", "stages.1.blocks.0.gamma"),
        ("edgenext_xx_small", 64, "stages.0.blocks.1.mlp.fc2", "stages.0.blocks.1.gamma"),
        ("swiftformer_xs", 64, "stages.0.blocks.0.pwconv2", "stages.0.blocks.0.layer_scale.gamma"),
        ("cait_xxs24_224", 32, "blocks.2.mlp.fc2", "blocks.2.gamma_2"),
        ("deit3_small_patch16_224", 32, "blocks.3.attn.proj", "blocks.3.ls1.gamma"),
    ],
)
def test_layer_scale_is_found(name, size, layer, scale):
    net = timm_adapter.build(f"timm:{name}", classes=7, in_channels=1, size=size)
    assert net.sites()[f"{layer}.projection"].scale is net.net.get_parameter(scale)


def test_there_is_no_layer_scale_where_there_is_none():
    net = timm_adapter.build("timm:mobilenetv3_small_050", classes=7, in_channels=1, size=32)
    assert all(site.scale is None for site in net.sites().values())


def test_norm_and_layer_scale_are_folded_into_the_weights_that_they_follow():
    # What is folded by hand computes what the network's own layers compute.
    torch.manual_seed(0)
    net = timm_adapter.build("timm:convnext_zepto_rms", classes=7, in_channels=1, size=32).eval()
    block = net.net.stages[1].blocks[1]
    torch.nn.init.uniform_(block.gamma, 0.2, 2)
    site = net.sites()["stages.1.blocks.1.mlp.fc2.projection"]
    deviations = torch.rand(block.mlp.fc2.weight.shape[1]).double()
    by_hand = block.gamma.detach().double()[:, None] * block.mlp.fc2.weight.detach().double().flatten(1) * deviations
    torch.testing.assert_close(activity_weighted(site, deviations), by_hand)
    hidden, seen = torch.rand(1, block.mlp.fc2.weight.shape[1], 1, 1), {}
    block.mlp.act.register_forward_hook(lambda module, args, output: hidden.expand_as(output))
    block.drop_path.register_forward_pre_hook(lambda module, args: seen.update(branch=args[0]))
    net(torch.rand(1, 1, 32, 32))
    folded = activity_weighted(site, torch.ones_like(deviations)).float() @ hidden.flatten()
    torch.testing.assert_close(seen["branch"][0, :, 0, 0], folded + (block.gamma * block.mlp.fc2.bias).detach())


@pytest.mark.parametrize(
    ("name", "size", "strides"),
    [
        ("mobilenetv2_050", 32, [1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1]),
        ("resnet18", 32, [1, 1, 2, 1, 2, 1, 2, 1]),
    ],
)
def test_strides_of_blocks_are_seen(name, size, strides):
    net = timm_adapter.build(f"timm:{name}", classes=7, in_channels=1, size=size).eval()
    seen = {}
    for key, site in net.sites().items():
        if site.kind == "stream":
            site.output.register_forward_hook(
                lambda module, args, output, key=key: seen.update({key: args[0].shape[2] / output.shape[2]})
            )
    net(torch.rand(2, 1, size, size))
    blocks = [key for key in seen if re.fullmatch(r"(blocks|layer\d)\.(\d+\.)*\d+\.stream|layer\d\.\d\.stream", key)]
    assert [seen[key] for key in blocks] == strides


@pytest.mark.parametrize(
    ("name", "size", "probe", "message"),
    [
        ("timm:resnet1", 32, "none", r"timm [\d.]+ has no network 'resnet1': did you mean timm:resnet\w+\?"),
        (
            "timm:vit_tiny_patch16_224",
            8,
            "none",
            "timm:vit_tiny_patch16_224 cannot take 3 x 8 x 8 images of 10 classes: ",
        ),
        ("timm:resnet18", 32, "solu_s1", "timm:resnet18 takes no probe, not 'solu_s1'"),
    ],
)
def test_what_cannot_be_adapted_says_so_in_one_line(name, size, probe, message):
    with pytest.raises(LowparamError, match=message) as caught:
        timm_adapter.build(name, classes=10, in_channels=3, size=size, probe=probe)
    assert "\n" not in str(caught.value)


def test_a_hub_that_does_not_answer_is_named_in_one_line(monkeypatch):
    # An address that nothing listens on; the client's own retries would take half a minute.
    monkeypatch.setattr(timm_adapter.constants, "ENDPOINT", "http://127.0.0.1:9")
    asked, download = [], timm_adapter.hf_hub_download

    def asking(**wanted):
        asked.append(wanted)
        return download(**wanted)

    monkeypatch.setattr(timm_adapter, "hf_hub_download", asking)
    with pytest.raises(
        LowparamError, match=r"cannot get timm/mobilenetv2_050\.\S+ from the Hugging Face hub: "
    ) as caught:
        timm_adapter.build("timm:mobilenetv2_050", classes=10, in_channels=1, size=32, pretrained=True)
    assert [wanted.get("local_files_only") for wanted in asked] == [True], "only this machine was searched"
    assert str(caught.value).endswith("give a file with --weights")
    assert "\n" not in str(caught.value)


def test_pretrained_weights_are_read_from_the_copy_of_the_hub(monkeypatch, tmp_path):
    theirs = timm.create_model("mobilenetv3_small_050", num_classes=1000)
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    monkeypatch.setattr(timm_adapter, "hf_hub_download", lambda **file: str(tmp_path / file["filename"]))
    net = timm_adapter.build("timm:mobilenetv3_small_050", classes=7, in_channels=3, size=32, pretrained=True)
    torch.testing.assert_close(net.net.blocks[1][0].conv_pw.weight, theirs.blocks[1][0].conv_pw.weight)
    assert net.net.pretrained_cfg["num_classes"] == 1000
    assert net.net.classifier.out_features == 7


def test_a_network_without_weights_at_the_hub_says_so():
    name = next(n for n in timm.list_models() if not (timm.get_pretrained_cfg(n) or NONE).hf_hub_id)
    with pytest.raises(LowparamError, match=f"timm names no weights of {name} at the Hugging Face hub"):
        timm_adapter.build(f"timm:{name}", classes=7, in_channels=3, size=32, pretrained=True)
