"""Questions about a policy that are asked of all inputs at once, with z3; the extra `proofs`.

    world, translator = world_of(policy)       every input that there could be
    verdict = verdict_of(policy, translator)   when each rule is true, and what the verdict is
    answer = Inquiry(policies, world).ask(verdict.outcome.reject, confirm)

An answer is *proved* (no input is so), a witness that evaluation confirmed, or *not proved*; nothing else.
"""
