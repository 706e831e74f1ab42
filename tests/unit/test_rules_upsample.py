"""First captions by rules."""

import json
import time
from pathlib import Path

import pytest

from reasoner.caption import StructuredCaption
from reasoner.config import RulesConfig
from reasoner.rules import Rules
from reasoner.rules.phrases import phrases
from reasoner.rules.subjects import IN_FRAME
from reasoner.rules.upsample import upsample
from reasoner.types import CaptionRequest

PROMPTS = [
    "A golden retriever runs along a beach at sunset, the camera slowly pans left",
    "Dashcam view of a car driving through a city in the rain",
    "A truck brakes hard on an icy highway at night while the camera pushes in",
    "An autonomous car merges into traffic at a busy intersection; static overhead camera",
    "A pedestrian steps onto a crosswalk in front of a bus",
    "A robot arm picks up a red cube from a conveyor belt and places it in a bin",
    "A humanoid robot folds a towel on a table, tripod shot",
    "A delivery robot rolls along a sidewalk at noon, the camera tracks right, then pushes in",
    "A quadruped robot climbs stairs in a factory",
    "Two forklifts cross in a warehouse while the camera pans right",
    "A conveyor belt carries cardboard boxes past a scanner, no camera movement",
    "A worker in a yellow vest scans pallets in a warehouse aisle",
    "Film noir detective smokes under a street lamp, rain, dutch angle",
    "A slow dolly zoom on a man in a phone booth",
    "Black and white montage of a boxer training, cuts to the crowd",
    "An old VHS tape of a birthday party, handheld",
    "Anime girl with pink hair stands on a rooftop at dusk, wind in her hair",
    "Claymation penguin sliding down a hill, stop-motion",
    "Pixar style animated teapot dancing in a kitchen",
    "Watercolor painting of a village coming to life",
    "A hummingbird hovers at a red flower, macro, shallow depth of field",
    "A herd of elephants crosses the savanna, aerial drone shot rising",
    "A fox stands motionless in a snowy forest, slow zoom in",
    "Jellyfish drifting underwater, bioluminescent",
    "Timelapse of clouds over a mountain ridge, locked-off",
    "Waves crash on rocks beneath a lighthouse at night, lightning flashes",
    "A waterfall in a jungle, the camera tilts down from the sky, then pulls back",
    "Desert dunes at sunrise, slow aerial pull back",
    "A volcano erupts at night, lava flows down the slope",
    "A candle flickers on a wooden table",
    'A neon sign that says "OPEN" flickers above a diner door',
    "A street poster reading \u201cSUMMER SALE\u201d flaps in the wind",
    'A bus with "ROUTE 42" on its side stops at a "BUS STOP" sign',
    "猫が海辺を走る、カメラは左にパンする",
    "一只熊猫在竹林里吃竹子",
    "Ein Zug fährt durch die Alpen bei Sonnenaufgang",
    "Una bailarina gira en un escenario oscuro",
    "Кот сидит на подоконнике и смотрит на дождь",
    "قطة تمشي في السوق",
    "👩‍🚀🚀🌕",
    "cat",
    "An astronaut walks on Mars\nthe camera orbits left\n\nthen it rises",
    "The chef plates a dessert. He adds a mint leaf. Finally the camera moves closer.",
    "A potter shapes clay on a wheel; close-up of her hands",
    "12 marbles roll down a ramp one after another",
    "a a a the the and of in, . ; -- ''",
    '{not json} but braces, [brackets] and "quotes',
    "x" * 5000,
]
TIMES = [(5, 24), (21, 24), (24, 24), (61, 24), (93, 24), (189, 24), (397, 10), (300, 30), (5, 60), (397, 1)]


def request(prompt: str, num_frames: int = 189, fps: int = 24, image: Path | None = None) -> CaptionRequest:
    return CaptionRequest(prompt=prompt, first_frame=image, width=832, height=480, num_frames=num_frames, fps=fps)


