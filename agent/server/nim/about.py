"""What a NIM tells of itself: metadata, manifest, licence and version, of this server and its default model."""

import hashlib
import json
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from agent.server.config import Served
from agent.server.context import caller_of, context_of
from agent.server.nim.wish import ENDPOINT
from agent.server.release import PACKAGE, version
from generator.capabilities import capabilities
from generator.config import DiffusersConfig, FalConfig, VLLMOmniConfig

router = APIRouter(tags=["NIM"])
API: Final = "1.0.0"
"""Of what this server understands of NIM's."""
LICENSE: Final = "Apache-2.0"
LICENSE_URL: Final = "https://www.apache.org/licenses/LICENSE-2.0"
VARIANTS: Final = ("super", "nano", "edge")


class License(BaseModel):
    """The licence of this server. Models have licences of their own."""

    name: str
    path: str
    sha: str
    """SHA-256 of the content."""
    size: int
    url: str
    type: str
    content: str


class ModelInfo(BaseModel):
    """One model."""

    shortName: str  # noqa: N815 - NIM's own names
    modelUrl: str  # noqa: N815


class Metadata(BaseModel):
    """What the server is."""

    assetInfo: list[str]  # noqa: N815
    licenseInfo: License  # noqa: N815
    modelInfo: list[ModelInfo]  # noqa: N815
    version: str
    repository_override: str
    selectedModelProfileId: str  # noqa: N815
    model_type: str
    inference_endpoint: str
    model_variant: str
    checkpoint: str


class Manifest(BaseModel):
    """The models that are served."""

    manifest_file: str
    """JSON, which is YAML, too."""
    repository_override: str


class Version(BaseModel):
    """Of the server, and of what it understands of NIM's interface."""

    release: str
    api: str


@router.get("/v1/metadata", summary="What the server is", response_model=Metadata)
async def about(request: Request) -> Response:
    """What the server is, with the fields that the Cosmos3 NIMs add. No address and no path of its machines."""
    caller_of(request, "read")
    served = context_of(request).served
    release = version()
    names = list(served.models)
    names.sort(key=lambda name: name != served.server.model_named(served.server.default_model))
    return JSONResponse(
        {
            "assetInfo": [],
            "licenseInfo": dict(license_()),
            "modelInfo": [{"shortName": f"retake/{name}:{release}", "modelUrl": f"retake://{name}"} for name in names],
            "version": release,
            "repository_override": "",
            "selectedModelProfileId": profile(served),
            "model_type": "generator",
            "inference_endpoint": ENDPOINT,
            "model_variant": variant(names[0], checkpoint(served, names[0])),
            "checkpoint": checkpoint(served, names[0]),
        }
    )


@router.get("/v1/manifest", summary="The models that are served", response_model=Manifest)
async def manifest(request: Request) -> Response:
    """The models that are served, and what each can do."""
    caller_of(request, "read")
    text = json.dumps(_manifest(context_of(request).served), indent=2)
    return JSONResponse({"manifest_file": text, "repository_override": ""})


@router.get("/v1/license", summary="The licence", response_model=License)
async def licence(request: Request) -> Response:
    """The licence of this server. Models have licences of their own."""
    caller_of(request, "read")
    return JSONResponse(dict(license_()))


@router.get("/v1/version", summary="The version", response_model=Version)
async def versions(request: Request) -> Response:
    """Of this server, and of what it understands of NIM's interface."""
    caller_of(request, "read")
    return JSONResponse({"release": version(), "api": API})


@cache
def license_() -> License:
    """The licence's text, as installed."""
    content = ""
    try:
        for file in metadata.files(PACKAGE) or ():
            if file.name == "LICENSE":
                content = Path(str(file.locate())).read_text(encoding="utf-8")
    except (metadata.PackageNotFoundError, OSError):
        pass
    data = content.encode()
    return License(
        name=LICENSE,
        path="LICENSE",
        sha=hashlib.sha256(data).hexdigest(),
        size=len(data),
        url=LICENSE_URL,
        type="open source",
        content=content,
    )


def checkpoint(served: Served, model: str) -> str:
    """What renders a model, by name: the checkpoint's last part, since it may be a folder."""
    generator = served.models[model].generator
    named = ""
    match generator:
        case VLLMOmniConfig(serve=None):
            named = generator.model or ""
        case VLLMOmniConfig(serve=serve) if serve is not None:
            named = serve.served_model_name or serve.model
        case DiffusersConfig() | FalConfig():
            named = generator.model
    return named.rstrip("/").rpartition("/")[2] or generator.backend


def variant(model: str, checkpoint: str) -> str:
    """Which Cosmos3 it is, by its names."""
    told = f"{checkpoint} {model}".lower()
    return next((word for word in VARIANTS if word in told), model)


def profile(served: Served) -> str:
    """One value for each set of models: SHA-256 of the manifest."""
    return hashlib.sha256(json.dumps(_manifest(served), sort_keys=True).encode()).hexdigest()


def _manifest(served: Served) -> dict[str, Any]:
    models = {}
    for name, config in served.models.items():
        able = capabilities(config.generator)
        models[name] = {
            "backend": config.generator.backend,
            "checkpoint": checkpoint(served, name),
            "modes": list(able.modes),
            "default": name == served.server.model_named(served.server.default_model),
        }
    return {"models": models}
