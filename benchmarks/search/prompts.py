"""What is asked for: scenes of robots, vehicles and film, with one camera move, two, a held camera or none named."""

from typing import Final

PROMPTS: Final = (
    # robots
    "A delivery robot rolls through a warehouse past tall shelves. The camera pushes in.",
    "A robot arm picks parts from a conveyor in a factory. The camera pans right.",
    "A humanoid robot walks along a hospital corridor. The camera slowly pulls back.",
    "A welding robot in a dark workshop, sparks around it. Static shot, locked-off camera.",
    "A forklift carries a pallet across a loading dock. The camera pans left.",
    "A drone flies over a vineyard at dawn. The camera tilts down.",
    "A mobile robot crosses a busy plant floor. The camera pushes in, then pans left.",
    "A robot arm pours coffee in a kitchen. The camera orbits to the right.",
    "A humanoid robot waves in a museum. The camera slowly pushes in.",
    "A wheeled robot drives down a supermarket aisle. The camera pulls out.",
    "A Mars rover crosses red dunes under a dusty sky. The camera pans right, then pushes in.",
    "A robot dog runs across a meadow on a bright day. The camera pans right.",
    "A robotic hand sorts coloured balls on a workbench. The camera tilts up.",
    # vehicles
    "A red car drives along a coastal road at sunset. The camera pans right.",
    "A blue truck climbs a mountain road in the evening. The camera pulls out.",
    "A yellow taxi waits at a crosswalk on a rainy night. The camera pushes in slowly.",
    "A tram passes through a downtown street in the fog. The camera pans left.",
    "A freight train crosses a snowy valley. The camera pans right, slowly.",
    "A white van parks beside a row of houses at noon. The camera orbits to the left.",
    "A sports car races down a desert highway at golden hour. The camera tilts up.",
    "A black sedan drives through a pine forest in the rain. The camera pulls back, then tilts up.",
    "A bus stops at an intersection at night, neon signs all around. Handheld camera.",
    "A sailing boat crosses a calm bay at golden hour. The camera slowly pushes in.",
    "A cargo ship leaves the harbour on an overcast day. The camera pans left.",
    "A jeep crosses a savanna in a dust storm. The camera pans left, then pulls out.",
    # film
    "A lighthouse on a cliff above a stormy sea. The camera pans left.",
    "A hot air balloon rises over misty mountains at dawn. The camera tilts up.",
    "A quiet bamboo grove in falling snow. Static shot on a tripod.",
    "A skyline at dusk. The camera rolls clockwise.",
    "An old fisherman stands at the edge of a lake in the mist. The camera pushes in.",
    "Two horses gallop across a field at sunset. The camera pans right.",
    "A couple walks down a lantern-lit alley at night. The camera pulls back.",
    "A fox crosses a snowy clearing in a forest under the moon. The camera pans left, slowly.",
    "An eagle glides above a canyon in late afternoon light. The camera rolls counter-clockwise.",
    "A dancer turns in an empty studio. The camera orbits to the right.",
    "Waves break on a rocky beach in a storm. The camera tilts down, then pushes in.",
    "A chef works in a small restaurant kitchen, steam rising. Handheld camera.",
    "A lone tree in a golden field while clouds pass.",
    "A waterfall in a rainforest at first light. The camera tilts up, slowly.",
    "A market street in heavy rain, people with umbrellas.",
)
