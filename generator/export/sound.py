"""The sound of an export: copied where the format can hold it, encoded again where it cannot."""

from fractions import Fraction
from typing import cast

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from generator.export.types import Container

COPIED: dict[Container, frozenset[str]] = {
    "mp4": frozenset(("aac", "mp3", "ac3", "eac3", "opus", "flac", "alac")),
    "mov": frozenset(("aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s24le")),
    "webm": frozenset(("opus", "vorbis")),
    "gif": frozenset(),
}
"""Codecs that each format holds as they are."""
ENCODED: dict[Container, tuple[str, int]] = {
    "mp4": ("aac", 192_000),
    "mov": ("aac", 192_000),
    "webm": ("libopus", 128_000),
}
"""Codec and bits a second of what has to be encoded again. Both take 48 kHz."""
_RATE = 48_000


class Sound:
    """One track of sound on its way from a clip into an export."""

    def __init__(self, track: AudioStream, into: OutputContainer, container: Container, start: Fraction) -> None:
        """`start`: seconds of the clip at which its first frame is shown, and the export begins."""
        self._into = into
        self._start = start
        self.codec = track.codec_context.name
        self.copied = self.codec in COPIED[container]
        self._stream: AudioStream
        if self.copied:
            self._stream = into.add_stream_from_template(track)
        else:
            name, bits = ENCODED[container]
            layout = "mono" if track.codec_context.channels == 1 else "stereo"
            self._stream = cast("AudioStream", into.add_stream(name, rate=_RATE, layout=layout))
            self._stream.bit_rate = bits

    def take(self, packet: "Packet[AudioStream]") -> None:
        """Pass on a packet of the clip's sound."""
        if not self.copied:
            for frame in packet.decode():
                self._encode(frame)
        elif packet.dts is not None and packet.size:
            shift = round(self._start / (packet.time_base or Fraction(1, _RATE)))
            packet.dts -= shift
            packet.pts = None if packet.pts is None else packet.pts - shift
            packet.stream = self._stream
            self._into.mux(packet)

    def finish(self) -> None:
        """Pass on what the encoder still holds."""
        if not self.copied:
            self._into.mux(self._stream.encode(None))

    def _encode(self, frame: AudioFrame) -> None:
        if frame.pts is not None and frame.time_base:
            frame.pts -= round(self._start / frame.time_base)
        self._into.mux(self._stream.encode(frame))