def plain(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("prompt", PROMPTS, ids=[prompt[:40] for prompt in PROMPTS])
async def test_valid_and_in_the_users_words(prompt: str) -> None:
    caption = await Rules(RulesConfig()).upsample(request(prompt))
    assert caption.source == "upsample"
    assert isinstance(caption.structured, StructuredCaption)
    assert StructuredCaption.parse(caption.prompt) == caption.structured
    assert caption.structured.temporal_caption.startswith(prompt.strip())
    assert plain(prompt)[:300] in plain(caption.structured.context)
    assert caption.structured.subjects
    assert all(s.description and s.action for s in caption.structured.subjects)
    blank = [key for key, value in caption.structured.model_dump().items() if value == ""]
    assert blank == []


@pytest.mark.parametrize(("num_frames", "fps"), TIMES)
@pytest.mark.parametrize("prompt", [PROMPTS[0], PROMPTS[7], "pan left, then tilt up, then pull back, then orbit left"])
def test_times_lie_within_the_clip(prompt: str, num_frames: int, fps: int) -> None:
    caption = upsample(request(prompt, num_frames, fps))
    seconds = num_frames // fps
    assert caption.duration == f"{seconds}s"
    assert caption.fps == fps
    assert caption.segments[0].time_range.startswith("0:00-")
    end = caption.segments[-1].time_range.split("-")[1]
    assert end == f"{seconds // 60}:{seconds % 60:02d}"
    starts = [segment.time_range.split("-")[0] for segment in caption.segments]
    ends = [segment.time_range.split("-")[1] for segment in caption.segments]
    assert starts[1:] == ends[:-1]
    assert [segment.segment_index for segment in caption.segments] == list(range(len(caption.segments)))


@pytest.mark.parametrize(("num_frames", "segments"), [(5, 1), (61, 1), (93, 1), (97, 2), (165, 2), (189, 3)])
def test_segments_by_duration(num_frames: int, segments: int) -> None:
    assert len(upsample(request("A cat sleeps", num_frames)).segments) == segments


def test_segments_follow_the_camera_phases() -> None:
    caption = upsample(request("A boat. The camera pans left, then pushes in"))
    assert [s.camera for s in caption.segments] == ["The camera pans left.", "The camera pushes in."]
    assert caption.cinematography.camera_motion == "The camera pans left, then pushes in."


def test_pace_stays_with_its_move() -> None:
    caption = upsample(request("A boat. The camera slowly pans left, then pushes in"))
    assert caption.cinematography.camera_motion == "The camera slowly pans left, then pushes in."


def test_no_strong_move_is_invented() -> None:
    assert upsample(request("A cat sleeps")).cinematography.camera_motion.startswith("The camera is nearly static")
    assert "handheld" in upsample(request("A handheld shot of a cat")).cinematography.camera_motion


@pytest.mark.parametrize(
    ("width", "height", "aspect"),
    [
        (320, 192, "16,9"),
        (832, 480, "16,9"),
        (736, 544, "4,3"),
        (640, 640, "1,1"),
        (544, 736, "3,4"),
        (192, 320, "9,16"),
        (2000, 400, "16,9"),
    ],
)
def test_parameters_are_the_requests(width: int, height: int, aspect: str) -> None:
    caption = upsample(CaptionRequest(prompt="A cat", width=width, height=height, num_frames=61, fps=24))
    assert (caption.resolution.W, caption.resolution.H, caption.aspect_ratio) == (width, height, aspect)


def test_humans_and_animals() -> None:
    woman, dog = upsample(request("An elderly woman walks a small dog in a park")).subjects[:2]
    assert (woman.gender, woman.age, woman.number_of_arms) == ("Female", "Elderly", 2)
    assert woman.clothing
    assert (dog.gender, dog.clothing, dog.number_of_arms) == ("", "", 0)


def test_signs() -> None:
    texts = [
        s.text for s in upsample(request('A bus with "ROUTE 42" stops at a "BUS STOP" sign')).text_and_signage_elements
    ]
    assert texts == ["ROUTE 42", "BUS STOP"]


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("A street at night", "Night"),
        ("A lake at sunrise", "Dawn"),
        ("A pier at dusk", "Sunset"),
        ("A ship in a storm", "Storm"),
        ("A field in the rain", "Overcast"),
        ("A field", "Daylight"),
        ("A kitchen", "Indoor"),
        ("A field, not at night", "Daylight"),
    ],
)
def test_light(prompt: str, words: str) -> None:
    assert upsample(request(prompt)).lighting.conditions.startswith(words)


