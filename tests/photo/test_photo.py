"""Photo mode of both scripts, from photos to files: clips, formats, timing, backgrounds and layers."""
import numpy as np
import pytest
from helpers import Links, tree
from PIL import Image
from studio import SIZE, STATISTICS_OF_ONE, STEPS, Studio, box_mask, draw_photo, frames_of, pose_in, shared_weights

import train_actvae
import train_actvae_p2inetwork as script
from networks.body_parts import NAMES as PARTS
from photo.statistics import STATISTICS, write_statistics
from pose.masks import write_mask
from pose.pose_file import read_about, read_poses, write_pose

SWING = "me_golf_swing_1"


@pytest.fixture
def studio(tmp_path, tmp_path_factory, run_script):
    return Studio(tmp_path, shared_weights(tmp_path_factory), run_script)


def files_of(stem, renders=True):
    views = ["", "_whole"] if renders else [""]
    return {f"{stem}{view}.{kind}" for view in views for kind in ("mp4", "gif")} | {f"{stem}.jpg", f"{stem}.json"}


@pytest.mark.parametrize("kind, main", [("cutout", script.main), ("pose_attention", script.main), ("cutout", train_actvae.main)],
                         ids=["cutout", "pose_attention", "poses"])
def test_a_photo_becomes_clips(studio, kind, main):
    outcome = studio.made("--formats", "mp4,gif,strip,poses", main=main, kind=kind, action="golf_swing,wave")
    renders = main is script.main
    expected = set().union(*(files_of(f"me_{name}_{sample}", renders) for name in ("golf_swing", "wave") for sample in (1, 2)))
    assert {path.name for path in studio.out.iterdir()} == expected | {"index.html", "me_pose.jpg", "me_pose.json"}
    assert set(Links(studio.out / "index.html").found) == expected | {"me_pose.jpg"}
    assert outcome.out.count("renders 32 x 32 pixels, which are enlarged") == (kind == "pose_attention")
    for sample in (1, 2):
        joints, _ = read_poses(studio.out / f"me_golf_swing_{sample}.json")
        assert joints.shape == (STEPS + 1, 13, 2) and np.abs(joints[0] - pose_in(SIZE)).max() < 0.02
        assert np.abs(joints[1:] - pose_in(SIZE)).max() > 2, "the person moves"
        clip = frames_of(studio.out / f"me_golf_swing_{sample}.mp4")
        h, w = clip.shape[1:3]
        reach = joints.reshape(-1, 2).clip(0, SIZE[::-1])
        assert len(clip) == STEPS + 1 and (np.array([w, h]) + 2 >= reach.max(0) - reach.min(0)).all(), "the crop holds all joints"
        with Image.open(studio.out / f"me_golf_swing_{sample}.gif") as gif:
            assert gif.n_frames == STEPS + 1 and (gif.width + gif.width % 2, gif.height + gif.height % 2) == (w, h)
        if renders:
            whole = frames_of(studio.out / f"me_golf_swing_{sample}_whole.mp4").astype(int)
            assert whole.shape == (STEPS + 1, 120, 162, 3)
            assert np.abs(whole[0, :, :161] - draw_photo()).mean() < 3, "the first picture is the photo"
            assert np.abs(whole[1:] - whole[:1])[:, :, :20].mean() < 2, "nothing changes far from the person"


def test_the_seed_alone_determines_the_files(studio):
    studio.made("--seed", 5, action="wave")
    first = tree(studio.out)
    studio.made("--seed", 5, action="all")
    assert {path: data for path, data in tree(studio.out).items() if "_wave_" in path.name} == {
        path: data for path, data in first.items() if "_wave_" in path.name}
    studio.made("--seed", 6, action="wave")
    assert (studio.out / "me_wave_1.json").read_bytes() != first[studio.out / "me_wave_1.json"]


@pytest.mark.parametrize("argv, endings, played", [
    (["--no_whole"], {".mp4", ".jpg", ".json"}, "<video"), (["--formats", "GIF", "--no_whole"], {".gif"}, f'{SWING}.gif"'),
    (["--formats", "poses, strip"], {".json", ".jpg"}, None)])
def test_only_the_requested_formats_are_written(studio, argv, endings, played):
    studio.made("--samples", 1, *argv)
    files = {f"{SWING}{ending}" for ending in endings}
    assert {path.name for path in studio.out.iterdir()} == files | {"index.html", "me_pose.jpg", "me_pose.json"}
    assert set(Links(studio.out / "index.html").found) == files | {"me_pose.jpg"}
    page = (studio.out / "index.html").read_text()
    assert played in page if played else "<video" not in page


