"""Exporting one clip: what has to be done for a form, and whether that came out."""

import logging
import time
from pathlib import Path

import av.error

from generator.delivery import written_aside
from generator.encode import Format
from generator.export.gif import gif_size, write_gif
from generator.export.movie import COPYABLE, Check, copy, encode
from generator.export.pace import Pace
from generator.export.settings import GIF, GIF_MOST_FPS, movie_format
from generator.export.sound import COPIED, ENCODED
from generator.export.source import Footage, survey
from generator.export.stills import write_stills
from generator.export.types import UNSTATED, Exported, ExportError, OutputForm
from generator.probe import probe
from generator.types import Effective, RenderError

log = logging.getLogger(__name__)


def export(clip: Path, to: Path, form: OutputForm, check: Check = lambda: None) -> Exported:
    """Write a clip in another form, and a poster and thumbnail beside it. The clip itself is left as it is.

    `to` appears only when it is finished. The same clip and form give the same bytes with the same libraries.

    Args:
        clip: An mp4, mov, webm or gif.
        to: Where it goes; its suffix does not matter.
        form: What is asked for.
        check: Called with every frame. What it raises ends the export and passes.

    Raises:
        ExportError: the clip does not decode, is too large, or cannot be had in this form.
        OSError: the disk or folder failed.
    """
    begun = time.perf_counter()
    footage = survey(clip)
    try:
        with written_aside(to) as part:
            work = _Work(footage, part, form, check)
            work.do()
            effective = work.verified()
            poster, thumbnail = write_stills(clip, to.parent)
            part.replace(to)
    except av.error.FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise ExportError(f"{clip.name} could not be written as {form.format} ({error.strerror}).") from error
    measured = work.pace.held_out.decibels
    flow, blend, repeat = (measured[f"{how}_psnr_db"] for how in ("interpolation", "blend", "repeat"))
    if flow is not None and blend is not None and repeat is not None and flow < max(blend, repeat):
        work.notes.append(
            f"Optical flow does not follow this clip: frames made by it come to {flow:.1f} dB of real ones, blended "
            f"neighbours to {blend:.1f} dB, repeated frames to {repeat:.1f} dB."
        )
    seconds = round(time.perf_counter() - begun, 3)
    log.info("export %s to=%s %.2fs", "copied" if work.copied else "encoded", to, seconds)
    return Exported(
        path=to,
        poster=poster,
        thumbnail=thumbnail,
        form=form,
        effective=effective,
        size_bytes=to.stat().st_size,
        copied=work.copied,
        interpolated_frames=work.pace.interpolated,
        notes=tuple(work.notes),
        seconds=seconds,
        **measured,
    )


class _Work:
    """One export underway."""

    def __init__(self, clip: Footage, to: Path, form: OutputForm, check: Check) -> None:
        self.clip, self.to, self.form, self.check = clip, to, form, check
        self.notes: list[str] = []
        self.quality = form.quality or UNSTATED
        self.copied = (
            form.quality is None
            and clip.codec in COPYABLE[form.format]
            and (form.export_fps is None or (form.export_fps == clip.fps and clip.steady))
        )
        self.sound = form.sound and form.format != "gif"
        self.pace = Pace(clip, None if self.copied else self._fps(), flow=form.interpolation == "flow")
        self.size = clip.width, clip.height
        self.frames = 0

    def do(self) -> None:
        """Write the file."""
        clip, form = self.clip, self.form
        self._tell_of_sound()
        if self.pace.flow and not self.pace.makes:
            self.notes.append(
                f"No frames were interpolated: {float(self.pace.rate):g} fps is no more than the clip's "
                f"{float(clip.fps):g}."
            )
        if form.format == "gif":
            asked = GIF[self.quality]
            self.size = gif_size(clip, asked)
            if self.size[0] < clip.width:
                self.notes.append(f"The GIF is {self.size[0]}x{self.size[1]}: quality {self.quality} has no more.")
            self.frames = write_gif(clip, self.to, asked, self.pace, self.check)
            return
        settings: Format = movie_format(form.format, self.quality)
        if self.copied:
            if clip.codec != "h264" and form.format == "mp4":
                self.notes.append(
                    f"The clip is coded as {clip.codec} and was copied so; any output.quality makes H.264 of it."
                )
            self.frames = copy(clip, self.to, settings, form.format, sound=self.sound, check=self.check)
            return
        if form.quality is None and form.export_fps is None and form.format == "mp4":
            self.notes.append(
                f"The clip is coded as {clip.codec}, which an mp4 does not hold; it was encoded as H.264."
            )
        self.size = clip.width - clip.width % 2, clip.height - clip.height % 2
        if self.size != (clip.width, clip.height):
            self.notes.append(
                f"The clip's {clip.width}x{clip.height} pixels were made {self.size[0]}x{self.size[1]}: "
                "the codec takes even numbers."
            )
        self.frames = encode(clip, self.to, settings, self.pace, form.format, sound=self.sound, check=self.check)

    def verified(self) -> Effective:
        """What the file really holds.

        Raises:
            ExportError: other frames, size or sound than were written.
        """
        try:
            found = probe(self.to)
        except RenderError as error:
            raise ExportError(f"The export of {self.clip.path.name} cannot be read back ({error}).") from error
        if self.form.format == "gif":  # whose frames stand for whole hundredths: what counts is the mean
            found = found.model_copy(update={"fps": float(self.pace.rate)})
        wrong = []
        if (found.width, found.height) != self.size:
            wrong.append(f"size {self.size[0]}x{self.size[1]} was to be written, found {found.width}x{found.height}")
        asked = self.frames if self.copied else self.pace.count
        if not found.num_frames == self.frames == asked:
            wrong.append(f"{asked} frames were to be written, found {found.num_frames}")
        if bool(found.audio) != bool(self.sound and self.clip.sound):
            wrong.append("the sound is missing" if self.sound else "there is sound")
        if wrong:
            raise ExportError(f"The export of {self.clip.path.name} did not come out: {'; '.join(wrong)}.")
        return found

    def _fps(self) -> int | None:
        """The rate to write at; None: the clip's own frames at their own times."""
        asked = self.form.export_fps
        if self.form.format != "gif":
            return asked
        most = GIF_MOST_FPS if asked is not None else GIF[self.quality].fps
        fps = min(most, asked or max(1, round(self.clip.fps)))
        if fps < (asked or self.clip.fps):
            why = "browsers play faster ones slowly" if asked else f"quality {self.quality} has no more"
            self.notes.append(f"The GIF has {fps} frames a second: {why}.")
        if 100 % fps:
            self.notes.append(f"A GIF counts in hundredths of a second: its frames stand for {_delays(fps)}.")
        return fps

    def _tell_of_sound(self) -> None:
        name, form = self.clip.sound, self.form
        if not name or not form.sound:
            return
        if form.format == "gif":
            self.notes.append("A GIF has no sound: the clip's was left out.")
        elif name not in COPIED[form.format]:
            codec = ENCODED[form.format][0].removeprefix("lib")
            self.notes.append(
                f"The sound was encoded again, from {name} to {codec}: a {form.format} does not hold {name}."
            )


def _delays(fps: int) -> str:
    low = 100 // fps
    return f"{low} or {low + 1}, on average {fps} a second"
