"""How well drafts rank the captions of a prompt as renders as asked do, for any generator and critic."""
