"""What `pip install 'cosmos-retake[bench]'` brings, asked for in one sentence where it is missing."""

from importlib import import_module

from agent.errors import ConfigError


def need(*modules: str) -> None:
    """See that modules of the extra `bench` can be imported, before work is done that ends in their absence.

    Raises:
        ConfigError: one cannot; the message says what to install.
    """
    for name in modules:
        try:
            import_module(name)
        except ImportError as error:
            raise ConfigError(
                f"this command needs {name}, which cannot be imported ({error}); pip install 'cosmos-retake[bench]'"
            ) from error
