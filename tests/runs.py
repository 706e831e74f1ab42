"""Example runs with real little clips, for tests of what shows a run to people."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from agent.run import Run
from agent.types import (
    Budget,
    Canaries,
    Candidate,
    Choice,
    Draft,
    Duel,
    Ending,
    Entrant,
    Failure,
    Request,
    Tier,
)
from critic.canaries.types import Canary, SelfTest
from critic.types import Axis, Comparison, Critique, Defect, Score, Trace
from generator.types import RenderSpec
from reasoner.caption import (
    Action,
    Aesthetics,
    Cinematography,
    Lighting,
    MotionCaption,
    Resolution,
    Segment,
    StructuredCaption,
    Subject,
)
from reasoner.chat.types import Usage
from reasoner.types import Caption, Edit
from tests.clips import SPEC, write_clip

Maker = Callable[[Path], Run]
PROMPT = (
    "A red lighthouse on a cliff at dusk, waves rolling in below. "
    "The camera pushes in slowly and then pans right across the bay."
)
CRITERIA: Sequence[tuple[str, Axis, float, float]] = (
    ("camera", "adherence", 2.0, 0.5),
    ("motion", "motion", 1.5, 0.3),
    ("frozen", "motion", 1.0, 0.5),
    ("duplicates", "motion", 1.0, 0.4),
    ("cuts", "consistency", 1.0, 0.5),
    ("black", "quality", 1.0, 0.5),
    ("flicker", "consistency", 1.0, 0.3),
    ("shake", "motion", 1.0, 0.2),
    ("warping", "consistency", 1.0, 0.3),
    ("blur", "quality", 1.0, 0.2),
    ("noise", "quality", 1.0, 0.2),
    ("blockiness", "quality", 0.5, 0.0),
    ("banding", "quality", 0.5, 0.0),
    ("exposure", "quality", 1.0, 0.3),
    ("saturation", "quality", 0.5, 0.0),
)
"""Name, axis, weight, floor."""


def caption(camera: str = "The camera moves.", light: str = "Warm dusk light.") -> StructuredCaption:
    """A whole scene in which only the camera and the light are given."""
    return StructuredCaption(
        subjects=(
            Subject(
                description="A red lighthouse with a white gallery",
                appearance_details="Weathered brick, a glass lantern room",
                relationship="Stands alone above the surf",
                location="right midground",
                relative_size="Medium within frame",
                orientation="upright",
                pose="",
                action="Its lamp turns steadily",
                state_changes="",
            ),
        ),
        background_setting="A rocky cliff over a wide bay, waves rolling in below",
        lighting=Lighting(
            conditions=light,
            direction="from the left horizon",
            shadows="long and soft",
            illumination_effect="a warm rim",
        ),
        aesthetics=Aesthetics(
            composition="rule of thirds", color_scheme="amber and slate blue", mood_atmosphere="calm and expectant"
        ),
        cinematography=Cinematography(
            camera_motion=camera,
            framing="wide shot",
            camera_angle="eye level",
            depth_of_field="deep",
            focus="everything sharp",
            lens_focal_length="35 mm",
        ),
        style_medium="live-action film",
        artistic_style="naturalistic",
        context="An evening on a northern coast",
        actions=(Action(time="0:00-0:02", description="Waves roll in and break on the rocks"),),
        segments=(
            Segment(
                segment_index=0, time_range="0:00-0:02", description="The bay at dusk", key_changes="", camera=camera
            ),
        ),
        temporal_caption=f"Dusk over a bay. {camera} Waves break below a red lighthouse.",
        audio_description="Surf and wind",
        resolution=Resolution(H=SPEC.height, W=SPEC.width),
        aspect_ratio="16,9",
        duration="2s",
        fps=SPEC.fps,
    )


def critique(values: Mapping[str, float], *, defects: Sequence[Defect] = (), seed: int = 0) -> Critique:
    """A critique with the given values and near-flawless ones for the rest."""
    scores = [
        Score(
            criterion=name,
            axis=axis,
            value=values.get(name, 0.97),
            weight=weight,
            floor=floor,
            explanation=f"{name.capitalize()}: measured {1 - values.get(name, 0.97):.3f} of the clip, {index} allowed.",
            measured=1 - values.get(name, 0.97),
            unit="share",
        )
        for index, (name, axis, weight, floor) in enumerate(CRITERIA)
    ]
    lowest = min(scores, key=lambda s: s.value)
    wave = [math.sin(n / 7 + seed) for n in range(48)]
    return Critique.of(
        scores,
        feedback=f"{lowest.criterion}: a push in was asked for, and the picture grows by 3 % only.\n"
        f"flicker: the light jumps at 0:01 by {4 + seed % 3} levels.",
        rubric="signals/1",
        judge="signals/1",
        seconds=0.4,
        defects=defects,
        traces=(
            Trace(name="motion", unit="%/frame", values=tuple(0.8 + 0.3 * w for w in wave)),
            Trace(
                name="flicker",
                unit="levels",
                values=tuple(0.4 + (4 if n in (20, 21, 22) else 0.2 * w) for n, w in enumerate(wave)),
            ),
            Trace(name="sharpness", unit="dB", values=tuple(34 + 2 * w for w in wave)),
        ),
    )


def begin(folder: Path, *, prompt: str = PROMPT, spec: RenderSpec = SPEC, **changes: object) -> Run:
    """A run that has done nothing yet, in a folder with its config."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(f"request:\n  size: {spec.width}x{spec.height}\nbudget:\n  max_iterations: 3\n")
    run = Run(
        id=folder.name,
        folder=folder,
        created_at=datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC),
        request=Request(
            prompt=prompt,
            spec=spec,
            seed=4100,
            notes=("size: 360x200 was asked for; 320x192 is the nearest that Cosmos3 was trained on",),
        ),
        budget=Budget(max_iterations=3, samples_per_iteration=3, max_renders=12),
        accept_at=0.9,
        versions={"cosmos-retake": "0.1.0", "python": "3.11.2", "av": "18.1.0"},
    )
    return run.model_copy(update=changes)


