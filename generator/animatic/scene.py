"""Which painter paints which place."""

from generator.animatic import city, desert, forest, interior, nature
from generator.animatic.world import Place, World

_PAINTERS = {
    "sea": nature.paint_sea,
    "lake": nature.paint_lake,
    "mountains": nature.paint_mountains,
    "forest": forest.paint_forest,
    "desert": desert.paint_desert,
    "field": nature.paint_field,
    "road": nature.paint_road,
    "city": city.paint_skyline,
    "street": city.paint_street,
    "hall": interior.paint_hall,
    "room": interior.paint_room,
}


def paint_place(world: World) -> Place:
    """Paint the scenario's place."""
    return _PAINTERS[world.scenario.place](world)
