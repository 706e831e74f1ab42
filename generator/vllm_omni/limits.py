"""How long each call to the server may take, and how often it is asked."""

from dataclasses import dataclass

from generator.pool import FIRST_PROBE_SECONDS, PATIENCE_SECONDS


@dataclass(frozen=True)
class Limits:
    """Seconds, all of them. Renders themselves are limited by `generator.watchdog`."""

    ask: float = 30.0
    """For a question: health, a job's record, the list. The server answers in milliseconds, also while it renders."""
    silent: float = 90.0
    """A server whose jobs cannot be asked after for so long is dead, even if it takes connections."""
    away: float = 60.0
    """A job whose server does not answer is left to another one only after so long: the line may have failed, and not
    the server. A finished clip that it does not hand over is asked for as long. Where no other server may have the
    job, `patience` counts."""
    submit: float = 300.0
    """For a submission, its files included."""
    download: float = 600.0
    """For the clip."""
    cleanup: float = 5.0
    """For what is still said to the server when nobody waits any more."""
    shortest_pause: float = 0.1
    """Between two looks at a job, at first."""
    longest_pause: float = 2.0
    """Between two looks at it later on."""
    queue_look: float = 10.0
    """Between two looks at the whole queue while a job waits in it."""
    patience: float = PATIENCE_SECONDS
    """Without any server that works, or with none that takes the job."""
    first_probe: float = FIRST_PROBE_SECONDS
    """Until an endpoint that failed is asked again."""

    def pause(self, waited: float) -> float:
        """Between two looks at a job that has been in its stage for `waited`: a twentieth of it, within bounds."""
        return min(self.longest_pause, max(self.shortest_pause, waited / 20))
