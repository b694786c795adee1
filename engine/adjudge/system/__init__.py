"""What the operating system gives: files, threads, and signals to the process."""
