"""The page in the browser, from a photo to playing clips, and what it says of files that are no photos."""
import json
import os
import re
import signal
import subprocess
import sys
import time
from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import av
import numpy as np
import pytest
from browser import chromium, drag, place_of
from conftest import ROOT
from PIL import Image

from pose import detector_class
from utils.media import write_mp4

pytest.importorskip("gradio", reason="Gradio is not installed: make .venv/app installs it")
SIDE = 160                            # pixels of the photo: small pictures are rendered soon
# runs a script and writes the addresses that its process asks for
WATCHED = """
import runpy, sys
log = open(sys.argv.pop(1), "a", buffering=1)
def watch(event, values):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        print(event, values[1:] if event == "socket.connect" else values, file=log)
sys.addaudithook(watch)
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")
"""
REFUSED = {"notes.jpg": "not a photo that can be read", "truncated.jpg": "not a photo that can be read",
           "clip.mp4": "Only image/* allowed", "large.bmp": "maximum allowed size"}


class Server:
    """The running server: its address, what it prints, and its folder for what visitors give."""

    def __init__(self, folder):
        self.log, self.asked, self.temporary = folder / "log.txt", folder / "asked.txt", folder / "tmp"
        self.temporary.mkdir()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", WATCHED, self.asked, "app.py", "--port", "0"], cwd=ROOT, stdout=log,
                stderr=subprocess.STDOUT, env={**os.environ, "TMPDIR": str(self.temporary), "PYTHONUNBUFFERED": "1"})
        self.address = soon(lambda: self.process.poll() is not None or re.search(r"http://\S+", self.printed()))[0]

    def printed(self):
        return self.log.read_text()

    def files(self):
        """The names of all files of visits."""
        return {name for _, _, names in os.walk(self.temporary) for name in names}


def soon(look, seconds=240, pause=0.05):
    """What `look()` returns once that is true."""
    end = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(pause)
    return seen


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.process.kill()
    server.process.wait()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("browser")) as chrome:
        yield chrome


class Visit:
    """The open page, by what a visitor sees and does."""

    def __init__(self, browser, address):
        from selenium.webdriver.common.by import By
        from selenium.webdriver.common.keys import Keys
        self.browser, self.by, self.keys = browser, By, Keys
        browser.get_log("performance")
        browser.get(address)
        soon(lambda: self.all("#photo input[type=file]"))

    def all(self, css):
        return self.browser.find_elements(self.by.CSS_SELECTOR, css)

    def find(self, css):
        return soon(lambda: self.all(css))[0]

    def give(self, path):
        self.find("#photo input[type=file]").send_keys(str(path))

    def line(self):
        return self.browser.execute_script("return document.querySelector('#line').innerText.trim()")

    def start(self):
        soon(lambda: self.find("#start").is_enabled())
        self.find("#start").click()

    def fill(self, css, text):
        field = self.find(css)
        field.send_keys(self.keys.CONTROL, "a")
        field.send_keys(text, self.keys.ENTER)

    def pose(self):
        """What is in the frame: the pose on the page of joints."""
        self.browser.switch_to.frame(self.find("#joints iframe"))
        pose = json.loads(self.find("#json").get_property("value"))
        self.browser.switch_to.default_content()
        return pose

    def drag_joint(self, joint, way):
        frame = self.find("#joints iframe")
        corner = self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'}); const r = arguments[0]."
                                             "getBoundingClientRect(); return [r.x, r.y]", frame)
        self.browser.switch_to.frame(frame)
        place = place_of(self.browser, joint)
        self.browser.switch_to.default_content()
        drag(self.browser, np.add(corner, place), way)

    def hosts(self):
        """The hosts that were asked for anything since the page was opened."""
        messages = [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]
        asked = [message["params"] for message in messages if message["method"] in (
            "Network.requestWillBeSent", "Network.webSocketCreated")]
        addresses = [params["request"]["url"] if "request" in params else params["url"] for params in asked]
        return {urlsplit(address).netloc for address in addresses if urlsplit(address).scheme not in ("data", "blob", "chrome")}

    def download(self, link):
        with urlopen(link.get_property("href")) as answer:
            return answer.read()


@pytest.fixture
def visit(browser, server):
    visit = Visit(browser, server.address)
    yield visit
    assert visit.hosts() == {urlsplit(server.address).netloc}, "the browser asked others"
    assert "Content Security Policy" not in str(browser.get_log("browser")), "the page asks for what it may not have"
    assert "Traceback" not in server.printed()


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """A small photo of a person, in the public domain."""
    data = pytest.importorskip("skimage.data", reason="scikit-image, which ships the photo, is not installed")
    path = tmp_path_factory.mktemp("photo") / "me & <you>.jpg"
    Image.fromarray(data.astronaut()).resize((SIDE, SIDE)).save(path, quality=95)
    return path


@pytest.mark.skipif(not detector_class("blazepose").at_hand(), reason="BlazePose's weights are not at hand: "
                                                                      "run python -m pose.blazepose_weights")
