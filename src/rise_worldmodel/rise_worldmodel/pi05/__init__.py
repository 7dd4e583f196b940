"""pi0.5 of Physical Intelligence: PaliGemma over images and prompt, and an action expert that reads along."""
