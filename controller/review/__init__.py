"""A pull request to what is paid for: its plan, the grants of its merge, the apply, and the comment that tells of it.

Neutral of the code host: GitHub's words stay in `controller.forges.github`, a runner's in `controller.cli`.
"""