def test_from_a_photo_to_playing_clips(visit, photo, server, tmp_path):
    visit.give(photo)
    soon(lambda: visit.line().startswith("Found."))
    found = visit.pose()
    assert 0.35 * SIDE < found[0][0] < 0.55 * SIDE and 0.1 * SIDE < found[0][1] < 0.35 * SIDE, "the head"
    visit.drag_joint(4, (14, -10))
    moved = visit.pose()
    assert moved[4] != found[4] and moved[:4] + moved[5:] == found[:4] + found[5:]
    visit.fill("#samples input[type=number]", "2")
    visit.fill("#seconds input[type=number]", "0.5")
    visit.fill("#action input", "wave one hand")
    visit.start()
    soon(lambda: len(visit.all("#clips video")) == 2 and visit.line() == "2 futures, the most likely first.")
    soon(lambda: visit.browser.execute_script("return [...document.querySelectorAll('#clips video')].every("
                                              "video => video.played.length && !video.paused && video.videoWidth > 60)"))
    shares = [int(share) for share in re.findall(r"sample \d, represents (\d+)%", visit.find("#clips").text)]
    assert len(shares) == 2 and shares == sorted(shares, reverse=True) and 99 <= sum(shares) <= 101
    links = {link.text: link for link in visit.all("#clips figure:first-child a")}
    written = json.loads(visit.download(links["poses"]))
    poses = written["poses"]
    seen = [number for number, joint in enumerate(moved) if joint[2]]
    begin, placed = (np.array([pose[number][:2] for number in seen]) for pose in (poses[0], moved))
    assert len(poses) == 1 + round(0.5 * written["fps"])
    assert 4 in seen and np.abs(begin - placed).max() < 0.02, "it begins as the joints were placed"
    assert links["poses"].get_attribute("download") == "me_you_wave_one_hand_1.json"
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(visit.download(links["whole photo as MP4"]))
    with av.open(str(clip)) as video:
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]).astype(int)
    given = np.asarray(Image.open(photo).convert("RGB"), int)
    assert frames.shape == (len(poses), SIDE, SIDE, 3) and np.abs(frames[0] - given).mean() < 5, "the photo comes first"
    kept = visit.find("#clips a").get_property("href")
    assert visit.find("#clips video").size["height"] <= 0.75 * visit.browser.execute_script("return window.innerHeight") + 1
    visit.give(photo)
    soon(lambda: not visit.all("#clips video"))                      # those of the photo before
    soon(lambda: visit.line().startswith("Found."))
    visit.browser.get("about:blank")                                 # the visit ends
    soon(lambda: not server.files(), 30)
    with pytest.raises(HTTPError):
        urlopen(kept)


@pytest.fixture(scope="module")
def files(tmp_path_factory, photo):
    """Files that are no photos, or odd ones, by name."""
    folder, picture = tmp_path_factory.mktemp("files"), Image.open(photo)
    (folder / "notes.jpg").write_text("no picture")
    (folder / "truncated.jpg").write_bytes(photo.read_bytes()[:2000])
    write_mp4(folder / "clip.mp4", np.zeros((3, 64, 64, 3), np.uint8))
    with open(folder / "large.bmp", "wb") as large:
        large.truncate(60 << 20)
    Image.new("RGB", picture.size).save(folder / "animated.gif", save_all=True, append_images=[picture], duration=100, loop=0)
    return folder


@pytest.mark.parametrize("name, said", REFUSED.items())
def test_what_is_no_photo_is_told_in_a_line(visit, files, name, said):
    visit.give(files / name)
    soon(lambda: said in visit.line() or any(said in toast.text for toast in visit.all(".toast-body")))
    assert name in visit.line() and "/" not in visit.line().partition(";")[0] or visit.line() == "", "no paths of this computer"
    assert not visit.find("#start").is_enabled() and not visit.all("#joints iframe")


def test_of_a_moving_picture_the_last_one_is_taken(visit, files):
    visit.give(files / "animated.gif")
    soon(lambda: visit.line().startswith("Found."))


def test_a_file_of_two_visitors_stays_until_both_leave(tmp_path):
    from photo.web.page import Visits
    visits, path = Visits(None, tmp_path), tmp_path / "uploads/x/me.jpg"
    path.parent.mkdir(parents=True)
    path.touch()
    visits.uploads |= {"a": {path}, "b": {path}}
    for visitor, stays in (("a", True), ("b", False)):
        visits.leave(SimpleNamespace(session_hash=visitor))
        assert path.exists() == stays


def test_requests_that_no_page_makes_are_refused(server):
    for address, headers, status in (
            (server.address, {"Host": "example.org"}, 400),                         # a foreign name that leads here
            (f"{server.address}/gradio_api/file={ROOT / 'README.md'}", {}, 403)):    # a file of this computer
        with pytest.raises(HTTPError) as refused:
            urlopen(Request(address, headers=headers))
        assert refused.value.code == status


def test_the_server_asks_nobody_and_leaves_nothing(visit, photo, server):
    """The last test: it ends the server while clips are made."""
    visit.give(photo)
    soon(lambda: visit.line().startswith("Found."))
    visit.start()
    soon(lambda: not visit.line().startswith("Found."))
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(60) == 0
    assert not list(server.temporary.iterdir())
    addresses = re.findall(r"'([\w.:-]+)', \d+", server.asked.read_text())
    assert {address for address in addresses if not address.startswith("127.")} <= {"localhost", "::1"}
