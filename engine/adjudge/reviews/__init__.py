"""What people decide in place of the policy: the queue, who holds what of it, and what they made of it."""
