"""P2I: golden numbers of the published system, and what the trainer promises (docs/published_system.md)."""
import logging

import golden
import pytest
import torch
from conftest import ROOT

import vgg
from model_variants import PoseAttentionGenerator
from network_actvae import ActVAE
from network_actvae_p2inetwork import PoseDiscriminator, arm_weights, silhouette_loss
from networks.layers import evaluating
from trainer_actvae_p2inetwork import Trainer, draw_frame_indices
from training.weights import find_pose_module
from utils.config import load_config
from utils.errors import UserError
from utils.heatmap import gaussian_maps
from utils.schema import Config

CONFIG = ROOT / "config" / "Penn_actvae_p2inetwork.yaml"
LOSSES = ["d_real", "d_sampled", "reconstruction", "vgg", "g_adversarial", "features", "g_sampled"]
TOLERANCE = 1e-8
STEPS = 4
SMALL = ("imsize=16", "generator.ngf=4", "generator.n_blocks=2", "discriminator.ndf=4", "discriminator.n_blocks=1",
         "actvae.z_dim=8", "image_loss.vgg=0", "batch_size=2", "device=cpu")


def small_trainer(*overrides, seed=7):
    return Trainer(load_config(CONFIG, [*SMALL, *overrides]), seed)


def small_batch(size=16, count=2, seed=0, dtype=torch.float32):
    random = torch.Generator().manual_seed(seed)
    return {"images": torch.rand(count, 6, 3, size, size, generator=random, dtype=dtype) * 2 - 1,
            "masks": (torch.rand(count, 5, 1, size, size, generator=random) > 0.5).to(dtype),
            "poses": torch.rand(count, 6, 13, 2, generator=random, dtype=dtype) * 2 - 1,
            "action": torch.arange(count) % 9}


