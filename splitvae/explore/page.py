"""The page: which controls there are, and which view each of them redraws. This file and server.py alone know gradio."""

from __future__ import annotations

import html
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before gradio is imported: nothing leaves this machine

import gradio as gr

from ..errors import UserError
from ..evaluation.informative_latents import MAX_SLIDERS
from .session import Session
from .views import Choice, encode_choice, show_between, show_latent, show_picture, show_swap

__all__ = ["build_page", "build_theme", "read_style"]

LIVE: dict[str, Any] = {"show_progress": "hidden", "trigger_mode": "always_last", "queue": False}  # for redraws by a slider


class Picker(NamedTuple):
    """The controls by which one picture is chosen."""

    file: Any
    invert: Any
    number: Any


def build_page(sessions: Mapping[str, Session]) -> Any:
    """Returns the page of runs as `gradio.Blocks`.

    Arguments:
        sessions: The runs by the names under which they are listed.
    """
    return Page(sessions).blocks


def build_theme() -> Any:
    """Returns the theme of the page, whose fonts are those of the visitor's system, so that none is fetched."""
    fonts = ("system-ui", "sans-serif"), ("ui-monospace", "monospace")
    theme = gr.themes.Default(primary_hue="blue", neutral_hue="slate", font=fonts[0], font_mono=fonts[1])
    return theme.set(body_text_color_subdued="*neutral_500")  # gradio's own gray has a contrast of 2.6 on white


def read_style() -> str:
    """Returns the style sheet of the images."""
    return Path(__file__).with_name("style.css").read_text(encoding="utf-8")


