"""What is asked of a server while its replies are recorded, and again when they are replayed."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from critic.config import VLMConfig
from critic.types import Critique, WrittenRubric
from critic.vlm import VLM, Checklist
from reasoner.chat.client import Chat
from reasoner.chat.types import Sampling
from reasoner.config import OpenAIConfig
from reasoner.openai import OpenAI
from reasoner.types import Caption, CaptionRequest, Revision
from tests.clips import write_clip

PROMPT = "A red lighthouse over a bay at dusk, the camera pushes in"
ASKED = CaptionRequest(prompt=PROMPT, width=320, height=192, num_frames=61, fps=24)
CONFIG = OpenAIConfig(sampling=Sampling(max_tokens=4000))


async def upsample(chat: Chat, folder: Path) -> Caption:
    """A first caption."""
    return await OpenAI(CONFIG, chat).upsample(ASKED)


async def rewrite(chat: Chat, folder: Path) -> Caption:
    """A first caption and the next one."""
    first = await upsample(chat, folder)
    tried = Revision(
        caption=first,
        score=0.3,
        criteria={"camera": 0.2, "lighthouse": 0.4},
        floors={"camera": 0.3},
        feedback="0:01 the camera stands still",
    )
    return await OpenAI(CONFIG, chat).rewrite(ASKED, [tried], 0)


async def checklist(chat: Chat, folder: Path) -> WrittenRubric:
    """The questions of a request."""
    return await Checklist(chat).write(PROMPT, None)


async def judge(chat: Chat, folder: Path) -> Critique:
    """A critique of a clip, its defects included."""
    clip = folder / "clip.mp4"
    write_clip(clip)
    return await VLM(VLMConfig(), chat, Checklist(chat)).judge(clip, PROMPT, None)


SESSIONS: dict[str, Callable[[Chat, Path], Awaitable[Caption | WrittenRubric | Critique]]] = {
    "upsample": upsample,
    "rewrite": rewrite,
    "checklist": checklist,
    "judge": judge,
}
