"""What a job in CI leaves behind and publishes: the outcome as files, GitHub's variables, its REST API, comments."""
