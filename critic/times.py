"""Times as critiques tell them."""


def clock(seconds: float) -> str:
    """M:SS, rounded down: 6.9 -> '0:06'."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def stretch(start: float, end: float) -> str:
    """From when to when: '0:01-0:03', or '0:01' where both fall into one second."""
    return clock(start) if clock(start) == clock(end) else f"{clock(start)}-{clock(end)}"
