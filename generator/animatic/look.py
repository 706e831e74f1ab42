"""How a film shall look and behave, as far as words can ask for it."""

from dataclasses import dataclass, replace

from generator.animatic.caption import Caption
from generator.animatic.noise import dice
from generator.animatic.words import says

_STEADY = r"tripod[ -]?\w*|stabili[sz]ed|locked(?:[ -](?:off|down))?|steady|steadicam|gimbal|smooth\w*"
_SHARP = r"deep (?:focus|depth)|everything (?:is )?(?:in )?(?:sharp|focus)|(?:tack[ -])?sharp\w*|crisp\w*"
_BRIGHT = r"bright\w*|well[ -](?:exposed|lit)|high[ -]key|fully lit|luminous"
_DIM = r"dim\w*|dark\w*|underexposed|low[ -]key|gloomy|shadowy|murky|poorly lit"
_VIVID = r"vivid\w*|saturated|neon|vibrant|bold colou?rs?|colou?rful|lush"
_MUTED = r"muted|natural|pastel|desaturated|subdued|understated|monochrom\w*"
_SHAKY = r"hand[ -]?held|shaky|jitter\w*|camera shakes?|bumpy"
_SOFT = r"soft[ -]focus|dreamy|dream-like|hazy|blurr(?:y|ed)|gauzy|ethereal"
_SHALLOW = r"shallow|bokeh|blurred background|out of focus|narrow depth"
_GRAINY = r"film grain|grainy|gritty|grain|16 ?mm|super ?8|vintage|analog\w*"
_CLEAN = r"clean\w*|noise[ -]?free|pristine|crystal[ -]clear"
_CONSTANT = r"constant|even(?:ly)?(?: lit| light\w*)?|steady|unwavering|stable"
_FLICKERING = r"flicker\w*|candle\w*|firelight|strob\w*|neon|torch\w*|fluorescent"
_TEXTURED = r"textured?|textures|cloud detail\w*|detailed clouds|dither\w*|fine detail|structured"


@dataclass(frozen=True)
class Look:
    """What words ask of the picture. 1 is neutral unless said otherwise."""

    exposure: float
    """Gain on the picture."""
    saturation: float
    shake: float
    """Hand shake: 0 none, 1 handheld."""
    softness: float
    """0 everything sharp, 1 soft focus."""
    shallow: float
    """0 deep focus, 1 shallow depth of field."""
    grain: float
    """Film grain in 8-bit levels (standard deviation)."""
    flicker: float
    """Standard deviation of the light's gain from frame to frame."""
    activity: float
    """Speed and amount of the world's own motion."""
    textured: bool
    """Skies carry fine detail, so that they do not band."""
    open: frozenset[str]
    """Traits that no word decides."""


def read_look(caption: Caption, *, dark: bool) -> Look:
    """Read the look out of the fields where each trait belongs. `dark`: the scene plays at night or in a storm."""
    softness, shallow = _focus(caption)
    return Look(
        exposure=_exposure(caption.light, dark=dark),
        saturation=_saturation(caption.look),
        shake=_shake(caption),
        softness=softness,
        shallow=shallow,
        grain=_grain(caption.look, dark=dark),
        flicker=_flicker(caption.light),
        activity=_activity(caption.action),
        textured=says(f"{caption.look}. {caption.setting}", _TEXTURED),
        open=_open(caption),
    )


def _open(caption: Caption) -> frozenset[str]:
    camera = _camera_words(caption)
    said = {
        "exposure": says(caption.light, f"{_BRIGHT}|{_DIM}"),
        "saturation": says(caption.look, f"{_VIVID}|{_MUTED}"),
        "shake": says(camera, f"{_SHAKY}|{_STEADY}"),
        "softness": says(caption.lens, f"{_SHARP}|{_SHALLOW}") or says(f"{caption.lens}. {caption.look}", _SOFT),
        "grain": says(caption.look, f"{_GRAINY}|{_CLEAN}"),
        "flicker": says(caption.light, f"{_CONSTANT}|{_FLICKERING}"),
    }
    return frozenset(trait for trait, decided in said.items() if not decided)


def settled(look: Look, seed: int, *, from_image: bool) -> Look:
    """The look with what words leave open decided by the seed, as generators do: a vague prompt gets what it gets.

    Each trait has dice of its own, so that deciding one by a word leaves the others as they were on the same seed.
    A first frame has decided light, colour and focus already: words do not change them.
    """
    undecided = look.open
    if from_image:
        look = replace(look, exposure=1.0, saturation=1.0)
        undecided = look.open - {"exposure", "saturation", "softness"}

    def draw(trait: str, low: float, high: float) -> float:
        return float(dice(seed, "look", trait).uniform(low, high)) if trait in undecided else 0.0

    return replace(
        look,
        exposure=look.exposure * 2 ** draw("exposure", -0.5, 0.4),
        saturation=look.saturation * (1 + draw("saturation", -0.2, 0.4)),
        shake=look.shake + max(0.0, draw("shake", -0.2, 0.6)),
        softness=look.softness + max(0.0, draw("softness", -0.4, 0.8)),
        grain=look.grain + max(0.0, draw("grain", -1.5, 4.5)),
        flicker=look.flicker + max(0.0, draw("flicker", -0.02, 0.02)),
    )


def _exposure(light: str, *, dark: bool) -> float:
    gain = 1.0
    if says(light, _BRIGHT):
        gain *= 1.32 if dark else 1.12
    if says(light, _DIM):
        gain *= 0.66
    return gain


def _saturation(look: str) -> float:
    factor = 1.0
    if says(look, _VIVID):
        factor *= 1.35
    if says(look, _MUTED):
        factor *= 0.74
    return factor


def _camera_words(caption: Caption) -> str:
    return ". ".join((caption.camera, *(stretch.camera for stretch in caption.stretches)))


def _shake(caption: Caption) -> float:
    camera = _camera_words(caption)
    shake = 1.0 if says(camera, _SHAKY) else 0.1
    return shake * (0.3 if says(camera, _STEADY) else 1.0)


def _grain(look: str, *, dark: bool) -> float:
    grain = 1.7 if dark else 0.6
    if says(look, _GRAINY):
        grain = 6.0
    return min(grain, 0.4) if says(look, _CLEAN) else grain


def _focus(caption: Caption) -> tuple[float, float]:
    """Softness and shallowness."""
    sharp = 0.2 if says(caption.lens, _SHARP) else 1.0
    hazy = says(f"{caption.lens}. {caption.look}", _SOFT)
    shallow = says(caption.lens, _SHALLOW)
    return sharp * hazy, sharp * shallow


def _flicker(light: str) -> float:
    if says(light, _CONSTANT):
        return 0.0
    return 0.05 if says(light, _FLICKERING) else 0.0


def _activity(action: str) -> float:
    factor = 1.0
    if says(
        action, r"brisk\w*|vigorous\w*|constant(?:ly)?|energetic\w*|fast|rapid\w*|quick\w*|lively|visibl[ey] mov\w*"
    ):
        factor *= 1.7
    if says(action, r"calm\w*|motionless|(?:perfectly|completely|stands?|sits?) still|still (?:water|life|air)"):
        factor *= 0.4
    return factor