def candidate(
    run: Run, iteration: int, seed: int, values: Mapping[str, float], tier: Tier = "target", **clip: float
) -> Candidate:
    """A candidate whose clip lies where the run would have put it."""
    spec = run.request.spec_for(run.iterations[iteration].caption, tier)
    defects = (
        Defect(criterion="flicker", start=0.85, end=1.0, words="the light jumps by 4 levels"),
        Defect(criterion="camera", start=0.0, end=2.04, words="asked to push in, hardly moves"),
    )
    made = write_clip(run.clip_path(iteration, seed), spec, seed=seed, **clip)
    return Candidate(
        clip=made, critique=critique(values, seed=seed, defects=defects if min(values.values()) < 0.6 else defects[:1])
    )


def good(folder: Path) -> Run:
    """Three iterations of up to three candidates: accepted in the last, one render failed in the second."""
    run = begin(folder)
    camera = ("The camera moves.", "The camera clearly pushes in, all the way.")
    last = "The camera clearly pushes in, then pans right across the bay in one sweeping move."
    light = ("Warm dusk light.", "Warm, constant dusk light, bright and well exposed.")
    captions = [
        Caption(
            prompt=caption(camera[0], light[0]).text(),
            structured=caption(camera[0], light[0]),
            source="upsample",
            reasoner="rules/1",
            seconds=0.02,
        ),
        Caption(
            prompt=caption(camera[1], light[0]).text(),
            structured=caption(camera[1], light[0]),
            source="rewrite",
            edits=(
                _edit("cinematography.camera_motion", camera, "camera"),
                _edit("segments.0.camera", camera, "camera"),
            ),
            diagnosis="A prompt problem: the caption names no move, so the camera drifts.",
            reasoner="rules/1",
            seconds=0.03,
        ),
        Caption(
            prompt=caption(last, light[1]).text(),
            structured=caption(last, light[1]),
            source="rewrite",
            edits=(
                _edit("cinematography.camera_motion", (camera[1], last), "camera"),
                _edit("lighting.conditions", light, "flicker"),
            ),
            diagnosis="A prompt problem: the second move is missing, and the light is free to change.",
            reasoner="rules/1",
            seconds=0.03,
        ),
    ]
    values = [
        [{"camera": 0.31, "flicker": 0.62}, {"camera": 0.45, "flicker": 0.7}, {"camera": 0.38, "noise": 0.72}],
        [{"camera": 0.66, "flicker": 0.61}, {"camera": 0.72, "banding": 0.7}],
        [{"camera": 0.86, "flicker": 0.9}, {"camera": 0.93}, {"camera": 0.79, "shake": 0.81}],
    ]
    for index, (words, row) in enumerate(zip(captions, values, strict=True)):
        run = run.with_caption(words, (4100, 4101, 4102))
        for n, scores in enumerate(row):
            run = run.with_candidate(candidate(run, index, 4100 + n, scores, zoom=0.1 + 0.2 * index))
        if index == 1:
            message = "rendering seed 4102: the encoder stopped after 12 frames; free some memory or lower the size"
            run = run.with_failure(Failure(step="render", seed=4102, message=message))
    return run.stopped(Ending(reason="accepted"))


