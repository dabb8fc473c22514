"""A folder for the PYTHONPATH of jobs. See `sitecustomize.py`."""
