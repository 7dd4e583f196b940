"""What `python -m rise_learning.bench` measures: each figure beside the alternative that a user would pick."""