def test_smooth_clips_that_play_backwards(studio):
    studio.made("--samples", 1, "--fps", 8)
    plain = read_poses(studio.out / f"{SWING}.json")[0]
    studio.made("--samples", 1, "--fps", 8, "--smooth", "--loop")
    joints = read_poses(studio.out / f"{SWING}.json")[0]
    assert read_about(studio.out / f"{SWING}.json")["fps"] == 24 and joints.shape == (2 * 3 * STEPS, 13, 2)
    np.testing.assert_allclose(joints[:3 * STEPS + 1:3], plain, atol=0.011)
    np.testing.assert_array_equal(joints[1:3 * STEPS], joints[:3 * STEPS:-1])
    clip = frames_of(studio.out / f"{SWING}.mp4", 24).astype(int)
    assert len(clip) == 2 * 3 * STEPS and np.abs(clip[1] - clip[-1]).mean() < 5 < np.abs(clip[1] - clip[3 * STEPS]).mean()


def test_frame_rates_and_lengths(studio, tmp_path):
    weights = tmp_path / "timed"
    weights.mkdir()
    for path in studio.weights["cutout"].iterdir():
        (weights / path.name).symlink_to(path)
    (weights / STATISTICS).unlink()
    write_statistics(weights / STATISTICS, STATISTICS_OF_ONE._replace(fps=np.array([0, 0, 12.5]), steps=5))
    outcome = studio.made("--pretrain", weights, "--samples", 1, "--steps", 6, action="wave,squat")
    assert any("6 steps: these weights learned to look 5 steps ahead" in text for text in outcome.warnings)
    rates = {action: read_about(studio.out / f"me_{action}_1.json")["fps"] for action in ("wave", "squat")}
    assert rates == {"wave": 12.5, "squat": 8}, "that of the training data, or the default"
    argv = [word for word in studio.argv("--pretrain", weights, action="wave") if word not in ("--steps", STEPS)]
    outcome = studio.run_script(script.main, *argv, "--seconds", 0.4)
    assert outcome.status == 0 and not outcome.warnings and len(read_poses(studio.out / "me_wave_1.json")[0]) == 1 + 5
    studio.made("--pretrain", weights, "--samples", 1, "--fps", 20, "--formats", "mp4,gif", action="wave")
    assert len(frames_of(studio.out / "me_wave_1.mp4", 20)) == STEPS + 1
    with Image.open(studio.out / "me_wave_1.gif") as gif:
        assert gif.info["duration"] == 50


def test_action_list_needs_no_photo(studio):
    folder = studio.weights["cutout"]
    for main in (script.main, train_actvae.main):
        outcome = studio.run_script(main, "--config", folder / "config.yaml", "--output_path", studio.folder, "--test",
                                    "--pretrain", folder, "--action", "list")
        assert (outcome.status, outcome.out) == (0, "squat\ngolf_swing\nwave\n")
    assert not (studio.folder / "outputs").exists()


def test_defaults_of_folder_and_length(studio):
    weights = studio.weights["cutout"]
    outcome = studio.run_script(train_actvae.main, "--config", weights / "config.yaml", "--name", "_me", "--output_path",
                                studio.folder, "--test", "--pretrain", weights, "--samples", 1, "--image", studio.photo,
                                "--pose", studio.pose, "--action", "squat")
    assert outcome.status == 0, outcome.err
    photos = studio.folder / "outputs/config_me/photos"
    assert (photos / "index.html").exists() and len(read_poses(photos / "me_squat_1.json")[0]) == 1 + 16


