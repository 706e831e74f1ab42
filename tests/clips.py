"""Real little H.264 clips, painted for tests."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from generator.encode import ClipWriter
from generator.types import Clip, Effective, RenderSpec

Floats = NDArray[np.floating]
SPEC = RenderSpec(
    width=320, height=192, num_frames=49, fps=24, negative_prompt="blurry, low quality, flickering, jump cuts"
)


def write_clip(path: Path, spec: RenderSpec = SPEC, *, seed: int = 0, zoom: float = 0.3) -> Clip:
    """A real H.264 clip of a bay at dusk that the camera pushes into, and what a generator says of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_encoded(spec, seed % 3, zoom))
    effective = Effective(width=spec.width, height=spec.height, num_frames=spec.num_frames, fps=spec.fps, codec="h264")
    return Clip(path=path, seed=seed, spec=spec, effective=effective, seconds=2.4, generator="painted/1")


@cache
def _encoded(spec: RenderSpec, seed: int, zoom: float) -> bytes:
    cliff = 0.62 + 0.05 * np.sin(np.linspace(0, 9, 512) + seed) + 0.02 * np.sin(np.linspace(0, 40, 512) * (seed + 1))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        with ClipWriter(path, spec.width, spec.height, spec.fps) as writer:
            for n in range(spec.num_frames):
                picture = _bay(spec, n / spec.num_frames, 1 + zoom * n / spec.num_frames, cliff)
                writer.write(np.ascontiguousarray(picture.repeat(2, 0).repeat(2, 1)))
        return path.read_bytes()


def _bay(spec: RenderSpec, when: float, zoom: float, cliff: Floats) -> NDArray[np.uint8]:
    """One frame at half size: (height / 2, width / 2, 3) RGB."""
    y, x = np.mgrid[: spec.height // 2, : spec.width // 2].astype(np.float32)
    x = (2 * x / spec.width - 0.5) / zoom + 0.5
    y = (2 * y / spec.height - 0.55) / zoom + 0.55
    sky = np.stack([250 - 150 * (1 - y), 160 - 60 * (1 - y), 110 + 60 * (1 - y)], -1)
    sun = np.exp(-(((x - 0.3) * 1.7) ** 2 + (y - 0.48) ** 2) / 0.004)[..., None]
    picture = sky * (1 - sun) + np.array([255, 236, 190]) * sun
    waves = 0.5 + 0.5 * np.sin(90 * y**2 + 14 * x + 12 * when)
    picture = np.where(
        (y > 0.56)[..., None], np.stack([70 + 70 * waves, 72 + 46 * waves, 96 + 38 * waves], -1), picture
    )
    edge = cliff[np.clip((x * 512).astype(int), 0, 511)] + 0.5 * np.clip(0.62 - x, 0, 1)
    picture = np.where((y > edge)[..., None], np.array([38, 32, 40]), picture)
    tower = (np.abs(x - 0.74) < 0.018 + 0.02 * (y - 0.3)) & (y > 0.3) & (y < 0.68)
    bands = ((y * 22).astype(int) % 2)[..., None]
    picture = np.where(tower[..., None], np.where(bands, np.array([176, 44, 38]), np.array([226, 218, 208])), picture)
    return np.clip(picture, 0, 255).astype(np.uint8)
