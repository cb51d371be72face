"""`python -m llmload` is `llmload`."""

from llmload.cli import main

if __name__ == "__main__":
    main()
