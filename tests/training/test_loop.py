import math
import shutil
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from lowparam.data import Images
from lowparam.errors import LowparamError
from lowparam.models.skeletons.controlled import build
from lowparam.params import Augment, Recipe
from lowparam.training import loop
from lowparam.training.loop import COMPILE_FROM, Training, pick_device, should_compile, uses_bfloat16
from quick import AUGMENT, RECIPE


def training(dataset, architecture="mobilenetv2", seed=0, **recipe):
    torch.manual_seed(seed)
    net = build(architecture, 6.0, classes=10, in_channels=1, size=8)
    recipe = Recipe.model_validate({**RECIPE, "augment": AUGMENT, **recipe})
    return Training(net, dataset, recipe, seed=seed, device=torch.device("cpu"))


def weights(run):
    return torch.cat([tensor.flatten().double() for tensor in run.evaluated.state_dict().values()])


def test_a_network_learns_real_digits(dataset):
    run = training(dataset, epochs=15, augment={}, ema=None)
    while not run.finished:
        run.run_epoch()
    assert run.history[-1]["validation_accuracy"] > 0.8
    assert run.evaluate("train")["accuracy"] > 0.95
    assert [row["epoch"] for row in run.history] == list(range(1, 16))


def test_the_same_run_has_the_same_bits(dataset):
    first, second, other = training(dataset), training(dataset), training(dataset, seed=1)
    for run in (first, second, other):
        run.run_epoch()
    assert torch.equal(weights(first), weights(second)) and first.history == second.history
    assert not torch.equal(weights(first), weights(other))


@pytest.mark.parametrize("architecture", ["mobilenetv1", "convnext"])
def test_images_do_not_depend_on_the_architecture_nor_on_what_was_drawn_before(dataset, architecture):
    def seen(run):
        torch.rand(7)
        generator = torch.Generator().manual_seed(5)
        return torch.cat([images.flatten() for images, _, _ in run.training_batches(generator)])

    assert torch.equal(seen(training(dataset)), seen(training(dataset, architecture)))


def test_one_step_is_that_of_a_loop_written_out(dataset):
    """One batch with all images, so that nothing but the step itself is compared."""
    run = training(dataset, augment={}, ema=None, batch_size=200, warmup_epochs=0, label_smoothing=0.1, clip_norm=0.5)
    torch.manual_seed(0)
    net = build("mobilenetv2", 6.0, classes=10, in_channels=1, size=8)
    decaying = [m.weight for m in net.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    rest = [p for p in net.parameters() if all(p is not q for q in decaying)]
    optimizer = torch.optim.AdamW(
        [{"params": decaying, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0}], 0.01
    )
    net.train()
    logits = net((dataset.train.pixels - dataset.mean) / dataset.std)
    loss = F.cross_entropy(logits, dataset.train.labels, label_smoothing=0.1)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 0.5)
    optimizer.step()
    row = run.run_epoch()
    assert row["train_loss"] == pytest.approx(loss.item(), rel=1e-5)
    assert row["train_accuracy"] == pytest.approx(
        (logits.argmax(1) == dataset.train.labels).double().mean().item(), abs=0.006
    )
    for ours, theirs in zip(run.net.buffers(), net.buffers(), strict=True):
        assert torch.allclose(ours.float(), theirs.float(), atol=1e-5)


def test_the_average_is_exponential(dataset):
    run = training(dataset, ema=0.5, batch_size=100, epochs=1, warmup_epochs=0)
    states = []
    run.optimizer.register_step_post_hook(lambda *_: states.append(run.net.classifier.weight.detach().clone()))
    run.run_epoch()
    assert len(states) == 2  # torch starts the average from the weights after the first step
    assert torch.allclose(run.evaluated.classifier.weight, 0.5 * states[0] + 0.5 * states[1], atol=1e-7)


def test_layers_that_change_while_training_know_its_steps_and_count_them(dataset):
    run = training(dataset, architecture="mobilenetv2+prepbn", batch_size=100, epochs=3, warmup_epochs=0)
    norm = run.net.stages[0][0].expand.norm
    assert norm.until == pytest.approx(0.16 * 3 * run.steps_per_epoch)
    run.run_epoch()
    assert norm.passes == run.steps_per_epoch  # evaluation counts none


def test_a_loss_that_is_not_finite_ends_the_run_and_names_the_step(dataset):
    run = training(dataset, optimizer="sgd", lr=1e12, warmup_epochs=0, ema=None)
    while not run.finished:
        run.run_epoch()
    assert run.diverged_at_step is not None and run.epoch == run.diverged_at_step // run.steps_per_epoch + 1

    run = training(dataset, batch_size=50)
    step = 0

    def poison(*_):
        nonlocal step
        step += 1
        if step == 6:  # after the sixth update, so the seventh loss, step 6, is the first bad one
            run.net.classifier.bias.data[0] = math.nan

    run.optimizer.register_step_post_hook(poison)
    while not run.finished:
        run.run_epoch()
    assert (run.diverged_at_step, run.epoch) == (6, 2)


def test_evaluation_counts_every_image_once(dataset):
    run = training(dataset)
    run.net.eval()
    with torch.no_grad():
        logits = run.net(dataset.normalise(dataset.test.pixels))
    result = run.evaluate("test")
    run.average = None
    assert run.evaluate("test")["accuracy"] == (logits.argmax(1) == dataset.test.labels).double().mean()
    assert run.evaluate("test")["loss"] == pytest.approx(F.cross_entropy(logits, dataset.test.labels).item(), rel=1e-5)
    assert 0 <= result["accuracy"] <= 1