def weights_of(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


# ---------------------------------------------------------------------------------------------------- golden numbers

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


def test_vgg_names_are_torchvisions():
    with torch.device("meta"):
        state = vgg.VGGFeatures().state_dict()
    names = golden.KEYS["vgg19_features"]
    assert len(state) == 26 and all(list(value.shape) == names[f"features.{name}"] for name, value in state.items())


# ---------------------------------------------------------------------------------------------------------- training

@pytest.mark.parametrize("overrides", [
    ("image_loss.vgg=5", "vgg_weights=random"),
    ("generator.n_downsampling=1", "generator.n_blocks=1", "discriminator.n_downsampling=2",
     "discriminator.n_blocks=0"),
    ("generator.n_downsampling=3", "generator.ngf=3", "actions=[walk, jump]")])
def test_small_networks_train(overrides):
    trainer = small_trainer(*overrides)
    before = {name: weights_of(module) for name, module in trainer.parts.items()}
    losses = trainer.update(small_batch())
    assert list(losses) == [name for name in LOSSES if name != "vgg" or trainer.vgg_loss] and trainer.iteration == 1
    assert all(value.ndim == 0 and value.isfinite() and not value.requires_grad for value in losses.values())
    assert ("vgg" in losses) == ("vgg_weights=random" in overrides) and losses.get("vgg", 1) > 0
    changed = {name: not same(before[name], weights_of(module)) for name, module in trainer.parts.items()}
    assert changed == {"im_encode_content": False, "im_encode_vae": False, "generator": True, "classifier": True}


def test_steps_leave_each_others_weights_alone(monkeypatch):
    """Defect D6: the discriminator's steps give the generator no gradient, and the other way round."""
    trainer = small_trainer("image_loss.vgg=5", "vgg_weights=random")
    networks, seen, step = {"generator": trainer.generator, "classifier": trainer.discriminator}, [], trainer.step

    def spy(loss, names):
        for network in networks.values():
            network.zero_grad(set_to_none=True)
        step(loss, names)
        seen.append(*names)
        for name, network in networks.items():
            assert all((value.grad is not None) == (name in names) for value in network.parameters())

    monkeypatch.setattr(trainer, "step", spy)
    trainer.update(small_batch())
    assert seen == ["classifier", "classifier", "generator", "generator"]
    assert all(value.requires_grad for network in networks.values() for value in network.parameters())
    for frozen in (trainer.actvae, trainer.vgg_loss):
        assert all(value.grad is None and not value.requires_grad for value in frozen.parameters())
    assert not trainer.actvae.training and trainer.generator.training and trainer.discriminator.training


def test_work_of_an_iteration(monkeypatch):
    """Four passes of the generator, whose statistics count all; seven of the discriminator, one for features only."""
    trainer, passes = small_trainer(), []
    monkeypatch.setattr(trainer.actvae, "rollout", lambda *args, **kwargs: passes.append("roll-outs") or
                        ActVAE.rollout(trainer.actvae, *args, **kwargs))
    for name, module in (("G", trainer.generator), ("D", trainer.discriminator),
                         ("D blocks", trainer.discriminator.model_res)):
        module.register_forward_hook(lambda *_, name=name: passes.append(name))
    trainer.update(small_batch())
    assert {name: passes.count(name) for name in passes} == {"roll-outs": 1, "G": 4, "D": 7, "D blocks": 6}
    assert trainer.generator.model_stream1_down[2].num_batches_tracked == 4


def test_same_seed_same_run_other_seed_other_run():
    first, again, other = (small_trainer(seed=seed) for seed in (1, 1, 2))
    losses = [trainer.update(small_batch())["g_sampled"] for trainer in (first, again, other)]
    assert losses[0] == losses[1] != losses[2]
    drawn = [[draw_frame_indices(trainer.random, 5, 4) for _ in range(9)] for trainer in (first, again)]
    assert drawn[0] == drawn[1]
    picks = [draw_frame_indices(first.random, 5, 4) for _ in range(200)]
    assert [sorted(set(column)) for column in zip(*picks)] == [[*range(5)], [*range(STEPS)], [*range(5)]]


def test_picks_and_noise_decide():
    trainer, noise = small_trainer(), torch.zeros(2, STEPS + 1, 2, 8)
    state = {name: weights_of(module) for name, module in trainer.parts.items()}
    losses = []
    for scale, picks in ((1, (0, 0, 0)), (1, (0, 0, 0)), (1, (4, 0, 0)), (50, (0, 0, 0))):
        trainer = small_trainer()
        for name, module in trainer.parts.items():
            module.load_state_dict(state[name])
        losses.append(trainer.update(small_batch(), picks, noise + scale))
    assert losses[0] == losses[1]
    assert losses[0]["d_real"] != losses[2]["d_real"]
    assert losses[0]["d_real"] == losses[3]["d_real"] and losses[0]["d_sampled"] != losses[3]["d_sampled"]


@pytest.mark.parametrize("override, tolerance", [("precision=bf16", 0.05), ("channels_last=true", 1e-3)])
def test_options_give_about_the_same_losses(override, tolerance):
    plain, other = (small_trainer("image_loss.vgg=5", "vgg_weights=random", *more).update(small_batch())
                    for more in ((), (override,)))
    for name, value in other.items():
        assert value.dtype == torch.float32
        assert value == pytest.approx(float(plain[name]), rel=tolerance), name


def test_compile_option(monkeypatch):
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module: compiled.append(type(module).__name__))
    small_trainer("compile=true")
    assert compiled == ["PoseAttentionGenerator", "PoseDiscriminator"]


def test_initial_weights_are_the_published_ones():
    trainer = small_trainer("generator.ngf=16", "discriminator.ndf=16")
    for network in (trainer.generator, trainer.discriminator):
        for module in network.modules():
            if isinstance(module, (torch.nn.Conv2d, torch.nn.ConvTranspose2d)) and module.weight.numel() > 2000:
                assert float(module.weight.detach().std()) == pytest.approx(0.02, rel=0.1)
                assert module.bias is None or not module.bias.any()
            if isinstance(module, torch.nn.BatchNorm2d) and module.affine:
                assert float((module.weight.detach() - 1).abs().max()) < 0.1 and not module.bias.any()
    gain, shift = trainer.generator.model_stream1_up_1_bn.embed.weight.chunk(2, dim=1)
    assert (gain == 1).all() and (shift == 0).all()


@pytest.mark.parametrize("override", ["imsize=18", "discriminator.n_downsampling=4", "generator.n_downsampling=5"])
def test_a_size_that_cannot_be_halved_is_told(override):
    with pytest.raises(UserError, match="imsize .* (must be a multiple|is too small)"):
        small_trainer(override)


