import pytest

from critic.signals.words import wishes_of


@pytest.mark.parametrize(
    ("prompt", "wishes"),
    [
        ("A boat at noon", set()),
        ("A city at night", {"dark"}),
        ("Low-key portrait of a man", {"dark"}),
        ("A lowkey silhouette", {"dark"}),
        ("Knights in armour", set()),
        ("A fortnight later", set()),
        ("A foggy harbour", {"soft"}),
        ("Shot on 16mm with film grain", {"grain"}),
        ("A flickering candle", {"flicker"}),
        ("A candlelit room", {"dark", "flicker"}),
        ("A neon sign", {"flicker", "vivid"}),
        ("A still life with apples", {"still"}),
        ("The shot cuts to a street", {"cuts"}),
        ("A montage of cities", {"cuts"}),
        ("He cuts the bread", set()),
        ("The image fades to black", {"black"}),
        ("A time-lapse of clouds", {"flicker", "fast"}),
        ("A hand-held shot", {"unsteady"}),
        ("Waves on a beach", {"fluid"}),
        ("A forest in falling snow", {"bright", "falling"}),
        ("A train passes", set()),
        # denied
        ("A clean shot, no film grain", set()),
        ("No grain, blur or flicker", set()),
        ("Steady light without any flicker", set()),
        ("Free of flickering", set()),
        ("A flicker-free, fog-free picture", set()),
        ("It never gets dark", set()),
        ("Not handheld", set()),
        ("Avoid neon", set()),
        # a denial ends somewhere
        ("No people, only fog", {"soft"}),
        ("No wind and a candle", {"flicker"}),
        ("Without people. A dark street", {"dark"}),
        ("No grain but a dark room", {"dark"}),
    ],
)
def test_wishes(prompt: str, wishes: set[str]) -> None:
    assert wishes_of(prompt) == wishes
