"""Write RUN/report.html: one file that shows what a run came to, pictures and videos included.

What the run does not hold (no simulator, no self-improvement) is left out. BAGS are those of the training: the episodes
shown are those it held out.
"""

from __future__ import annotations

import base64
import html
import json
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro

from rise_learning import cli
from rise_learning.data.episode_set import EpisodeSet
from rise_learning.data.loading import load_bags
from rise_learning.evaluation import report_figures as figures
from rise_learning.evaluation.report_page import page, section, table_of
from rise_learning.evaluation.summary import POLICIES, gain_lines, read, summarize_run
from rise_learning.rl.imagination import Starts
from rise_learning.rl.learned_world_model import LearnedWorldModel
from rise_learning.training.learned_from import FILE as LEARNED_FROM
from rise_learning.training.learned_from import LearnedFrom
from rise_learning.training.world_model_io import FILE, load_value, trained_contract, value_of_frames
from rise_worldmodel.visualize import side_by_side, write_video

TRAININGS = ("imitation", "value", "dynamics", "policy", "self_improved")
RECORDED_CLIPS = 3


@dataclass(frozen=True)
class Args:
    """Flags of report."""

    run: Path
    """Run directory."""
    bags: tuple[Path, ...] = ()
    """Bags that the run was trained on; without them no recorded episode is shown."""
    out: Path | None = None
    """Default: RUN/report.html."""
    threads: int = 2


def picture(data: bytes, text: str) -> str:
    """An <img> that needs no other file."""
    code = base64.b64encode(data).decode()
    return f'<img alt="{html.escape(text)}" src="data:image/png;base64,{code}">'