class Page:
    """Builds the page; each `_add_...` adds the controls of one part, each `_connect...` says what they redraw."""

    def __init__(self, sessions: Mapping[str, Session]) -> None:
        self.sessions = sessions
        self.names = list(sessions)
        first = sessions[self.names[0]]
        with gr.Blocks(
            title=f"splitvae · {self.names[0]}", analytics_enabled=False, delete_cache=(600, 3600)
        ) as self.blocks:
            self.title = gr.HTML(_title(self.names[0], first), elem_id="sv-title")
            with gr.Row(elem_id="sv-choices"):
                many = len(self.names) > 1
                self.run = gr.Dropdown(self.names, value=self.names[0], label="Run", visible=many, min_width=140)
                split = len(first.columns) > 1
                self.column = gr.Radio(
                    first.columns, value="blend", label="Shown large", visible=split, min_width=260, scale=2
                )
            with gr.Tabs() as self.tabs:
                with gr.Tab("Latents", id="latents"):
                    self._add_latents(first)
                with gr.Tab("Picture", id="picture"):
                    self._add_picture(first)
                with gr.Tab("Between", id="between"):
                    self._add_between(first)
                with gr.Tab("Swap", id="swap", visible=any(session.swaps for session in sessions.values())):
                    self._add_swap(first)
            self._connect()

    # ------------------------------------------------------------ controls

    def _add_latents(self, session: Session) -> None:
        z = session.place_on_sliders(session.draw_latent())
        self.base = gr.State(z.tolist())
        with gr.Row(elem_id="sv-latents", elem_classes="sv-view"):
            with gr.Column(scale=3, min_width=280):
                with gr.Row():
                    self.sampler = gr.Dropdown(session.sampler_names, value="prior", label="Sampler", min_width=110)
                    self.seed = gr.Number(0, label="Seed", precision=0, minimum=0, min_width=80)
                self.temperature = gr.Slider(0, 1.5, 1, step=0.05, label="Temperature", elem_id="sv-temperature")
                with gr.Row():
                    self.draw = gr.Button("New sample", variant="primary", size="md", min_width=100, elem_id="sv-draw")
                    self.centre = gr.Button("To the centre", size="md", min_width=100)
                self.sliders = [
                    gr.Slider(elem_id=f"sv-z{i}", min_width=120, **self._slider(session, z, i)) for i in range(MAX_SLIDERS)
                ]
            with gr.Column(scale=4, min_width=280, elem_classes="sv-shown"):
                self.latent = gr.HTML(
                    show_latent(session, z.tolist(), self._values(session, z), "blend"), elem_id="sv-latent"
                )

    def _add_picture(self, session: Session) -> None:
        with gr.Row(elem_classes="sv-view"):
            with gr.Column(scale=2, min_width=260):
                self.mine = self._add_picker("mine", "Your picture", 0)
                self.move = gr.Button("Move this picture's latents", size="md", elem_id="sv-move")
            with gr.Column(scale=4, min_width=280):
                self.picture = gr.HTML(show_picture(session, Choice(None), "blend"), elem_id="sv-picture")

    def _add_between(self, session: Session) -> None:
        with gr.Row(elem_classes="sv-view"):
            with gr.Column(scale=2, min_width=260):
                self.ends = self._add_picker("first", "First picture", 0), self._add_picker("second", "Second picture", 1)
                self.place = gr.Slider(0, 1, 0.5, step=0.01, label="From the first to the second", elem_id="sv-place")
                self.steps = gr.Slider(2, 15, 7, step=1, label="Images in the row")
            with gr.Column(scale=4, min_width=280):
                pair = Choice(None), Choice(None, 1)
                self.between = gr.HTML(show_between(session, pair, 0.5, 7, "blend"), elem_id="sv-between")

    def _add_swap(self, session: Session) -> None:
        with gr.Row(elem_classes="sv-view"):
            with gr.Column(scale=2, min_width=260):
                self.sources = (
                    self._add_picker("content", "Gives the content", 0),
                    self._add_picker("style", "Gives the style", 1),
                )
            with gr.Column(scale=4, min_width=280):
                pair = Choice(None), Choice(None, 1)
                self.swap = gr.HTML(show_swap(session, pair, "blend"), elem_id="sv-swap")

    def _add_picker(self, name: str, label: str, number: int) -> Picker:
        """Adds the controls by which a picture is chosen: a file, or the number of an image of the run."""
        with gr.Group():
            file = gr.File(label=f"{label}: a file", height=100, elem_classes="sv-file", elem_id=f"sv-file-{name}")
            invert = gr.Checkbox(label="exchange its dark and light")
            return Picker(file, invert, gr.Number(number, label="or image of the run, number", precision=0, minimum=0))

    @staticmethod
    def _slider(session: Session, z: Any, i: int) -> dict[str, Any]:
        """Returns the settings of slider i: those of the i-th latent, or hidden where the model has fewer."""
        if i >= len(session.sliders):
            return {"visible": False, "label": f"slider {i}"}
        latent = session.sliders[i]
        low, high, step = session.slider_range(latent)
        values = {"minimum": low, "maximum": high, "step": step, "value": round(float(z[latent]), 6)}
        return {"visible": True, "label": session.latents.label(latent), **values}

    @staticmethod
    def _values(session: Session, z: Any) -> list[float]:
        """Returns the values of all sliders; those that are hidden have 0."""
        values = [round(float(z[latent]), 6) for latent in session.sliders]
        return values + [0.0] * (MAX_SLIDERS - len(values))

    # ------------------------------------------------------------ what is redrawn

    def _connect(self) -> None:
        shared = [self.run, self.column]
        moved = [*shared, self.seed, self.base, *self.sliders]
        gr.on([s.input for s in self.sliders], self._redraw_latent, moved, self.latent, **LIVE)
        placed = [self.base, self.latent, *self.sliders]
        drawn = [*shared, self.sampler, self.seed, self.temperature]
        gr.on([self.temperature.input, self.seed.input, self.sampler.input], self._draw, drawn, placed, **LIVE)
        self.draw.click(lambda seed: int(seed or 0) + 1, self.seed, self.seed, queue=False).then(
            self._draw, drawn, placed, show_progress="hidden"
        )
        self.centre.click(self._centre, [*shared, self.seed], placed, show_progress="hidden")

        mine = [*shared, *self.mine]
        self._on_choice([self.mine], self._redraw_picture, mine, self.picture)
        self.move.click(self._move, [*mine, self.seed], [self.tabs, self.picture, *placed], show_progress="hidden")

        ends = [*shared, *self.ends[0], *self.ends[1], self.place, self.steps]
        self._on_choice(self.ends, self._redraw_between, ends, self.between)
        gr.on([self.place.input, self.steps.input], self._redraw_between, ends, self.between, **LIVE)

        sources = [*shared, *self.sources[0], *self.sources[1]]
        self._on_choice(self.sources, self._redraw_swap, sources, self.swap)

        everything = [self.latent, self.picture, self.between, self.swap]
        pickers = [control for picker in (self.mine, *self.ends, *self.sources) for control in picker]
        self.column.input(self._redraw_all, [*moved, *pickers, self.place, self.steps], everything, **LIVE)
        chosen = [self.title, self.column, self.sampler, self.base, *self.sliders, *everything]
        temperate = [self.run, self.seed, self.temperature]
        self.run.input(self._choose_run, [*temperate, *pickers, self.place, self.steps], chosen)

    def _on_choice(self, pickers: Sequence[Picker], view: Any, inputs: Sequence[Any], output: Any) -> None:
        """Redraws a view when one of its pictures is chosen."""
        events = [e for p in pickers for e in (p.file.upload, p.file.clear, p.number.input, p.invert.input)]
        gr.on(events, view, inputs, output, show_progress="hidden")

    def _redraw_latent(self, run: str, column: str, seed: Any, base: list[float], *values: float) -> str:
        return show_latent(self.sessions[run], base, values, column, int(seed or 0))

    def _draw(self, run: str, column: str, sampler: str, seed: Any, temperature: float) -> list[Any]:
        session = self.sessions[run]
        return self._place(session, session.draw_latent(sampler, int(seed or 0), temperature), column, int(seed or 0))

    def _centre(self, run: str, column: str, seed: Any) -> list[Any]:
        return self._place(self.sessions[run], self.sessions[run].latents.centre, column, int(seed or 0))

    def _place(self, session: Session, z: Any, column: str, seed: int) -> list[Any]:
        """Returns what moves all sliders to latents: the base, the image, and the sliders."""
        z = session.place_on_sliders(z)
        values = self._values(session, z)
        return [z.tolist(), show_latent(session, z.tolist(), values, column, seed), *values]

    def _redraw_picture(self, run: str, column: str, *picked: Any) -> str:
        return show_picture(self.sessions[run], _choice(picked), column)

    def _move(self, run: str, column: str, *rest: Any) -> list[Any]:
        session, choice, seed = self.sessions[run], _choice(rest[:3]), int(rest[3] or 0)
        shown = show_picture(session, choice, column)
        try:
            z = encode_choice(session, choice)
        except UserError:  # whose sentence is shown in place of the picture
            return [gr.skip(), shown, *[gr.skip()] * (2 + MAX_SLIDERS)]
        return [gr.Tabs(selected="latents"), shown, *self._place(session, z, column, seed)]

    def _redraw_between(self, run: str, column: str, *rest: Any) -> str:
        return show_between(self.sessions[run], (_choice(rest[:3]), _choice(rest[3:6])), rest[6], rest[7], column)

    def _redraw_swap(self, run: str, column: str, *rest: Any) -> str:
        return show_swap(self.sessions[run], (_choice(rest[:3]), _choice(rest[3:6])), column)

    def _redraw_all(self, run: str, column: str, seed: Any, base: list[float], *rest: Any) -> list[str]:
        latent = self._redraw_latent(run, column, seed, base, *rest[:MAX_SLIDERS])
        return [latent, *self._redraw_pictures(run, column, *rest[MAX_SLIDERS:])]

    def _redraw_pictures(self, run: str, column: str, *rest: Any) -> list[str]:
        """Returns the views of pictures, from the values of the five pickers, and the place and steps between two."""
        mine, ends, sources, line = rest[:3], rest[3:9], rest[9:15], rest[15:]
        return [
            self._redraw_picture(run, column, *mine),
            self._redraw_between(run, column, *ends, *line),
            self._redraw_swap(run, column, *sources),
        ]

    def _choose_run(self, run: str, seed: Any, temperature: float, *rest: Any) -> list[Any]:
        """Returns the whole page of another run: its images, samplers, sliders and views."""
        session = self.sessions[run]
        z = session.place_on_sliders(session.draw_latent("prior", int(seed or 0), temperature))
        columns = gr.Radio(session.columns, value="blend", visible=len(session.columns) > 1)
        samplers = gr.Dropdown(session.sampler_names, value="prior")
        sliders = [gr.Slider(**self._slider(session, z, i)) for i in range(MAX_SLIDERS)]
        latent = show_latent(session, z.tolist(), self._values(session, z), "blend", int(seed or 0))
        head = [_title(run, session), columns, samplers, z.tolist()]
        return [*head, *sliders, latent, *self._redraw_pictures(run, "blend", *rest)]


def _choice(picked: Sequence[Any]) -> Choice:
    """Returns what the controls of a `Picker` choose."""
    path, invert, number = picked
    return Choice(path, number, invert)


def _title(name: str, session: Session) -> str:
    """Returns the HTML of the head of the page."""
    return f"<h1>{html.escape(name)}</h1><p>{html.escape(session.describe())}</p>"
