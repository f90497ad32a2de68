"""ValueFlow: measure what values a language model expresses, how strongly, and how far it steers.

Tasks for lm-evaluation-harness and Inspect around the instrument in `valueflow_scorers`.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("valueflow-tasks")
except PackageNotFoundError:  # run from a source tree that is not installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