def _edit(field: str, words: tuple[str, str], criterion: str) -> Edit:
    return Edit(
        field=field,
        before=words[0],
        after=words[1],
        criterion=criterion,
        reason=f"The critic's lowest criterion is {criterion}: say plainly what should be seen.",
    )


def failed(folder: Path) -> Run:
    """No candidate at all: one render failed, one clip could not be judged."""
    run = begin(folder).with_caption(Caption.raw(PROMPT), (4100, 4101))
    run = run.with_failure(
        Failure(
            step="render",
            seed=4100,
            message="rendering seed 4100: the server at http://localhost:8091 refused the connection; "
            "start it, or correct generator.endpoints",
        )
    )
    clip = write_clip(run.clip_path(0, 4101), seed=4101)
    run = run.with_failure(
        Failure(
            step="judge",
            seed=4101,
            message="judging the clip of seed 4101: 01-seed-4101.mp4 does not decode",
            clip=clip,
        )
    )
    return run.stopped(Ending(reason="failed"))


def running(folder: Path) -> Run:
    """The first iteration is done, the second has one of three candidates."""
    run = good(folder)
    return run.model_copy(
        update={
            "iterations": (
                run.iterations[0],
                run.iterations[1].model_copy(update={"candidates": run.iterations[1].candidates[:1], "failures": ()}),
            ),
            "ending": None,
        }
    )


def many(folder: Path, count: int) -> Run:
    """One iteration with `count` candidates, all of one clip's bytes."""
    run = begin(folder).with_caption(
        Caption(prompt=caption().text(), structured=caption(), source="upsample", reasoner="rules/1"),
        tuple(range(4100, 4100 + count)),
    )
    first = write_clip(run.clip_path(0, 4100), seed=4100)
    for n in range(count):
        path = run.clip_path(0, 4100 + n)
        path.write_bytes(first.path.read_bytes())
        clip = first.model_copy(update={"path": path, "seed": 4100 + n})
        run = run.with_candidate(Candidate(clip=clip, critique=critique({"camera": 0.4 + 0.4 * n / count}, seed=n)))
    return run.stopped(Ending(reason="iterations"))


QUESTIONS: Sequence[tuple[str, Axis, float, str]] = (
    ("lighthouse_is_red", "adherence", 0.5, "Is there a red lighthouse on a cliff?"),
    ("camera_pushes_in_slowly", "adherence", 0.5, "Does the camera move towards the lighthouse, slowly?"),
    ("camera_pans_right_after_push", "adherence", 0.3, "After moving in, does the view turn to the right?"),
    ("waves_roll_in", "adherence", 0.3, "Do waves roll in at the foot of the cliff?"),
    ("waves_break_on_rocks", "physics", 0.0, "Do the waves break where they meet the rocks?"),
    ("lamp_turns_at_constant_speed", "physics", 0.0, "Does the lamp of the tower turn without jumps?"),
    ("lighthouse_keeps_its_shape", "consistency", 0.4, "Does the tower keep its shape from first to last frame?"),
    ("first_frame_continues", "first_frame", 0.5, "Does the clip begin as the given picture?"),
    ("no_text_or_watermark", "quality", 0.0, "Is the picture free of writing that was not asked for?"),
)
"""Name, axis, floor, question of a made-up checklist."""
METHODS: Sequence[Literal["logprobs", "reply", "inherited"]] = ("logprobs", "logprobs", "inherited", "reply")
USAGE = Usage(
    calls=19,
    prompt_tokens=48_210,
    completion_tokens=1_204,
    cached_tokens=39_900,
    seconds=31.5,
    cache_queries=48_210,
    cache_hits=40_016,
)
NOTES = ("Shown to the model as 8 frames of 448\N{MULTIPLICATION SIGN}256, 4 a second, as pre-split JPEG frames.",)


