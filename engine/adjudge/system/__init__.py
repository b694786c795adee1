"""What lies under the domain: files, threads, signals to the process, bytes of megabytes, addresses of clouds."""