def video(path: Path, caption: str) -> str:
    """A looping <video> that needs no other file."""
    code = base64.b64encode(path.read_bytes()).decode()
    source = f"data:video/mp4;base64,{code}"
    return (
        f'<figure><video src="{source}" autoplay loop muted playsinline></video>'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def policies_section(run: Path, summary: dict[str, Any]) -> str:
    """Success rates with intervals."""
    found = {name: row for name, row in summary["policies"].items() if row["episodes"]}
    if not found:
        return ""
    rows = [
        [
            name.replace("_", " "),
            str(row["episodes"]),
            str(row["successes"]),
            f"{row['success_rate']:.1%}",
            f"{row['wilson95'][0]:.1%} to {row['wilson95'][1]:.1%}",
            f"{row['score_mean']:.2f}",
        ]
        for name, row in found.items()
    ]
    head = ["policy", "episodes", "successes", "success rate", "95 % Wilson interval", "mean score"]
    body = table_of(head, rows) + picture(figures.success_rates(found), "success rates with Wilson intervals")
    return section("Policies", body, " ".join([_scenes(run), *(f"{line}." for line in gain_lines(summary))]))


def _scenes(run: Path) -> str:
    """Which scenes the policies were evaluated on."""
    results = [read(run / directory / "evaluation.json") for directory in POLICIES.values()]
    found = [result for result in results if "seeds" in result]
    if not found:
        return ""
    for what, keys in (("on different scenes", ("task", "config", "seeds")), ("deployed differently", ("deployment",))):
        if any(result.get(key) != found[0].get(key) for result in found for key in keys):
            return f"The policies were evaluated {what}: compare them with care."
    return "Every policy faced the same simulated scenes, seeds {} to {}.".format(*found[0]["seeds"])


def figures_section(summary: dict[str, Any]) -> str:
    """The figures of world model and self-improvement."""
    rows = [
        [group, name.replace("_", " "), _number(value)]
        for group in ("dynamics", "value", "imagination")
        for name, value in summary[group].items()
        if value is not None
    ]
    for name in ("offline_share_realised", "bins_clipped"):
        if summary[name] is not None:
            rows.append(["self-improvement", name.replace("_", " "), _number(summary[name])])
    return section("Figures", table_of(["", "figure", "value"], rows)) if rows else ""


def imagination_section(run: Path, episodes: EpisodeSet | None) -> str:
    """Real frames above imagined ones, and how imagination ranks chunks."""
    compared = read(run / "world_model.json")
    parts = []
    if "pairs" in compared:
        note = f"{compared['pairs_that_differ']} of {compared['pairs']} pairs from {compared['states']} states differ."
        parts.append(f"<p>{note}</p>" + picture(figures.ranking(compared), "ranking of chunks by kind"))
        clips = [video(run / clip["file"], _clip_caption(clip)) for clip in compared["clips"]]
        parts.append('<h3>From one saved state</h3><div class="clips">' + "".join(clips) + "</div>")
    models = (run / "dynamics" / FILE).is_file() and (run / "value" / FILE).is_file()
    if models and (held_out := _unread(episodes, run / "dynamics")) is not None:
        parts.append('<h3>Held-out recordings</h3><div class="clips">' + recorded_clips(run, held_out) + "</div>")
    text = "Above: what really happened. Below: what the dynamics imagined from four frames and the commands."
    return section("Imagined and real", "".join(parts), text) if parts else ""


def _clip_caption(clip: dict[str, Any]) -> str:
    return (
        f"{clip['kind'].replace('_', ' ')}, seed {clip['seed']}: brick {', '.join(clip['consequences'])}; advantage "
        f"imagined {clip['advantage_imagined']:+.3f}, on true frames {clip['advantage_true_frames']:+.3f}"
    )


def recorded_clips(run: Path, held_out: EpisodeSet) -> str:
    """Chunks drawn at random from episodes that the dynamics never saw."""
    contract = held_out.contract
    everything = np.arange(len(held_out))
    complete = everything[held_out.frames_left(everything) >= contract.frames_per_chunk]
    g = np.random.default_rng(0).permutation(complete)[:RECORDED_CLIPS]
    model = LearnedWorldModel(run, contract)
    state = torch.from_numpy(held_out.state[held_out.step_of[g]])
    texts = held_out.instructions_of(g)
    context = torch.from_numpy(held_out.context(g, contract.context_frames))
    imagined = model.imagine(Starts(context, state, texts), torch.from_numpy(held_out.chunk(g)), 0)
    real = torch.from_numpy(held_out.following(g))
    true = model.judge(context[:, -1], real, texts).advantage
    clips = []
    with tempfile.TemporaryDirectory() as directory:
        for i, frame in enumerate(g):
            path = Path(directory) / f"{i}.mp4"
            write_video(path, side_by_side([real[i], imagined.frames[i]], scale=3), fps=_rate(held_out))
            name = held_out.episodes[held_out.episode_of[frame]].episode_id
            text = f"{name}: advantage imagined {imagined.advantage[i]:+.3f}, on true frames {true[i]:+.3f}"
            clips.append(video(path, text))
    return "".join(clips)


def value_section(run: Path, episodes: EpisodeSet | None) -> str:
    """Value over one success and one failure that the value model never saw."""
    held_out = _unread(episodes, run / "value")
    if held_out is None or not (run / "value" / FILE).is_file():
        return ""
    values = value_of_frames(load_value(run / "value", held_out.contract), held_out)
    parts = []
    for outcome in ("success", "failure"):
        chosen = [i for i, episode in enumerate(held_out.episodes) if episode.outcome == outcome]
        if not chosen:
            continue
        number = sorted(chosen, key=lambda i: held_out.episodes[i].kind != "rollout")[0]
        episode = held_out.episodes[number]
        own = values[held_out.first_frame[number] : held_out.last_frame[number] + 1]
        events = [(frame, name) for frame, name, _ in episode.events]
        title = f"{outcome}: {episode.episode_id}"
        data = figures.value_over_episode(episode.frames, own, _rate(held_out), events, title)
        parts.append(picture(data, title))
    return section("Value over an episode", "".join(parts), "Held-out episodes; rubric events in orange.")


def advantages_section(run: Path) -> str:
    """Histograms per bin."""
    labels = read(run / "policy" / "labels.json")
    offline = [labels[f"bin_{number}"] for number in range(1, len(labels)) if f"bin_{number}" in labels] or None
    imagined = read(run / "self_improved" / "statistics.json").get("bins")
    compared, drawn = None, read(run / "world_model.json").get("advantages")
    if drawn:
        advantages, differs = np.array(drawn["imagined"]), np.array(drawn["differs"])
        compared = {"expert": advantages[:, 0], "corrupted, ends differently": advantages[:, 1:][differs]}
    if not (offline or imagined or compared):
        return ""
    body = picture(figures.advantage_histograms(offline, imagined, compared), "advantage histograms")
    note = "Demonstrations always carry the top bin and are not shown among the offline labels."
    return section("Advantages", body, note)


def curves_section(run: Path) -> str:
    """Learning curves of every training of the run."""
    found = {}
    for name in TRAININGS:
        path = run / name / "metrics.jsonl"
        if path.is_file():
            found[name] = [json.loads(line) for line in path.read_text().splitlines()]
    body = picture(figures.learning_curves(found), "learning curves") if found else ""
    return section("Learning curves", body) if found else ""


def timings_section(timings: dict[str, float], wall_s: float | None) -> str:
    """Wall time per stage, and of all, of which some ran side by side."""
    rows = [[name.replace("_", " "), f"{seconds:.0f} s"] for name, seconds in timings.items()]
    if wall_s is not None:
        rows.append(["together", f"{wall_s / 60:.1f} min"])
    return section("Time", table_of(["stage", "wall time"], rows)) if timings else ""


def write_report(args: Args) -> Path:
    """Gather, draw, write."""
    run = args.run
    before = read(run / "summary.json")
    summary = summarize_run(run, before.get("timings_s"), before.get("wall_s"))
    episodes = _load(args)
    parts = [
        policies_section(run, summary),
        figures_section(summary),
        imagination_section(run, episodes),
        value_section(run, episodes),
        advantages_section(run),
        curves_section(run),
        timings_section(summary["timings_s"], summary["wall_s"]),
    ]
    done = [name for name, directory in POLICIES.items() if (run / directory).is_dir()]
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    out = args.out or run / "report.html"
    out.write_text(page(f"RISE: {run.name}", f"{now}; policies: {', '.join(done) or 'none'}", parts))
    return out


def _load(args: Args) -> EpisodeSet | None:
    for name in ("value", "dynamics"):
        config = read(args.run / name / "config.json")
        if args.bags and (args.run / name / FILE).is_file():
            trained_contract(args.run / name)
            return load_bags(list(args.bags), (config["model"]["height"], config["model"]["width"]))
    return None


def _unread(episodes: EpisodeSet | None, trained: Path) -> EpisodeSet | None:
    """The episodes that neither the training in `trained` nor what it builds on has read; None: of none it is known."""
    if episodes is None or not (trained / LEARNED_FROM).is_file():
        return None
    return episodes.without(LearnedFrom.read(trained).episodes)


def _rate(episodes: EpisodeSet) -> float:
    return episodes.contract.control_rate_hz / episodes.contract.actions_per_frame


def _number(value: Any) -> str:
    if isinstance(value, list):
        return " to ".join(_number(item) for item in value)
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def main() -> None:
    args = tyro.cli(Args, description=__doc__)

    def work() -> None:
        cli.use_threads(args.threads)
        print(f"report: {write_report(args)}")

    cli.run(work)


if __name__ == "__main__":
    main()