@pytest.mark.parametrize(
    ("prompt", "style"),
    [
        ("A cat", "Photorealistic"),
        ("An anime cat", "Anime"),
        ("A claymation cat", "Claymation"),
        ("Film noir cat", "Film noir"),
    ],
)
def test_style(prompt: str, style: str) -> None:
    assert upsample(request(prompt)).artistic_style.startswith(style)


@pytest.mark.parametrize(
    ("prompt", "first"),
    [
        (
            "A wide aerial shot of a sailboat drifting left on a calm lake",
            ("a sailboat", "drifting left on a calm lake"),
        ),
        ("Waves crash on rocks", ("Waves", "crash on rocks")),
        ("The potter shapes clay on a wheel", ("The potter", "shapes clay on a wheel")),
        ("Red sports car races past the stadium", ("Red sports car", "races past the stadium")),
        ("Two forklifts cross in a hall while the camera pans", ("Two forklifts", "cross in a hall")),
    ],
)
def test_phrases(prompt: str, first: tuple[str, str]) -> None:
    found = phrases(prompt)[0]
    assert (found.text, found.deed) == first


def test_with_a_first_frame_the_image_describes_itself() -> None:
    caption = upsample(request("A woman in a red coat turns around, the camera pulls back", image=Path("frame.png")))
    woman = caption.subjects[0]
    for value in (
        woman.appearance_details,
        woman.location,
        woman.pose,
        woman.clothing,
        caption.lighting.conditions,
        caption.aesthetics.color_scheme,
        caption.cinematography.framing,
    ):
        assert value == IN_FRAME
    assert caption.background_setting == f"{IN_FRAME}."
    assert "first frame" in woman.description
    assert "starts from the given image" in caption.temporal_caption
    assert caption.cinematography.camera_motion == "the camera pulls back."


async def test_the_same_request_gets_the_same_caption() -> None:
    first, second = [await Rules(RulesConfig()).upsample(request(PROMPTS[0])) for _ in range(2)]
    assert first.model_copy(update={"seconds": 0}) == second.model_copy(update={"seconds": 0})


@pytest.mark.parametrize("fence", ["", "```json\n", "```\n", "```JSON\n"])
async def test_a_caption_is_not_upsampled_again(fence: str) -> None:
    given = upsample(request("A cat. The camera pans left, then pushes in"))
    prompt = f"  {fence}{given.text()}" + ("\n```\n" if fence else "")
    caption = await Rules(RulesConfig()).upsample(
        CaptionRequest(prompt=prompt, width=320, height=192, num_frames=61, fps=30)
    )
    assert caption.source == "upsample"
    assert isinstance(caption.structured, StructuredCaption)
    assert caption.structured.subjects == given.subjects
    assert (caption.structured.duration, caption.structured.fps) == ("2s", 30)
    assert caption.structured.resolution.W == 320
    assert [s.time_range for s in caption.structured.segments] == ["0:00-0:02", "0:02-0:02"]


@pytest.mark.parametrize(
    "prompt",
    [
        '{"temporal_caption": "A cat runs", "duration": "5s"}',
        '```json\n{"anything": [1, 2]}\n```',
        "```json\nnot even an object\n```",
        '```json\n{"cut": "off',
        '{"subjects": null, "segments": "none", "actions": [1]}',
        "{}",
    ],
)
async def test_another_schema_is_passed_on_as_it_is(prompt: str) -> None:
    caption = await Rules(RulesConfig()).upsample(request(prompt))
    assert (caption.source, caption.prompt, caption.structured) == ("raw", prompt, None)


@pytest.mark.parametrize("prompt", ["[1, 2]", '{"half": ', '"A cat"', "A cat ```json {}```", "{a cat}"])
async def test_other_text_is_upsampled(prompt: str) -> None:
    assert (await Rules(RulesConfig()).upsample(request(prompt))).source == "upsample"


async def test_scene_imagination_is_removed() -> None:
    given = json.loads(upsample(request("A cat")).text())
    caption = await Rules(RulesConfig()).upsample(request(json.dumps({"scene_imagination": "notes", **given})))
    assert "scene_imagination" not in caption.prompt
    assert isinstance(caption.structured, StructuredCaption)


