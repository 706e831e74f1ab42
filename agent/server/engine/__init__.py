"""Where runs are carried out: a process of its own, so that no codec and no model call keeps a client waiting."""
