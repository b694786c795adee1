"""What a policy's author works with: tests that stand beside a policy."""