def asked_critique(values: Mapping[str, float], seed: int = 0) -> Critique:
    """A critique of measured signals and asked questions: 24 criteria, notes and usage."""
    measured = critique(values, seed=seed)
    questions = [
        Score(
            criterion=name,
            axis=axis,
            value=values.get(name, 0.95 - 0.05 * (index % 3)),
            weight=1.0,
            floor=floor,
            explanation=f"{question} Yes with probability {values.get(name, 0.95 - 0.05 * (index % 3)):.2f}.",
            method=METHODS[index % 4],
        )
        for index, (name, axis, floor, question) in enumerate(QUESTIONS)
    ]
    return Critique.of(
        [*measured.scores, *questions],
        feedback="0:01 The tower's top melts for a moment.\n0:00 The camera stands still where it was to move in.",
        rubric="checklist/1",
        judge="hybrid/1 tiny-cosmos3-reasoner",
        seconds=12.25,
        defects=(Defect(criterion="lighthouse_keeps_its_shape", start=1.0, end=1.4, words="the tower's top melts"),),
        traces=measured.traces,
        notes=NOTES,
        usage=USAGE,
    )


def asked(folder: Path) -> Run:
    """The first caption fell back to the user's words; the second is short, with a negative prompt of its own."""
    run = begin(folder)
    why = (
        "expanding the prompt: tiny-cosmos3-reasoner answered twice with what is no caption (cut at 2,048 tokens); "
        "raise reasoner.sampling.max_tokens; the prompt is used as it was written."
    )
    spent = Usage(calls=2, prompt_tokens=3_120, completion_tokens=4_096, seconds=21.0)
    raw = Caption.raw(PROMPT, why, "openai/1 tiny-cosmos3-reasoner").model_copy(
        update={"seconds": 21.25, "usage": spent}
    )
    motion = MotionCaption(
        temporal_caption="The camera moves in on the red lighthouse and then turns right over the bay.",
        duration="2s",
        fps=SPEC.fps,
        resolution=Resolution(H=SPEC.height, W=SPEC.width),
        aspect_ratio="16,9",
    )
    edit = Edit(
        field="temporal_caption",
        before=PROMPT,
        after=motion.temporal_caption,
        criterion="camera_pushes_in_slowly",
        reason="The move was asked for and not seen: it is named first.",
    )
    short = Caption(
        prompt=motion.text(),
        structured=motion,
        negative_prompt="blurry, low quality, flickering, a melting tower, wobbling walls",
        source="rewrite",
        edits=(edit,),
        diagnosis="A prompt problem: the move stands at the end of a long sentence.",
        reasoner="openai/1 tiny-cosmos3-reasoner",
        seconds=8.5,
        usage=spent,
    )
    for index, (words, push) in enumerate(((raw, 0.21), (short, 0.71))):
        run = run.with_caption(words, (4100, 4101, 4102))
        for n in range(3):
            values = {"camera_pushes_in_slowly": push + 0.05 * n, "camera": push + 0.1, "flicker": 0.62 + 0.1 * n}
            made = write_clip(run.clip_path(index, 4100 + n), run.request.spec, seed=n, zoom=0.1 + 0.2 * index)
            made = made.model_copy(update={"seed": 4100 + n, "seconds": 1_234.5})
            run = run.with_candidate(Candidate(clip=made, critique=asked_critique(values, seed=n)))
    return run.stopped(Ending(reason="iterations"))


CHEAP = SPEC.model_copy(update={"width": 160, "height": 96, "num_frames": 25})
ASSUMES = (
    "Captions are compared by drafts of 160x96, 25 frames, 35 steps, each taken to cost 1/7.5 of a render as asked. "
    "That drafts rank captions as renders of 256p do is assumed: it was never measured for painted."
)
"""What `agent.drafts` writes of these drafts."""


