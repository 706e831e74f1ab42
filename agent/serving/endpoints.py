"""Which servers a config asks: where they are, whether their keys are there, and whether they can stand together."""

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from agent.config import RunConfig
from agent.errors import ConfigError
from critic.config import HybridConfig, VLMConfig
from generator.config import FalConfig, ServeOmniConfig, VLLMOmniConfig
from reasoner.chat.config import EndpointConfig
from reasoner.config import OpenAIConfig

BASE_URL = "COSMOS_PROMPT_UPSAMPLER_BASE_URL"
"""Environment variable that NVIDIA's tools read the reasoner's address from."""
_KEY_LENGTH = 16
"""Characters from which a name that is not all capitals may be a pasted key, and is not repeated."""
DEFAULT_URL = "http://127.0.0.1:8000"


def endpoints(config: RunConfig) -> dict[str, EndpointConfig]:
    """The chat servers that a config asks, by part.

    Raises:
        ConfigError: the critic asks one and none is named; a variable that should hold a key, the generator's too, is
            not set; two servers cannot stand beside each other as configured.
    """
    found = _asked(config)
    for part, endpoint in found.items():
        shares = part == "critic" and endpoint == found.get("reasoner")
        _set("reasoner" if part == "reasoner" or shares else "critic.endpoint", endpoint.api_key_env)
    _set("generator", getattr(config.generator, "api_key_env", None), needed=isinstance(config.generator, FalConfig))
    _apart(config, found)
    return found


def critics_endpoint(config: RunConfig) -> tuple[str, EndpointConfig] | None:
    """The chat server that the critic asks, and the part whose it is; None: it asks none.

    What the other parts need is not looked at: a critic that judges alone needs no generator's key.

    Raises:
        ConfigError: as `endpoints`, of the critic's server.
    """
    found = _asked(config)
    if "critic" not in found:
        return None
    endpoint = found["critic"]
    part = "reasoner" if endpoint == found.get("reasoner") else "critic"
    _set("reasoner" if part == "reasoner" else "critic.endpoint", endpoint.api_key_env)
    return part, endpoint


def _asked(config: RunConfig) -> dict[str, EndpointConfig]:
    """The chat servers by part, with their addresses decided."""
    found: dict[str, EndpointConfig] = {}
    if isinstance(config.reasoner, OpenAIConfig):
        found["reasoner"] = _located(config.reasoner, os.environ.get(BASE_URL))
    if isinstance(config.critic, VLMConfig | HybridConfig):
        if config.critic.endpoint is not None:
            found["critic"] = _located(config.critic.endpoint, None)
        elif "reasoner" in found:
            found["critic"] = found["reasoner"]
        else:
            raise ConfigError(
                f"critic.endpoint: the critic {config.critic.backend} asks a server, and the reasoner rules has none "
                "to share; name one (base_url or serve), or take reasoner.backend: openai"
            )
    return found


def _set(section: str, name: str | None, *, needed: bool = False) -> None:
    """Check that the variable that should hold a key is set, without ever repeating what may be one."""
    if not name or os.environ.get(name):
        return
    if name != name.upper() and len(name) >= _KEY_LENGTH:
        raise ConfigError(
            f"{section}.api_key_env: no environment variable has the name given there; is it the key itself? Then "
            "change that key, export it as a variable, and write the variable's name"
        )
    cure = "export it" if needed else "export it, or take the key out where the server needs none"
    raise ConfigError(f"{section}.api_key_env: the environment variable {name} is not set; {cure}")


def _apart(config: RunConfig, found: Mapping[str, EndpointConfig]) -> None:
    """Check that the servers to be started have a port each, and that those that take turns can be stopped."""
    serve = config.generator.serve if isinstance(config.generator, VLLMOmniConfig) else None
    if serve is None:
        return
    for part, endpoint in found.items():
        if endpoint.serve is not None and endpoint.serve.port == serve.port:
            name = "reasoner" if part == "reasoner" or endpoint == found.get("reasoner") else "critic.endpoint"
            raise ConfigError(f"generator.serve.port: {serve.port} is {name}.serve.port too; choose another")
    if not serve.time_share:
        return
    reasoner, critic = found.get("reasoner"), found.get("critic")
    if reasoner is None or reasoner.serve is None:
        raise ConfigError(
            "generator.serve.time_share: it takes turns with a reasoner's server that Retake starts and stops, and "
            "there is none; add reasoner.serve (and take base_url and the variable "
            f"{BASE_URL} out), or set time_share to false"
        )
    address = critic.base_url if critic is not None and critic != reasoner else None
    port = critic.serve.port if critic is not None and critic != reasoner and critic.serve is not None else None
    if port == reasoner.serve.port or (address and urlsplit(address).port == reasoner.serve.port and _here(address)):
        raise ConfigError(
            "critic.endpoint: it is the reasoner's server, which takes turns with the generator's "
            "(generator.serve.time_share); leave critic.endpoint out, and the critic waits for its turn"
        )


def _here(address: str) -> bool:
    return (urlsplit(address).hostname or "") in {"127.0.0.1", "localhost", "::1"}


def shared_by_turns(config: RunConfig) -> ServeOmniConfig | None:
    """The generator's server, if it takes turns with the reasoner's."""
    serve = config.generator.serve if isinstance(config.generator, VLLMOmniConfig) else None
    return serve if serve is not None and serve.time_share else None


def _located(config: EndpointConfig, variable: str | None) -> EndpointConfig:
    """The endpoint with its address decided: the config's, the variable's, or else the local one."""
    fields = {name: getattr(config, name) for name in EndpointConfig.model_fields}
    if config.base_url is None and variable:
        try:
            return EndpointConfig.model_validate({**fields, "base_url": variable, "serve": None})
        except ValueError:
            raise ConfigError(f"{BASE_URL}: must look like {DEFAULT_URL}, without user or password") from None
    if config.base_url is not None:
        return EndpointConfig(**{**fields, "serve": None})
    if config.serve is None:
        return EndpointConfig(**{**fields, "base_url": DEFAULT_URL})
    return EndpointConfig(**fields)