@pytest.mark.parametrize(
    "prompt", ["", " ", "\n", "\x00\x01\x1b[31m", "\u200b", "!!!", "\u202e evil", "a\x00cat\x07 runs"]
)
def test_strange_text(prompt: str) -> None:
    caption = upsample(request(prompt))
    assert StructuredCaption.parse(caption.text()) == caption


@pytest.mark.parametrize(
    "piece",
    [
        "a ",
        "the red ",
        '"',
        "camera pans ",
        "tracking shot of, ",
        "the camera follows it, then it. ",
        "the camera of ",
        "0:00-",
        "{",
        "\n",
        "no ",
        "a dog and ",
        "éß猫",
        "(((",
        "-",
        "\u201c",
        "'s ",
    ],
)
async def test_bounded_time(piece: str) -> None:
    prompt = (piece * 5000)[:5000]
    start = time.process_time()
    await Rules(RulesConfig()).upsample(request(prompt))
    assert time.process_time() - start < 0.2


STILL = "nearly static"


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("A robot drives through a hall. The camera follows the robot.", "The camera follows the robot."),
        ("tracking shot of a robot", "tracking shot of a robot"),
        ("First-person view from the robot's head camera", "First-person view from the robot's head camera"),
        ("A robot folds a towel, wrist-mounted camera view", "wrist-mounted camera view"),
        ("Egocentric video of hands folding a towel", "Egocentric video of hands folding a towel"),
        ("A dolly zoom on a detective", "A dolly zoom on a detective"),
        ("A lake, no camera shake", "no camera shake"),
        ("Ein Hund rennt, die Kamera folgt ihm", "die Kamera folgt ihm"),
        ("\u4e00\u53ea\u718a\u732b\uff0c\u955c\u5934\u8ddf\u968f", "\u955c\u5934\u8ddf\u968f"),
    ],
)
async def test_camera_words_that_are_not_understood_are_passed_on(prompt: str, words: str) -> None:
    caption = await Rules(RulesConfig()).upsample(request(prompt))
    assert isinstance(caption.structured, StructuredCaption)
    assert words in caption.structured.cinematography.camera_motion
    assert all(words in segment.camera for segment in caption.structured.segments)
    assert STILL not in caption.prompt
    assert any(words in note for note in caption.notes) == ("no camera" not in prompt)


@pytest.mark.parametrize(
    ("prompt", "words", "segment"),
    [
        ("A car. The camera trucks left.", "The camera trucks left.", "The camera trucks left."),
        ("A tower, crane up", "crane up.", "The camera cranes up."),
        ("A dog runs, tracking shot to the right", "tracking shot to the right.", "The camera tracks right."),
        ("A crane shot up the facade", "A crane shot up the facade.", "The camera cranes up."),
        ("A vase, slow arc left", "slow arc left.", "The camera slowly arcs to the left."),
        ("A vase, the camera pedestals down", "the camera pedestals down.", "The camera pedestals down."),
        ("A wide shot of a car moving left, static camera", "A wide shot. static camera.", "completely static"),
    ],
)
async def test_the_users_verb_is_kept(prompt: str, words: str, segment: str) -> None:
    caption = await Rules(RulesConfig()).upsample(request(prompt))
    assert isinstance(caption.structured, StructuredCaption)
    assert caption.structured.cinematography.camera_motion == words
    assert segment in caption.structured.segments[0].camera
    assert caption.notes == ()


@pytest.mark.parametrize(
    "prompt",
    [
        "A cat sleeps",
        "A woman walks toward the camera",
        "A robot approaches the camera",
        "A photographer cleans a camera",
        "A basketball player takes a shot",
        "A room with a view",
    ],
)
async def test_only_silence_about_the_camera_is_stillness(prompt: str) -> None:
    caption = await Rules(RulesConfig()).upsample(request(prompt))
    assert isinstance(caption.structured, StructuredCaption)
    assert STILL in caption.structured.cinematography.camera_motion
    assert caption.notes == ()


