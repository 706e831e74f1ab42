"""What a user's prompt allows: words that make a measured effect wanted instead of wrong."""

import re
from typing import Final

_WORDS: Final = {
    "dark": """night, night time, midnight, moonlit, moonlight, starlit, starry, nocturnal, low key,
        dim, dimly, dark, darkness, darkened, silhouettes?, silhouetted, candle lit, candle light,
        underexposed, noir, pitch black, cave, shadowy, gloomy, unlit, deep sea, outer space""",
    "bright": """high key, overexposed, blown out, blinding, dazzling, glaring, white background, white
        room, white out, snow, snowy, snowfield, blizzard, backlit, lens flares?, against the sun""",
    "soft": """fog, foggy, mist, misty, haze, hazy, soft focus, out of focus, dreamy, dreamlike,
        blur, blurred, blurry, shallow depth of field, shallow focus, bokeh, underwater, watercolou?r,
        smoke, smoky, steam, steamy, blizzard, rack focus, tilt shift""",
    "grain": """grain, grainy, gritty, 16 ?mm, 8 ?mm, super 8, vhs, analog(?:ue)? film, old film,
        found footage, static noise, camcorder, security camera, cctv, snowfall, snow storm, snowflakes,
        blizzard, rain, rainy, rain storm""",
    "flicker": """flicker, flickers, flickering, neon, candles?, candle lit, candle light, strobes?,
        strobing, lightning, thunder storm, firelight, fire, campfire, bonfire, flames?, torch, torches,
        torch light, fireworks, disco, time lapse, hyper lapse, blink, blinks, blinking, glitch,
        glitches, glitchy, explosions?, welding, old film, flashes, flashing, police lights""",
    "still": """still life, motionless, completely still, perfectly still, freeze frame, frozen in
        time, time stands still, time stops, living photo, cinemagraph, nothing moves""",
    "cuts": """cuts? to, cutting to, jump cuts?, smash cuts?, hard cuts?, quick cuts, montage, shot
        changes?, multiple shots, several shots, scene changes?, cross cut, cross cuts, cross cutting,
        cut between, music video, trailer""",
    "black": """fades? from black, fades? to black, fades? into black, fades? out to black, fades? in
        from black, fades? through black, fades? out, fades? in, black screen, black out, cuts? to
        black, lights go out""",
    "vivid": """neon, vivid, vibrant, saturated, psychedelic, cyberpunk, synthwave, vaporwave,
        technicolou?r, candy colou?red, rainbow, bold colou?rs, bright colou?rs, monochromatic, sunset,
        sunrise, golden hour, lava, stage lights, red light, blue light""",
    "unsteady": """hand held, shaky, shaking, earthquake, bumpy, turbulent, turbulence, jittery, found
        footage, body cam, helmet cam, action cam, gopro, camera shake, trembling, off road""",
    "fluid": """underwater, heat haze, heat shimmer, shimmer, shimmers, shimmering, ripples?,
        rippling, morph, morphs, morphing, melt, melts, melting, psychedelic, surreal, rain, rainy,
        raining, rain storm, snowing, snowfall, snow storm, snowflakes, blizzard, downpour, waves?,
        ocean, sea, waterfall, rapids, flames?, fire, smoke, liquid, flowing""",
    "falling": """falling snow, snow falls, snowfall, snowing, snow storm, snowflakes, blizzard, rain, rainy, raining,
        rain storm, downpour, hail, confetti, falling leaves, drifting leaves, falling petals,
        embers, sparks""",
    "fast": "time lapse, hyper lapse, whip pan, fast paced, frantic, crash zoom, high speed",
}

WISHES: Final = {
    wish: re.compile(r"\b(?:" + "|".join(r"[\s-]?".join(phrase.split()) for phrase in phrases.split(",")) + r")\b")
    for wish, phrases in _WORDS.items()
}
"""By wish, the words of a prompt that express it. A rule, no understanding: "dark chocolate" asks for darkness."""

_SOME = r"(?:[ \t/-]+(?!but\b|with\b|then\b|just\b|only\b|and\b)[\w'-]+)"
_DENIED = re.compile(
    r"\b(?:no|not|without|never|avoid(?:s|ing)?|free (?:of|from)|lack(?:s|ing)?|neither|nor|rather than|instead of"
    r"|don't|isn't)\b"
    # a list that ends in "or" is denied as a whole: "no grain, blur or flicker"
    rf"(?:{_SOME}{{1,4}}?(?:,{_SOME}{{1,4}}){{0,4}},? (?:or|nor){_SOME}{{1,3}}|{_SOME}{{1,4}})"
    r"|\b[\w'-]+[ -]free\b"
)


def affirmed(prompt: str) -> str:
    """`prompt` in lower case, denied words blanked out: "no film grain", "free of flicker", "noise-free"."""
    return _DENIED.sub(lambda match: " " * len(match.group()), prompt.lower().replace("\u2019", "'"))


def wishes_of(prompt: str) -> frozenset[str]:
    """The keys of `WISHES` that `prompt` expresses and does not deny."""
    text = affirmed(prompt)
    return frozenset(wish for wish, words in WISHES.items() if words.search(text))
