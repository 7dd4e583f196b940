"""What a policy is told to do, by the task's name: in simulation, and on real arms where nothing else is said."""

from __future__ import annotations

INSTRUCTIONS = {
    "brick_sorting": "Pick the bricks from the moving belt and put each into the bin of its colour.",
    "backpack_packing": "Open the backpack, put the clothes in, lift it so that they settle, and zip it closed.",
    "box_closing": "Put the cup into the box, fold the side flaps and the rear flap, and tuck in the tab.",
}