# ---------------------------------------------------------------------------------------------------------- sampling

def test_sample_and_paint():
    trainer, batch = small_trainer(), small_batch(count=3)
    for value in trainer.generator.parameters():            # fresh weights hardly look at the pose
        torch.nn.init.normal_(value, 0, 0.3)
    before, random = {name: weights_of(module) for name, module in trainer.parts.items()}, trainer.random.get_state()
    sample = trainer.sample(batch, 2, torch.Generator().manual_seed(5))
    assert sample.videos.shape == (3, 2, STEPS, 3, 16, 16) and sample.poses.shape == (3, 2, STEPS, 13, 2)
    assert sample.videos.abs().max() <= 1 and not torch.equal(sample.videos[:, 0], sample.videos[:, 1])
    assert torch.equal(trainer.sample(batch, 2, torch.Generator().manual_seed(5)).videos, sample.videos)
    assert trainer.generator.training and not sample.videos.requires_grad
    assert all(same(before[name], weights_of(module)) for name, module in trainer.parts.items())   # statistics, too
    assert torch.equal(trainer.random.get_state(), random)
    source, pose = batch["images"][:, 0], batch["poses"][:, 0]
    painted = trainer.paint(source, pose, sample.poses[:, 1], batch["action"])
    assert torch.allclose(painted, sample.videos[:, 1], atol=1e-6)
    one = trainer.paint(source[2:], pose[2:], sample.poses[2:, 1, 3:], batch["action"][2:])   # row by row the same
    assert torch.allclose(one[0, 0], painted[2, 3], atol=1e-6)


# ------------------------------------------------------------------------------------------------------- checkpoints

def test_save_and_resume_exactly(tmp_path):
    trainer = small_trainer()
    trainer.update(small_batch())
    trainer.save(tmp_path, 1, 0)
    assert {path.name for path in tmp_path.iterdir()} == {
        "optimizer.pt", "0000_training_state_00000001.pt", "0000_networks_00000001.json", *(
            f"0000_{part}_00000001.pt" for part in ("im_encode_content", "im_encode_vae", "generator", "classifier"))}
    assert list(torch.load(tmp_path / "optimizer.pt")) == ["generator", "classifier"]
    other = small_trainer(seed=8)
    other.resume(tmp_path)
    other.save(tmp_path / "again", 1, 0)
    for part in trainer.parts:
        files = [torch.load(folder / f"0000_{part}_00000001.pt")["a"] for folder in (tmp_path, tmp_path / "again")]
        assert same(*files) and list(files[0]) == list(files[1]) and same(files[0], trainer.parts[part].state_dict())
    assert trainer.update(small_batch(seed=1)) == other.update(small_batch(seed=1))
    (tmp_path / "0000_training_state_00000001.pt").unlink()                        # as the published system leaves it
    third = small_trainer()
    third.resume(tmp_path)
    assert len(third.optimizers["generator"].state) and third.iteration == 1
    assert isinstance(third.generator, PoseAttentionGenerator)


def test_pretrained_folder_without_classifier(tmp_path):
    trainer = small_trainer()
    for part in ("im_encode_content", "im_encode_vae", "generator"):
        torch.save({"a": trainer.parts[part].state_dict()}, tmp_path / f"{part}.pt")
    other = small_trainer(seed=8)
    other.load_pretrained(tmp_path)
    videos = [each.sample(small_batch(), 1, torch.Generator().manual_seed(0)).videos for each in (trainer, other)]
    assert torch.equal(*videos)
    (tmp_path / "generator.pt").unlink()
    with pytest.raises(UserError, match="generator.pt: this checkpoint file is missing"):
        other.load_pretrained(tmp_path)
    with pytest.raises(UserError, match="no such folder"):
        other.load_pretrained(tmp_path / "none")


def write_actvae(folder, z_dim=8, names=("0002_{}_00000003.pt",), fill=1.0):
    folder.mkdir(parents=True, exist_ok=True)
    model = ActVAE(z_dim=z_dim)
    for value in model.parameters():
        value.detach().fill_(fill)
    for part, module in (("im_encode_content", model.decoder), ("im_encode_vae", model.encoder)):
        for name in names:
            torch.save({"a": module.state_dict()}, folder / name.format(part))


