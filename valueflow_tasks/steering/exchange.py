"""Vectors in the formats of other tools.

The native form is safetensors: `SteeringVector.save` and `.load`. The others hold a dose as
well, because they store lengths:

* `export_peft`, `import_peft`: a LoRA adapter, for anything that loads PEFT;
* `export_gguf`, `import_gguf`: a control vector, for llama.cpp and repeng;
* `export_lm_eval`, `import_lm_eval`: the `.pt` file of lm-eval's built-in `--model steered`.

A round trip changes logits by no more than the rounding of the format (float32).
"""

from __future__ import annotations

from ._exchanged import ExchangedVectors
from ._gguf import export_gguf, import_gguf
from ._lm_eval import export_lm_eval, import_lm_eval
from ._peft import export_peft, import_peft

__all__ = [
    "ExchangedVectors",
    "export_gguf",
    "export_lm_eval",
    "export_peft",
    "import_gguf",
    "import_lm_eval",
    "import_peft",
]