@pytest.mark.parametrize(
    ("prompt", "subject", "action"),
    [
        ("No people, no cars", "The scene as a whole", "goes on"),
        ("A street, no people or cars", "A street", ""),
        ("Film noir: a detective walks down an alley", "A detective", "walks down an alley"),
        ("early morning fog", "The scene as a whole", "goes on"),
        ("Early morning fog over a harbour, a boat drifts", "A boat", "drifts"),
        ("Rain falls on a tin roof", "Rain", "falls on a tin roof"),
        ("The camera trucks left.", "The scene as a whole", "goes on"),
        ("AMR with a pallet drives through a warehouse", "AMR", "drives through a warehouse"),
        ("A woman in a red coat waits", "A woman", "waits"),
        ("A park with a dog running", "A dog", "running"),
        ("A dog without a leash runs on a beach", "A dog", "runs on a beach"),
        ("A robot no longer moves", "A robot", "no longer moves"),
        ("Two forklifts pass each other in a loading dock", "Two forklifts", "pass each other in a loading dock"),
        ("A pair of hands chop carrots on a board", "A pair of hands", "chop carrots on a board"),
        ("A tractor ploughs a field", "A tractor", "ploughs a field"),
        ("The gripper picks up a red mug", "The gripper", "picks up a red mug"),
        ("Dashcam view of a car merging onto a highway in rain", "A car", "merging onto a highway in rain"),
        ("A crane lifts a container", "A crane", "lifts a container"),
        ("We follow a robot down a corridor", "A robot", ""),
        ("A tall building at sunrise", "A tall building", ""),
        ("A black and white cat sits", "A black-and-white cat", "sits"),
    ],
)
def test_the_main_subject(prompt: str, subject: str, action: str) -> None:
    main = upsample(request(prompt)).subjects[0]
    assert main.description == subject
    assert main.action.startswith(action)


@pytest.mark.parametrize(
    ("prompt", "setting"),
    [
        ("Two forklifts pass each other in a loading dock", "A loading dock: a large indoor hall"),
        ("A pair of hands chop carrots on a board", "A board: an indoor room"),
        ("A tractor ploughs a field", "Open ground"),
        ("The gripper picks up a red mug", "A large indoor hall"),
        ("The gripper picks up a red mug in a kitchen", "A kitchen: an indoor room"),
        ("Dashcam view of a car merging onto a highway in rain", "A highway: a road"),
        ("A car in a forest", "A forest: tree trunks"),
        ("A portrait, shallow depth of field", "An uncluttered setting"),
    ],
)
def test_the_setting(prompt: str, setting: str) -> None:
    assert upsample(request(prompt)).background_setting.startswith(setting)


def test_the_same_thing_is_one_subject() -> None:
    assert len(upsample(request("A robot waits. Then the robot waves.")).subjects) == 1


def test_film_noir_is_black_and_white() -> None:
    assert upsample(request("Film noir: a detective smokes")).aesthetics.color_scheme == "Black and white"


@pytest.mark.parametrize(
    ("prompt", "clause"),
    [
        ("Ein Zug f\u00e4hrt durch die Alpen, Sonnenaufgang", "Ein Zug f\u00e4hrt durch die Alpen"),
        ("Der Roboter greift eine Tasse", "Der Roboter greift eine Tasse"),
        ("Una bailarina gira en un escenario oscuro", "Una bailarina gira en un escenario oscuro"),
        ("\u4e00\u53ea\u718a\u732b\u3002\u7af9\u5b50", "\u4e00\u53ea\u718a\u732b"),
        ("\U0001f680\U0001f315", "\U0001f680\U0001f315"),
    ],
)
async def test_another_language_is_passed_on(prompt: str, clause: str) -> None:
    caption = await Rules(RulesConfig()).upsample(request(prompt))
    assert isinstance(caption.structured, StructuredCaption)
    assert [subject.description for subject in caption.structured.subjects] == [clause]
    assert caption.structured.background_setting == "As described in the prompt."
    assert caption.structured.lighting.conditions == "As described in the prompt"
    assert STILL not in caption.prompt
    assert "No English" in caption.notes[-1]


@pytest.mark.parametrize("prompt", ["cat", "Waves crash on rocks", "Flowers die in the snow", "A caf\u00e9 at night"])
async def test_english_is_recognised(prompt: str) -> None:
    assert (await Rules(RulesConfig()).upsample(request(prompt))).notes == ()


async def test_json_of_another_schema_is_noted() -> None:
    assert "schema" in (await Rules(RulesConfig()).upsample(request('{"a": 1}'))).notes[0]
