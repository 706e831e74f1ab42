"""What prompts ask of the camera."""

import time

import pytest

from reasoner.camera import MOVES, requested_moves

CASES: list[tuple[str, tuple[tuple[str, ...], ...]]] = [
    # pans, trucks, tracks
    ("The camera pans left across the harbour.", (("pan_left",),)),
    ("The camera slowly pans to the left.", (("pan_left",),)),
    ("A beach at dusk, slow pan right", (("pan_right",),)),
    ("Pan left across a row of houses", (("pan_left",),)),
    ("A market, panning right past the stalls", (("pan_right",),)),
    ("The camera pans smoothly from left to right over the valley", (("pan_right",),)),
    ("the shot pans across the square to the left", (("pan_left",),)),
    ("The camera pans over the crowd", (("pan_right",),)),
    ("Camera trucks right alongside the train", (("pan_right",),)),
    ("Truck left past the warehouse shelves", (("pan_left",),)),
    ("The camera tracks left with the runner", (("pan_left",),)),
    ("The camera dollies to the right", (("pan_right",),)),
    ("Camera: pan to the left.", (("pan_left",),)),
    ("Camera movement: slow pan to the left.", (("pan_left",),)),
    ("A tracking shot from left to right of a cyclist", (("pan_right",),)),
    ("A man walks left. The camera slowly follows him.", ()),
    ("a dog runs across a meadow, tracking shot to the right", (("pan_right",),)),
    ("A dog runs, slow tracking shot left", (("pan_left",),)),
    ("A street, tracking shot of a robot rolling to the left", ()),
    # tilts, cranes
    ("The camera tilts up to the tower's top", (("tilt_up",),)),
    ("The camera tilts from the sky down to the street", (("tilt_down",),)),
    ("Tilt down to the shoes", (("tilt_down",),)),
    ("Crane up over the rooftops", (("tilt_up",),)),
    ("The camera booms up and the crowd cheers", (("tilt_up",),)),
    ("the camera pedestals down", (("tilt_down",),)),
    ("A jib shot; the camera rises above the trees", (("tilt_up",),)),
    ("The drone ascends over the glacier", (("tilt_up",),)),
    ("The camera descends into the canyon", (("tilt_down",),)),
    # push in, pull out
    ("The camera pushes in on her face", (("push_in",),)),
    ("Slow push in on a candle", (("push_in",),)),
    ("a slow push toward the door", (("push_in",),)),
    ("a lighthouse in a storm with a slow dolly-in", (("push_in",),)),
    ("zoom in on the dog", (("push_in",),)),
    ("A cat on a sofa, slow zoom on its eyes", (("push_in",),)),
    ("The camera moves closer to the painting", (("push_in",),)),
    ("The camera moves forward through the forest", (("push_in",),)),
    ("The camera glides into the hall", (("push_in",),)),
    ("The camera pulls back to reveal the city", (("pull_out",),)),
    ("The camera pulls out", (("pull_out",),)),
    ("The view slowly backs away from the house", (("pull_out",),)),
    ("Dolly out from the statue", (("pull_out",),)),
    ("A close-up of a face, slowly pulling back", (("pull_out",),)),
    ("We zoom out to see the whole island", (("pull_out",),)),
    ("POV walking forward through a corridor", (("push_in",),)),
    # orbits, rolls
    ("Orbit shot of a sneaker", (("orbit_right",),)),
    ("360-degree orbit around a car", (("orbit_right",),)),
    ("The camera orbits the statue", (("orbit_right",),)),
    ("The camera orbits to the left around the robot arm", (("orbit_left",),)),
    ("The camera arcs left around the car", (("orbit_left",),)),
    ("The camera circles around the dancer", (("orbit_right",),)),
    ("A vase on a plinth, slow orbit to the right", (("orbit_right",),)),
    ("The camera rolls clockwise", (("roll_right",),)),
    ("The camera rotates counter-clockwise", (("roll_left",),)),
    ("The camera rolls to the left", (("roll_left",),)),
    ("a dutch roll to the right", (("roll_right",),)),
    # how it is held
    ("Handheld footage of a street fight", (("handheld",),)),
    ("Shaky cam in a forest", (("handheld",),)),
    ("A wedding, filmed hand-held", (("handheld",),)),
    ("The camera shakes as the train passes", (("handheld",),)),
    ("Static shot of a pond", (("static",),)),
    ("A locked-off view of a desk", (("static",),)),
    ("A fixed camera watches the gate", (("static",),)),
    ("The camera is still.", (("static",),)),
    ("The camera remains completely static on a tripod", (("static",),)),
    ("Tripod shot of the harbour", (("static",),)),
    ("The camera does not move", (("static",),)),
    ("The camera doesn\u2019t move at all", (("static",),)),
    ("A quiet street, no camera movement", (("static",),)),
    ("A pond without moving the camera", (("static",),)),
    # several
    ("The camera pans left and tilts up", (("pan_left", "tilt_up"),)),
    ("The camera pans left, then pushes in", (("pan_left",), ("push_in",))),
    ("The camera pans left before pushing in", (("pan_left",), ("push_in",))),
    ("Before pushing in, the camera pans left", (("pan_left",), ("push_in",))),
    ("After panning left, the camera pushes in", (("pan_left",), ("push_in",))),
    ("The camera pushes in after panning left", (("pan_left",), ("push_in",))),
    ("The camera pans right. It tilts up. Finally it zooms out.", (("pan_right",), ("tilt_up",), ("pull_out",))),
    ("The camera pans right and then, after that, pulls back", (("pan_right",), ("pull_out",))),
    ("Static shot, then a slow push in", (("static",), ("push_in",))),
    ("Slow pan left followed by a zoom in", (("pan_left",), ("push_in",))),
    ("The camera pans left. Slow pan left over the roofs.", (("pan_left",),)),
    ("Handheld camera. It pushes in on a dog.", (("handheld", "push_in"),)),
    ("A handheld camera pans left, then tilts down", (("handheld", "pan_left"), ("tilt_down", "handheld"))),
    ("While panning left, the camera pushes in", (("pan_left", "push_in"),)),
    ("The camera orbits left as it rises", (("orbit_left", "tilt_up"),)),
    ("A tripod-mounted camera pans left", (("pan_left",),)),
    ("The camera pans left. Tripod-steady and stabilized.", (("pan_left",),)),
    ("A tripod-steady shot of a lake", (("static",),)),
    ("The camera pans left and then right", (("pan_left",), ("pan_right",))),
    ("The camera pans left and right", (("pan_left",), ("pan_right",))),
    ("The camera pans left, then right, then up", (("pan_left",), ("pan_right",), ("tilt_up",))),
    ("The camera pans left and up", (("pan_left", "tilt_up"),)),
    ("The camera slowly zooms in, then back out", (("push_in",), ("pull_out",))),
    ("The camera pans left. Houses stand left and right", (("pan_left",),)),
    ("The camera does not pan left or right", ()),
    ("The camera never pans left and then right", ()),
    # denied
    ("The camera makes no sudden movement", ()),
    ("A lake without panning", ()),
    ("no zoom, no pan left", ()),
    ("never shaky, the camera pushes in", (("push_in",),)),
    ("The camera never pans, tilts or zooms", ()),
    ("The camera does not pan left but tilts up", (("tilt_up",),)),
    ("The camera pushes in instead of panning left", (("push_in",),)),
    ("no camera shake", ()),
    ("The camera is not static", ()),
    ("The camera not only pans left but also tilts up", (("pan_left", "tilt_up"),)),
    # said of the scene, not of the camera
    ("The car pulls back from the kerb", ()),
    ("The boat drifts left", ()),
    ("A frying pan on a stove", ()),
    ("A pan left on the stove", ()),
    ("The dancer rotates", ()),
    ("Smoke rises", ()),
    ("Track and field athletes warm up", ()),
    ("A circle of friends", ()),
    ("The truck left the depot", ()),
    ("A truck rolls to the right", ()),
    ("A satellite in orbit around the Earth", ()),
    ("Gold miners panning for gold", ()),
    ("A woman looks at the camera and turns left", ()),
    ("A man with a handheld radio", ()),
    ("A still lake under a static sky", ()),
    ("A security camera rotates left", ()),
    ("A delivery drone flies forward over a street and rises", ()),
    ("Rolling hills rise to the left", ()),
    ("The camera follows the car as it pulls back", ()),
    ("A shaky old man on a fixed bench pushes in the door", ()),
    ("A roller coaster climbs up, then drops down", ()),
    ("A picture frame swings left", ()),
    ("A telescope on a tripod", ()),
    ("A dolly zoom on a detective", ()),
    ("", ()),
    ("   \n\t", ()),
    ("猫が走る。カメラ", ()),
]


@pytest.mark.parametrize(("prompt", "moves"), CASES, ids=[prompt[:48] for prompt, _ in CASES])
def test_moves(prompt: str, moves: tuple[tuple[str, ...], ...]) -> None:
    assert requested_moves(prompt) == moves


def test_every_move_is_in_the_table() -> None:
    assert {move for _, phases in CASES for phase in phases for move in phase} == set(MOVES)


def test_bounded_time() -> None:
    pieces = [
        "pan ",
        "the camera ",
        "not ",
        "slow ",
        "a drone ",
        "left to ",
        "- ",
        "\n",
        "a",
        "\u2019",
        "tilt-",
        "or pan, ",
    ]
    for piece in pieces:
        prompt = (piece * 5000)[:5000]
        start = time.process_time()
        requested_moves(prompt)
        assert time.process_time() - start < 0.2, piece
