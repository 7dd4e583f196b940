"""Our multi-view transformer is diffusers' LTX where views and per-frame conditions do not matter."""

import torch
from diffusers import LTXVideoTransformer3DModel

from rise_worldmodel.transformer import MultiViewTransformer

SIZES = {
    "in_channels": 6,
    "out_channels": 6,
    "num_attention_heads": 2,
    "attention_head_dim": 24,
    "num_layers": 2,
    "caption_channels": 10,
}


def _inputs(views: int) -> dict[str, torch.Tensor]:
    return {
        "hidden_states": torch.randn(2, views, 3, 4, 6),
        "encoder_hidden_states": torch.randn(2, 5, 10),
        "timestep": torch.full((2, 3), 300.0),
        "frame_embedding": torch.zeros(2, 3, 48),
    }


def test_one_view_without_extras_equals_the_ltx_transformer_of_diffusers() -> None:
    reference = LTXVideoTransformer3DModel(**SIZES, cross_attention_dim=48).eval()
    ours = MultiViewTransformer(**SIZES, views=1, rotary=True).eval()
    report = ours.load_state_dict(reference.state_dict(), strict=False)
    assert report.missing_keys == ["view_embed"] and not report.unexpected_keys
    torch.nn.init.zeros_(ours.view_embed)
    inputs = _inputs(1)
    expected = reference(
        hidden_states=inputs["hidden_states"].flatten(1, 3),
        encoder_hidden_states=inputs["encoder_hidden_states"],
        timestep=torch.full((2,), 300.0),
        encoder_attention_mask=torch.ones(2, 5),
        num_frames=3,
        height=2,
        width=2,
    ).sample
    with torch.no_grad():
        result = ours(**inputs, grid=(2, 2))
    torch.testing.assert_close(result.flatten(1, 3), expected, atol=2e-5, rtol=1e-4)


def test_views_see_each_other_only_in_cross_view_blocks() -> None:
    for every, leaks in ((1, True), (2, True), (3, True)):
        model = MultiViewTransformer(**{**SIZES, "num_layers": 3}, views=2, cross_view_every=every)
        crossing = [block.attn1.processor.views == 2 for block in model.transformer_blocks]
        assert sum(crossing) == {1: 3, 2: 2, 3: 1}[every] and crossing[-1] is leaks
    model = MultiViewTransformer(**SIZES, views=2).eval()
    for block in model.transformer_blocks:
        block.attn1.processor.views = 1
    inputs = _inputs(2)
    changed = {**inputs, "hidden_states": inputs["hidden_states"].clone()}
    changed["hidden_states"][:, 1] += 1.0
    with torch.no_grad():
        torch.testing.assert_close(model(**inputs, grid=(2, 2))[:, 0], model(**changed, grid=(2, 2))[:, 0])
        for block in model.transformer_blocks:
            block.attn1.processor.views = 2
        assert not torch.allclose(model(**inputs, grid=(2, 2))[:, 0], model(**changed, grid=(2, 2))[:, 0])


def test_a_frame_group_can_be_conditioned_on_its_own() -> None:
    model = MultiViewTransformer(**SIZES, views=1).eval()
    inputs = _inputs(1)
    other = {**inputs, "frame_embedding": inputs["frame_embedding"].clone()}
    other["frame_embedding"][:, 2] = 1.0
    with torch.no_grad():
        difference = (model(**inputs, grid=(2, 2)) - model(**other, grid=(2, 2))).abs().mean((0, 1, 3, 4))
    assert difference[2] > 2 * difference[0]