def test_vae_path(tmp_path):
    trainer = small_trainer()
    write_actvae(tmp_path / "run" / "checkpoints", names=("0000_{}_00000009.pt", "0000_{}_00000001.pt"), fill=0.5)
    write_actvae(tmp_path / "run" / "checkpoints", names=("0001_{}_00000010.pt",), fill=1.0)
    (tmp_path / "run" / "checkpoints" / "0002_im_encode_vae_00000011.pt").touch()         # cut short: not complete
    write_actvae(tmp_path / "pretrain", names=("{}.pt",), fill=2.0)
    for folder, value in (("run/checkpoints", 1.0), ("pretrain", 2.0), ("run", 1.0)):
        weights = find_pose_module(tmp_path / folder)
        trainer.restore(weights)
        files = weights.files
        assert set(files) == {"im_encode_content", "im_encode_vae"} and all(path.is_file() for path in files.values())
        assert all((weight == value).all() and not weight.requires_grad for weight in trainer.actvae.parameters())
    small_trainer().save(tmp_path / "p2i", 5, 0)                                # a P2I run holds its ACT-VAE as well
    trainer.restore(find_pose_module(tmp_path / "p2i"))


def test_vae_path_errors(tmp_path):
    trainer = small_trainer()
    write_actvae(tmp_path / "wide", z_dim=16)
    write_actvae(tmp_path / "half")
    (tmp_path / "half" / "0002_im_encode_vae_00000003.pt").unlink()
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for name, message in (("none", "no such folder"), ("file", "one file does not hold all"), ("empty", "no trained ACT-VAE"),
                          ("half", "no trained ACT-VAE"), ("wide", "has shape")):
        with pytest.raises(UserError, match=message):
            trainer.restore(find_pose_module(tmp_path / name))


# --------------------------------------------------------------------------------------------------------------- VGG

def test_vgg_without_network_and_file(monkeypatch):
    def offline(*args, **kwargs):
        raise OSError("Name or service not known")

    monkeypatch.setattr(vgg.VGG19_Weights, "get_state_dict", offline)
    with pytest.raises(UserError, match="not known.*vgg_weights: PATH.*image_loss.vgg=0.*random"):
        vgg.VGGLoss()
    with pytest.raises(UserError, match="VGG-19"):
        small_trainer("image_loss.vgg=5")
    assert small_trainer("image_loss.vgg=0").vgg_loss is None


def test_vgg_weights_of_many_files(tmp_path, caplog, monkeypatch):
    with caplog.at_level(logging.WARNING, "actvae"):
        loss = vgg.VGGLoss("random")
    assert "RANDOM" in caplog.text
    assert list(loss.state_dict())[:2] == ["features.0.weight", "features.0.bias"]
    whole = {**loss.state_dict(), "features.34.weight": torch.zeros(1), "classifier.0.weight": torch.zeros(1)}
    path = tmp_path / "vgg19.pth"
    torch.save(whole, path)
    other = vgg.VGGLoss(str(path))
    assert same(other.state_dict(), loss.state_dict())
    bare = {name.removeprefix("features."): value for name, value in loss.state_dict().items()}
    for weights in (loss.state_dict(), bare):
        other.load_state_dict(weights)
    monkeypatch.setattr(vgg.VGG19_Weights, "get_state_dict", lambda *args, **kwargs: whole)
    assert same(vgg.VGGLoss("imagenet").state_dict(), loss.state_dict())
    x, y = (torch.rand(1, 3, 16, 16, requires_grad=True) for _ in range(2))
    loss(x, y).backward()
    assert x.grad.any() and y.grad is None and all(value.grad is None for value in loss.parameters())
    assert loss(x, x) == 0 and len(loss.features(x)) == 5