@pytest.mark.parametrize("size", [(40, 33), (301, 64), (400, 1500)])
def test_photos_of_any_size(studio, size):
    Image.fromarray(draw_photo(size)).save(studio.photo)
    write_pose(studio.pose, pose_in(size))
    studio.made("--samples", 1)
    whole, clip = (frames_of(studio.out / f"{SWING}{view}.mp4") for view in ("_whole", ""))
    ratio = min(1, 1280 / max(size))
    assert whole.shape == (STEPS + 1, *((round(side * ratio) + 1) // 2 * 2 for side in size), 3) and max(clip.shape[1:3]) <= 1080
    about = read_about(studio.out / f"{SWING}.json")
    assert about["fps"] == 8 and about["photo"] == {"file": "me.png", "width": size[1], "height": size[0]}
    assert about["whole"] == {"origin": [0, 0], "scale": pytest.approx(ratio, abs=2e-3)}


def test_photos_with_any_names(studio):
    photo = studio.folder / "my # 1%41 ünï ✓.png"
    twin = studio.folder / "b" / photo.name
    poses = studio.folder / "poses"
    for folder in (twin.parent, poses):
        folder.mkdir()
    for path in (photo, twin):
        path.write_bytes(studio.photo.read_bytes())
    write_pose(poses / f"{photo.stem}.json", pose_in(SIZE))
    studio.made("--pose", poses, pose=False, photos=[photo, twin])
    links = Links(studio.out / "index.html").found
    assert links and all((studio.out / link).is_file() for link in links)
    assert {f"{stem}_pose.jpg" for stem in ("my_1_41_ünï", "my_1_41_ünï_2")} <= {path.name for path in studio.out.iterdir()}


def test_of_several_photos_the_good_ones_are_finished(studio):
    poses, broken, unposed = (studio.folder / name for name in ("poses", "broken.png", "unposed.png"))
    poses.mkdir()
    write_pose(poses / "me.json", pose_in(SIZE))
    broken.write_bytes(studio.photo.read_bytes()[:200])
    unposed.write_bytes(studio.photo.read_bytes())
    outcome = studio.run("--pose", poses, pose=False, photos=[broken, unposed, studio.photo])
    assert outcome.status == 1 and outcome.err.count("error: ") == outcome.err.count("\n") == 2
    assert str(broken) in outcome.err and str(poses / "unposed.json") in outcome.err
    assert (studio.out / "me_golf_swing_2_whole.mp4").exists() and (studio.out / "index.html").exists()
    assert studio.run("--pose", poses, pose=False, photos=[broken, unposed]).status == 2


def test_clips_in_front_of_another_background(studio):
    write_mask(studio.mask, box_mask())
    outcome = studio.made("--samples", 1, "--mask", studio.mask, "--background", "#20a060")
    assert "no mask was found" not in outcome.out
    whole = frames_of(studio.out / f"{SWING}_whole.mp4").astype(int)
    assert np.abs(whole[:, :, :30] - (32, 160, 96)).mean() < 3, "the photo is gone"
    assert np.abs(whole[0, 30:90, 65:95] - draw_photo()[30:90, 65:95]).mean() < 4, "the person is there"
    outcome = studio.made("--samples", 1, "--background", "white")
    assert "me.png: no mask was found, so the person is cut out roughly" in outcome.out


def test_clips_without_a_background(studio):
    write_mask(studio.mask, box_mask())
    studio.made("--samples", 1, "--mask", studio.mask, "--background", "none")
    links = Links(studio.out / "index.html").found
    assert {f"{SWING}{view}.{kind}" for view in ("", "_whole") for kind in ("webp", "frames")} <= set(links)
    assert all((studio.out / link).exists() for link in links) and not list(studio.out.glob("*.mp4"))
    frames = sorted((studio.out / f"{SWING}_whole.frames").iterdir())
    assert [path.name for path in frames] == [f"{number:03d}.png" for number in range(STEPS + 1)]
    first = np.asarray(Image.open(frames[0]))
    assert first.shape == (*SIZE, 4) and first[:, :30, 3].max() == 0 and first[40:80, 70:90, 3].min() == 255
    with Image.open(studio.out / f"{SWING}.webp") as clip:
        clip.load()
        assert clip.n_frames == STEPS + 1 and clip.info["duration"] == 125


def test_layers_are_written_and_a_corrected_background_is_read(studio):
    write_mask(studio.mask, box_mask())
    argv = ("--samples", 1, "--mask", studio.mask)
    studio.made(*argv, "--layers")
    layers = studio.out / "me_layers"
    assert {path.stem for path in layers.iterdir()} == {"plate", *PARTS}
    photo, background = draw_photo(), np.asarray(Image.open(layers / "plate.png"))
    far = np.ones(SIZE, bool)
    far[15:105, 50:110] = False
    assert np.array_equal(background[far], photo[far])
    assert np.abs(background[30:90, 65:95].astype(int) - photo[30:90, 65:95]).mean() > 5
    alphas = np.stack([np.asarray(Image.open(layers / f"{part}.png"))[..., 3] for part in PARTS])
    assert alphas.shape[1:] == SIZE and alphas.max(0)[25:95, 60:100].min() == 255 and alphas.max(0)[far].max() == 0
    before = frames_of(studio.out / f"{SWING}_whole.mp4").astype(int)
    for place, colour in ((studio.out, 255), (layers / "plate.png", 0)):
        Image.fromarray(np.full_like(photo, colour)).save(layers / "plate.png")
        studio.made(*argv, "--plate", place)
        after = frames_of(studio.out / f"{SWING}_whole.mp4").astype(int)
        assert np.abs(after[0] - before[0]).mean() < 3, "the photo stays"
        assert ((after - before)[1:] * (1 if colour else -1)).mean() > 0.5, "the corrected background is seen behind the person"
