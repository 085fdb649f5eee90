"""The main person of a video: detection, tracking, gaps and smoothing; and the tables that come with videos."""
import numpy as np
import pytest

from dataset.from_video.actions import read_actions, with_splits
from dataset.from_video.convert import plan
from dataset.from_video.poses import read_csv
from dataset.from_video.tracking import MAX_GAP, clean, main_person, runs
from dataset.synthetic.people import draw_video
from pose.detector import Person
from utils.errors import UserError

NOISE = 2.0            # pixels


def as_person(joints, visible=None):
    visible = np.ones(13, bool) if visible is None else visible
    return Person(np.concatenate([joints.min(0) - 5, joints.max(0) + 5]), 0.95, joints, visible)


@pytest.mark.parametrize("nframes, fps, gap, kept, detected", [
    (70, 30, 2, 33, 33), (33, 30, 1, 33, 33), (20, 30, 1, 20, 20), (330, 30, 10, 33, 65), (330, 15, 10, 33, 97),
    (3300, 30, 100, 33, 129)])
def test_people_are_detected_where_the_clip_and_tracking_need_it(nframes, fps, gap, kept, detected):
    found = plan(np.arange(nframes) / fps)
    assert found.gap == gap and found.kept.tolist() == [gap * number for number in range(kept)]
    assert set(found.kept) <= set(found.detected) and len(found.detected) == detected and (np.diff(found.detected) > 0).all()


def walkers(frames=40):
    """Two people who walk past each other; joints (n, 2, 13, 2)."""
    shape = np.random.default_rng(1).uniform((-30, -100), (30, 100), (13, 2))
    x = np.linspace(100, 500, frames)
    first, second = (np.stack([x, np.full(frames, 200.0)], -1), np.stack([x[::-1], np.full(frames, 210.0)], -1))
    return np.stack([first[:, None] + 1.2 * shape, second[:, None] + 0.8 * shape[::-1]], 1)


def test_people_who_pass_each_other_are_not_mixed_up():
    joints, random = walkers(), np.random.default_rng(0)
    people = [[as_person(joints[frame, who]) for who in random.permutation(2)] for frame in range(40)]
    found = main_person(people, np.arange(40) / 10)
    assert all(np.array_equal(person.joints, joints[frame, 0]) for frame, person in enumerate(found))


def test_of_two_people_of_one_size_the_one_whom_the_detector_ranks_first_is_taken():
    joints = walkers()
    people = [[as_person(joints[frame, 0]), as_person(1.1 * joints[frame, 0] + (900, 0))] for frame in range(40)]
    assert all(person is found[0] for person, found in zip(main_person(people, np.arange(40) / 10), people))


def test_short_gaps_are_filled_long_ones_not():
    times = np.arange(60) / 30
    joints = np.broadcast_to(walkers(60)[:, 0], (60, 13, 2)).copy()
    gone = {*range(10, 15), *range(25, 45)}
    persons = [None if frame in gone else as_person(joints[frame]) for frame in range(60)]
    persons[5] = as_person(joints[5] + 300 * (np.arange(13) == 3)[:, None])        # a spike
    track = clean(persons, times)
    assert runs(track.present) == [(0, 25), (45, 60)] and MAX_GAP < 20 / 30
    assert not track.visible[sorted(gone)].any() and not track.visible[5, 3] and track.visible[5, 4]
    np.testing.assert_allclose(track.joints[track.present], joints[track.present], atol=1e-6)


def test_a_joint_hidden_at_first_stays_where_it_is_first_seen():
    joints = np.broadcast_to(walkers(60)[:1, 0], (60, 13, 2)).copy()
    visible = np.ones((60, 13), bool)
    visible[:5, 4] = visible[50:, 6] = visible[:40, 8] = False
    persons = [as_person(joints[frame] + 80 * ~seen[:, None], seen) for frame, seen in enumerate(visible)]
    track = clean(persons, np.arange(60) / 30)
    np.testing.assert_array_equal(track.visible, visible)
    wrong = np.abs(track.joints - joints).max(-1) > 1e-6
    assert set(np.argwhere(wrong)[:, 1]) == {8} and wrong[:, 8].sum() == 40 - 15          # longer than that: the guess


def test_noise_is_smoothed_and_motion_stays():
    truth, random = draw_video(7, "jumping_jacks", 0, (70, 70))[1], np.random.default_rng(0)
    noisy = truth + random.normal(0, NOISE, truth.shape)
    track = clean([as_person(pose) for pose in noisy], np.arange(70) / 30)
    before, after = (np.sqrt(np.square(poses - truth).mean()) for poses in (noisy, track.joints))
    assert after < 0.8 * before
    exact = clean([as_person(pose) for pose in truth], np.arange(70) / 30)
    assert np.abs(exact.joints - truth).mean() < 0.7


# ---- tables ----

@pytest.mark.parametrize("text, message", [
    ("", ": empty"), ("one.mp4,hop\n", "there is no column 'file'"), ("file,action\n", "no row below"),
    ("file,action,speed\na,b,c\n", ":1: 'speed' is no column"), ("file,action\na\n", ":2: 1 fields, the first line has 2"),
    ("file,action\n,b\n", ":2: file is missing"), ("file,action\na,\n", ":2: action is missing"),
    ('file,action\na,"b,c"\n', "holds a comma"), ("file,action,start\na,b,soon\n", ":2: start is 'soon', expected seconds"),
    ("file,action,start,end\na,b,3,2\n", ":2: the end, 2 s, is not after the start, 3 s"),
    ("file,action,split\na,b,dev\n", ":2: split is 'dev'"), ("file,action\na,b\na,c\n", ":3: the same part of a is already in"),
    ("file,action,action\na,b,c\n", "column 'action' is there twice"),
    ('file,action\n"a,b\n', "cannot read this CSV of actions")])
def test_bad_action_tables(tmp_path, text, message):
    path = tmp_path / "actions.csv"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_actions(path)
    assert message in str(error.value) and str(path) in str(error.value)


def test_splits_and_names(tmp_path):
    path = tmp_path / "actions.csv"
    path.write_text("file,action\n" + "".join(f"{number}.mp4,hop\n" for number in range(7)) + "a/x,y.mp4,z\n".replace(",y", " y")
                    + "b/x y.mov,z\nx y.mp4,once\n")
    clips = read_actions(path)
    assert [clip.name for clip in with_splits(clips) if not clip.train] == ["0004", "x_y_2"]
    assert [clip.name for clip in clips[6:]] == ["0006", "x_y", "x_y_2", "x_y_3"]


@pytest.mark.parametrize("text, message", [
    ("", "expected a first line"), ("frame,joint,x\n1,head,2\n", "expected a first line"),
    ("frame,joint,x,y\n-1,head,1,2\n", ":2: frame is -1, expected a number"),
    ("frame,joint,x,y\n1,tail,1,2\n", ":2: joint is 'tail'"), ("frame,joint,x,y\n1,13,1,2\n", ":2: joint is '13'"),
    ("frame,joint,x,y\n1,0,inf,2\n", ":2: (inf, 2) is no point of a picture"),
    ("frame,joint,x,y\n1,0,1,two\n", ":2: y is 'two'"),
    ("frame,joint,x,y\n1,0,1,2\n1,head,1,2\n", ":3: head of frame 1 is there twice"),
    ("frame,joint,x,y,visible\n1,0,1,2,maybe\n", ":2: visible is 'maybe'"), ("frame,joint,x,y\n1,0,1\n", ":2: 3 fields")])
def test_bad_joint_tables(tmp_path, text, message):
    path = tmp_path / "joints.csv"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_csv(path)
    assert message in str(error.value)