@pytest.mark.parametrize("content, message", [
    (None, "no such file"), (b"not a checkpoint", "read safely"), ({"features.0.weight": 3}, "expected a state dict"),
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


def test_the_silhouette_counts_more_on_arms():
    pose = torch.full((1, 13, 2), 0.0, dtype=torch.float64)
    pose[0, :, 1] = torch.linspace(-0.8, 0.8, 13)
    pose[0, [2, 4, 6], 0] = torch.tensor([0.3, 0.5, 0.7], dtype=torch.float64)                    # one arm is to the side
    weights = arm_weights(pose, 64, 2.0)
    row, column = (int((value + 1) * 32) for value in (pose[0, 6, 1], pose[0, 6, 0]))
    assert weights.shape == (1, 1, 64, 64) and weights[0, 0, row, column] > 2.9 and weights[0, 0, 60, 3] < 1.01
    mask, missed = torch.zeros(2, 1, 1, 64, 64, dtype=torch.float64)
    mask[..., 10:50, 20:60] = missed[..., 10:50, 20:60] = 1
    missed[0, 0, row, column] = 0
    plain = torch.ones_like(mask)
    assert silhouette_loss(missed, mask, weights) > 1.5 * silhouette_loss(missed, mask, plain) > 0


# ----------------------------------------------------------------------------------------------------- configuration

def test_config_files_hold_the_published_values():
    config, expected = load_config(CONFIG), Config(train_epoch=300)
    assert config == expected
    assert load_config(ROOT / "config" / "Penn_pose_pred_time128_2.yaml") == expected
    assert vars(config.image_loss) == {"adversarial": 5, "reconstruction": 30, "mask": 10, "vgg": 5, "features": 1,
                                       "near": 0, "gradient": 0, "ssim": 0, "colours": 0, "person": 0, "silhouette": 0,
                                       "arms": 0, "energy": 0}
    for override in ("compile=1", "channels_last=maybe", "generator.ngf=0", "image_loss.vgg=-1", "generator.width=3"):
        with pytest.raises(UserError, match=override.split("=")[0].split(".")[-1]):
            load_config(CONFIG, [override])


def test_picks_known_beforehand_need_only_their_pictures():
    """The data fetches the source and three targets; the iteration is the same as with all six frames."""
    batch, picks = small_batch(), (3, 1, 4)
    whole, part = small_trainer(), small_trainer()
    few = {**batch, "images": batch["images"][:, [0, 4, 2, 5]], "masks": batch["masks"][:, 4:5],
           "frame_indices": torch.tensor([picks] * len(batch["action"]))}
    assert whole.update(batch, picks) == part.update(few)


def test_weights_of_zero_leave_their_work_out():
    trainer = small_trainer("image_loss.adversarial=0", "image_loss.features=0")
    before = [value.clone() for value in trainer.discriminator.state_dict().values()]
    losses = trainer.update(small_batch())
    assert list(losses) == ["reconstruction"] and losses["reconstruction"] > 0        # nor are they told
    assert all(torch.equal(value, old) for value, old in zip(trainer.discriminator.state_dict().values(), before))


def test_a_size_divisible_by_four_is_enough():
    """The discriminator's halvings round up, so only the generator asks for a multiple."""
    trainer = small_trainer("imsize=20")
    batch = small_batch()
    for name in ("images", "masks"):
        batch[name] = torch.rand(*batch[name].shape[:3], 20, 20)
    assert all(torch.isfinite(loss) for loss in trainer.update(batch).values())


def test_a_short_run_is_painted_with_its_own_statistics():
    """With the published momentum of 0.001 the running statistics are still those of the start; training does not change."""
    trainer, batch = small_trainer("image_loss.adversarial=0"), small_batch(count=8)
    layer, seen = trainer.generator.model_stream1_up_2_bn.bn, []
    layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    for number in range(30):
        trainer.update(small_batch(count=8, seed=number))
    mean = torch.stack([value.mean((0, 2, 3)) for value in seen]).mean(0)
    variance = torch.stack([value.var((0, 2, 3)) for value in seen]).mean(0)
    kept = {name: value.clone() for name, value in trainer.generator.state_dict().items()}
    assert (layer.running_var - variance).abs().max() > 0.5 * (1 - variance).abs().max()                  # the published ones
    with evaluating(trainer.generator):
        torch.testing.assert_close(layer.running_mean, mean, rtol=0.05, atol=0.02)
        torch.testing.assert_close(layer.running_var, variance, rtol=0.05, atol=0.02)
        trainer.generator(batch["images"][:, 0], batch["poses"][:, 0], batch["poses"][:, 1], batch["action"])
    assert trainer.generator.training and same(kept, trainer.generator.state_dict())
