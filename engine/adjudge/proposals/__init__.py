"""New versions of policies, from what somebody proposes to what answers."""
