"""Conditions as SMT terms, for proofs; needs z3, the extra `proofs`.

The terms allow at least what the reference interpreter can answer, and sometimes more, where a function is too hard for
a solver: what they cannot do is proved, and what they can do is true only once a witness was evaluated.
"""
