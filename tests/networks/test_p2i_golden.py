"""P2I and VGG: golden numbers of the published system (docs/published_system.md), and weights of VGG-19."""
import logging

import golden
import pytest
import torch
from conftest import ROOT

import vgg
from model_variants import PoseAttentionGenerator
from network_actvae_p2inetwork import PoseDiscriminator
from trainer_actvae_p2inetwork import Trainer
from utils.config import load_config
from utils.errors import UserError
from utils.heatmap import gaussian_maps

CONFIG = ROOT / "config" / "Penn_actvae_p2inetwork.yaml"
LOSSES = ["d_real", "d_sampled", "reconstruction", "vgg", "g_adversarial", "features", "g_sampled"]
TOLERANCE = 1e-8


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.fixture(scope="module")
def published():
    """The golden numbers of the P2I module, and ours, computed once: two iterations at full width in float64."""
    data, seed = golden.load("p2i")
    with pytest.MonkeyPatch.context() as patch:             # every weight is overwritten: no need to draw it twice
        for name in ("normal_", "uniform_", "kaiming_uniform_", "kaiming_normal_"):
            patch.setattr(torch.nn.init, name, lambda tensor, *args, **kwargs: tensor)
        trainer = Trainer(load_config(CONFIG, ["imsize=32", "vgg_weights=random", "batch_size=2", "device=cpu"]))
    for module in (trainer.actvae, trainer.generator, trainer.discriminator, trainer.vgg_loss):
        module.double()
        for part in (trainer.actvae.encoder, trainer.actvae.decoder) if module is trainer.actvae else (module,):
            golden.fill_by_rule(part, seed, vgg=module is trainer.vgg_loss)
    images, maps, ours = data["image"], gaussian_maps(data["pose"], 32), {}
    with torch.no_grad():
        pair = torch.cat([maps[:, 0], maps[:, 3]], 1)
        ours["gen_train"] = trainer.generator(images[:, 0], pair, data["action"])
        ours["gen_eval"] = trainer.generator.eval()(images[:, 0], pair, data["action"])   # statistics of that pass
        ours["dis_out"], features = trainer.discriminator(images[:, 1], maps[:, 3])
        ours["dis_feat_absmean"] = torch.stack([feature.abs().mean() for feature in features])
        features = trainer.vgg_loss.features(images[:, 1])
        ours["vgg_feat_absmean"] = torch.stack([feature.abs().mean() for feature in features])
        ours["vgg_loss"] = trainer.vgg_loss(images[:, 0], images[:, 1])
        for module in trainer.generator.train().modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.reset_running_stats()
    batch = {"images": images, "masks": data["mask"], "poses": data["pose"], "action": data["action"]}
    losses = [trainer.update(batch, picks, golden.Noise(seed, 20 + number).rollouts(2, 2))
              for number, picks in enumerate(data["step_frames"].tolist())]
    assert all(list(values) == LOSSES for values in losses)
    ours["step_losses"] = torch.stack([torch.stack(list(values.values())) for values in losses])
    for part in ("generator", "classifier"):
        parameters = sorted(trainer.parts[part].named_parameters())
        ours[f"{part}_params_after_2"] = torch.stack([torch.stack([value.abs().sum(), value.sum()]).detach()
                                                      for _, value in parameters])
    statistics = sorted(trainer.generator.named_buffers())
    ours["generator_bn_after_2"] = torch.stack([value.sum() for name, value in statistics if "running" in name])
    return ours, data


@pytest.mark.parametrize("name", [
    "gen_train", "gen_eval", "dis_out", "dis_feat_absmean", "vgg_feat_absmean", "vgg_loss", "step_losses",
    "generator_params_after_2", "classifier_params_after_2", "generator_bn_after_2"])
def test_golden(published, name):
    ours, data = published
    error = golden.relative_error(ours[name], data[name])
    print(f"{name}: relative error {error:.1e}")
    assert error < TOLERANCE


def test_golden_sums_one_by_one(published):
    """Each parameter's own sum, not only the largest: |p| sums have no cancellation."""
    ours, data = published
    for name in ("step_losses", "generator_params_after_2", "classifier_params_after_2"):
        mine, theirs = (values[name] if name == "step_losses" else values[name][:, 0] for values in (ours, data))
        assert ((mine - theirs).abs() < TOLERANCE * theirs.abs()).all(), name


@pytest.mark.parametrize("part, network", [("generator", PoseAttentionGenerator), ("classifier", PoseDiscriminator)])
def test_names_shapes_and_order_are_the_published_ones(part, network):
    with torch.device("meta"):
        state = network().state_dict()
    assert [(name, list(value.shape)) for name, value in state.items()] == list(golden.KEYS[part].items())


# ---- VGG ----

def test_vgg_without_network_and_file(monkeypatch):
    def offline(*args, **kwargs):
        raise OSError("Name or service not known")

    monkeypatch.setattr(vgg.VGG19_Weights, "get_state_dict", offline)
    with pytest.raises(UserError, match="not known.*vgg_weights: PATH.*image_loss.vgg=0.*random"):
        vgg.VGGLoss()


def test_vgg_weights_in_every_layout(tmp_path, caplog, monkeypatch):
    with caplog.at_level(logging.WARNING, "actvae"):
        loss = vgg.VGGLoss("random")
    assert "RANDOM" in caplog.text
    assert list(loss.state_dict())[:2] == ["features.0.weight", "features.0.bias"]
    whole = {**loss.state_dict(), "features.34.weight": torch.zeros(1), "classifier.0.weight": torch.zeros(1)}
    bare = {name.removeprefix("features."): value for name, value in loss.state_dict().items()}
    for weights in (whole, bare, {"state_dict": whole}):
        torch.save(weights, tmp_path / "vgg19.pth")
        assert same(vgg.VGGLoss(str(tmp_path / "vgg19.pth")).state_dict(), loss.state_dict())
    monkeypatch.setattr(vgg.VGG19_Weights, "get_state_dict", lambda *args, **kwargs: whole)
    assert same(vgg.VGGLoss("imagenet").state_dict(), loss.state_dict())
    x, y = (torch.rand(1, 3, 16, 16, requires_grad=True) for _ in range(2))
    loss(x, y).backward()
    assert x.grad.any() and y.grad is None and all(value.grad is None for value in loss.parameters())
    assert loss(x, x) == 0 and len(loss.features(x)) == 5


@pytest.mark.parametrize("content, message", [
    (None, "no such file"), (b"not a checkpoint", "a text file"), ({"features.0.weight": 3}, "expected a state dict"),
    ({"features.0.weight": torch.zeros(64, 3, 3, 3)}, "not the weights of torchvision's vgg19"),
    ({"layer1.weight": torch.zeros(1)}, "not the weights of torchvision's vgg19")])
def test_vgg_file_errors(tmp_path, content, message):
    path = tmp_path / "weights.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(UserError, match=message):
        vgg.VGGLoss(str(path))