def compared(folder: Path) -> Run:
    """Two captions drafted on two seeds each, neither promoted yet."""
    draft = Draft(spec=CHEAP, promote=2, seeds=2, ratio=7.5, assumes=ASSUMES)
    budget = Budget(max_iterations=2, samples_per_iteration=2, max_renders=12)
    run = begin(folder, budget=budget, canaries=Canaries())
    run = run.model_copy(update={"request": run.request.model_copy(update={"draft": draft})})
    pushes = "The camera clearly pushes in, all the way."
    first, second = caption(), caption(pushes)
    edit = _edit("cinematography.camera_motion", ("The camera moves.", pushes), "camera")
    captions = (
        Caption(prompt=first.text(), structured=first, source="upsample", reasoner="rules/2", seconds=0.02),
        Caption(
            prompt=second.text(),
            structured=second,
            source="rewrite",
            edits=(edit,),
            verdict="prompt_problem",
            diagnosis="The caption names no move, so the camera drifts.",
            reasoner="rules/2",
            seconds=0.03,
        ),
    )
    for index, (words, row) in enumerate(zip(captions, ((0.41, 0.45), (0.82, 0.9)), strict=True)):
        run = run.with_caption(words, (4100, 4101), "draft")
        for n, push in enumerate(row):
            values = {"camera": push, "noise": 0.74}
            run = run.with_candidate(candidate(run, index, 4100 + n, values, "draft", zoom=0.1 + 0.2 * index))
    return run


def promoted(folder: Path) -> Run:
    """Both captions of `compared` rendered as asked too, on two seeds each: the better drafts came out better."""
    run = compared(folder)
    for source, row in ((1, (0.72, 0.94)), (0, (0.71, 0.5))):
        run = run.with_caption(run.iterations[source].caption.once_more(), (4100, 4101), "target", source)
        for n, push in enumerate(row):
            values = {"camera": push, "flicker": 0.91}
            run = run.with_candidate(candidate(run, len(run.iterations) - 1, 4100 + n, values, zoom=0.3 + 0.1 * n))
    return run


CANARIES = (
    Canary.of("frozen", 0.1, 0.93),
    Canary.of("reversed", 0.71, 0.93),
    Canary.of("shuffled", 0.92, 0.93),
)
TEST = SelfTest.of(
    CANARIES,
    critic="hybrid/1 tiny-cosmos3-reasoner",
    control=0.93,
    seconds=14.5,
    unjudged={"prompt_swapped": "the model answered twice with what is no yes or no"},
    usage=Usage(calls=30, prompt_tokens=61_000, completion_tokens=30, seconds=12.0),
    notes=("The other prompt was: A chef chops red onions on a wooden board.",),
)
"""AUC 0.75: two told, one tied, one not judged."""


def chosen(folder: Path, *, least: float = 0.7) -> Run:
    """`promoted`, its critic tested, its near-equal clips compared in both orders, and not the highest one chosen."""
    run = promoted(folder).with_test(TEST, Entrant(iteration=0, seed=4100))
    run = run.model_copy(update={"canaries": Canaries(least_auc=least)})
    among = (Entrant(iteration=2, seed=4101), Entrant(iteration=2, seed=4100), Entrant(iteration=3, seed=4100))
    for one, other, orders in ((0, 1, (0.22, 0.31)), (0, 2, (0.81, 0.34)), (1, 2, (0.56, 0.52))):
        found = Comparison.of(
            orders,
            judge="pairwise/1 tiny-cosmos3-reasoner",
            method="logprobs",
            seconds=2.5,
            notes=("Each clip was shown as 6 frames.",),
            usage=Usage(calls=2, prompt_tokens=6_100, completion_tokens=2, seconds=2.4),
        )
        run = run.with_duel(Duel(first=among[one], second=among[other], comparison=found))
    words = "3 candidates are within 0.05 of the best score; of 3 comparisons in both orders 2 are ties. "
    choice = Choice(chosen=among[1], among=among, by="comparison", words=f"{words}The chosen one won most.")
    return run.with_choice(choice).stopped(Ending(reason="iterations"))