@pytest.mark.parametrize(("most", "rows"), [(300, range(200)), (50, range(0, 200, 4)), (3, [0, 66, 133])])
def test_of_a_large_training_split_evenly_spaced_images_are_evaluated(dataset, monkeypatch, most, rows):
    run = training(dataset)
    monkeypatch.setattr(loop, "MOST_TRAINING_IMAGES", most)
    assert torch.equal(run.evaluated_images("train").labels, dataset.train.labels[list(rows)])
    assert run.evaluated_images("validation") is run.data.validation
    run.net.eval()
    with torch.no_grad():
        right = run.net(dataset.normalise(dataset.train.pixels)).argmax(1) == dataset.train.labels
    run.average = None
    assert run.evaluate("train")["accuracy"] == right[list(rows)].double().mean()


def test_a_single_image_over_makes_no_batch_of_one(dataset):
    """33 images in batches of 32: a batch of one would leave batch norm without a variance at the last maps."""
    few = replace(dataset, train=Images(dataset.train.pixels[:33], dataset.train.labels[:33]))
    run = training(few, augment={})
    sizes = [len(labels) for _, labels, _ in run.training_batches(torch.Generator().manual_seed(0))]
    assert sizes == [17, 16]


def test_bfloat16_reaches_about_the_same_loss(dataset):
    exact, half = training(dataset, precision="float32"), training(dataset, precision="bfloat16")
    assert half.autocast.fast_dtype is torch.bfloat16 and half.net.classifier.weight.dtype is torch.float32
    assert half.run_epoch()["train_loss"] == pytest.approx(exact.run_epoch()["train_loss"], rel=0.05)


def test_a_gpu_halves_and_compiles_what_is_long_and_a_cpu_does_neither():
    gpu, cpu = torch.device("cuda"), torch.device("cpu")
    assert [uses_bfloat16(gpu, p) for p in ("auto", "bfloat16", "float32")] == [True, True, False]
    assert [uses_bfloat16(cpu, p) for p in ("auto", "bfloat16", "float32")] == [False, True, False]
    assert (
        should_compile(gpu, COMPILE_FROM)
        and not should_compile(gpu, COMPILE_FROM - 1)
        and not should_compile(cpu, 10**9)
    )


@pytest.mark.parametrize("present", [True, False])
def test_a_gpu_is_picked_where_there_is_one(monkeypatch, present):
    asked = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: present)
    monkeypatch.setattr(loop.torch, "empty", lambda *_, device: asked.append(device) or torch.zeros(0))
    pick_device()
    assert asked == ["cuda" if present else "cpu"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile on a CPU needs a C++ compiler")
def test_a_compiled_training_is_that_of_the_network(dataset, monkeypatch):
    plain = training(dataset, "mobilenetv1", epochs=2)
    monkeypatch.setattr(loop, "should_compile", lambda device, steps: True)
    compiled = training(dataset, "mobilenetv1", epochs=2)
    assert compiled.forward is not compiled.net
    for run in (plain, compiled):
        run.run_epoch()
    assert compiled.history[0]["train_loss"] == pytest.approx(plain.history[0]["train_loss"], rel=1e-3)
    assert [*compiled.net.state_dict()] == [*plain.net.state_dict()]  # a checkpoint has the names of the plain network


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(LowparamError, match="device 'abacus' cannot be used here"):
        pick_device("abacus")


def test_augment_of_nothing_leaves_images_alone(dataset):
    run = training(dataset, augment=Augment().model_dump())
    images = torch.cat([images for images, _, _ in run.training_batches(torch.Generator().manual_seed(0))])
    plain = dataset.normalise(dataset.train.pixels)
    assert torch.allclose(images.flatten(1).sum(1).sort().values, plain.flatten(1).sum(1).sort().values, atol=1e-3)


def test_dropout_and_drop_path_act_in_training_alone_and_rise_with_depth(dataset):
    plain, dropped = training(dataset), training(dataset, dropout=0.5, drop_path=0.4)
    assert [*dropped.net.state_dict()] == [*plain.net.state_dict()]
    images = dataset.normalise(dataset.test.pixels)
    assert torch.equal(dropped.net.eval()(images), plain.net.eval()(images))
    net = dropped.net.train()
    assert not torch.equal(net(images), net(images))
    odds = [m.p for m in net.modules() if type(m).__name__ == "StochasticDepth"]
    assert odds == pytest.approx([0.4 * block / 5 for block in (1, 3, 5)])  # the blocks between them stride


def test_dropped_values_keep_their_mean(dataset):
    net = training(dataset, dropout=0.5).net
    images = dataset.normalise(dataset.test.pixels[:1])
    logits = net.eval()(images)
    net.classifier.train()
    drawn = torch.cat([net(images) for _ in range(2000)])
    assert torch.allclose(drawn.mean(0), logits[0], atol=4 * (drawn.std(0) / 2000**0.5).max().item())


def test_a_skipped_branch_leaves_the_shortcut(dataset):
    block = training(dataset, drop_path=0.999999).net.stages[-1][-1].train()
    x = torch.randn(4, block.in_channels, 2, 2)
    assert torch.equal(block(x), x)


def test_an_architecture_without_shortcuts_has_no_paths_to_drop(dataset):
    with pytest.raises(LowparamError, match="drop_path: this architecture has no residual blocks"):
        training(dataset, "mobilenetv1", drop_path=0.1)
