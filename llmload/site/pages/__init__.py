"""One module a page: the function that makes it, and the one that makes its twin for programs."""
