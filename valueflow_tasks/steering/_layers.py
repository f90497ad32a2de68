"""Where the decoder layers of a model are, and which model that is."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valueflow_scorers import ValueFlowError

if TYPE_CHECKING:
    from torch import nn

    from ._vector import SteeringVector

logger = logging.getLogger(__name__)

KNOWN_PATHS = (
    "model.layers",  # Llama, Qwen 2/3, Mistral, Gemma 1-3, Phi, Phi-3, OLMo 1/2, the MoE families
    "transformer.h",  # GPT-2, GPT-J, Falcon, Bloom
    "gpt_neox.layers",  # GPT-NeoX, Pythia
    "model.language_model.layers",  # language part of an image-text model
    "language_model.model.layers",  # the same in transformers 4
    "model.decoder.layers",  # OPT
    "layers",  # a bare base model
    "h",
    "language_model.layers",
    "decoder.layers",
)
"""Dotted paths tried in this order before searching."""


@dataclass(frozen=True)
class Decoder:
    """A model's decoder layers."""

    model: nn.Module
    """The model without its wrappers: what has `generate`."""
    owner: nn.Module
    """The module that runs the layers; called with the attention mask and the cache."""
    path: str
    """Dotted path of the layers in `model`."""
    layers: Sequence[nn.Module]
    """The layers, in order."""
    d_model: int | None
    """Width of the residual stream; None if the model's configuration does not say."""
    model_id: str
    """What the model calls itself: a hub name or a path; empty if it has no name."""
    revision: str = ""
    """The commit it was loaded from; empty: not known."""


def unwrap(model: nn.Module) -> nn.Module:
    """The model inside PEFT, `torch.compile` and data-parallel wrappers."""
    inner: Any = model
    while True:
        if hasattr(inner, "get_base_model"):
            inner = inner.get_base_model()
        elif hasattr(inner, "_orig_mod"):
            inner = inner._orig_mod
        elif not hasattr(inner, "config") and hasattr(inner, "module"):
            inner = inner.module
        else:
            break
    found: nn.Module = inner
    return found


def find_decoder(model: nn.Module, layers: str | None = None) -> Decoder:
    """The decoder layers of a model: by a path given, by known paths, or by search.

    The search takes the shallowest list of modules that is as long as the configuration says
    the model is deep.

    Args:
        model: a decoder-only language model of transformers, wrapped or not.
        layers: dotted path of the list of layers, such as `model.layers`; None: guess.

    Raises:
        ValueFlowError: if nothing, or not a list of modules, is at the path; if the guess
            finds none or several; for an encoder-decoder.
    """
    inner = unwrap(model)
    config: Any = getattr(inner, "config", None)
    if getattr(config, "is_encoder_decoder", False):
        raise ValueFlowError(
            f"{type(inner).__name__} is an encoder-decoder; steering acts on decoder-only models"
        )
    if config is not None and hasattr(config, "get_text_config"):
        config = config.get_text_config()
    path = layers or _known(inner) or _search(inner, getattr(config, "num_hidden_layers", None))
    found = _at(inner, path)
    if found is None:
        raise ValueFlowError(
            f"{type(inner).__name__} has no list of decoder layers at {path!r}: "
            f"give layers= one of {', '.join(_lists(inner)) or '(it has no module list)'}"
        )
    owner = inner.get_submodule(path.rpartition(".")[0])
    width = getattr(config, "hidden_size", None)
    name = str(getattr(inner, "name_or_path", "") or "")
    commit = str(getattr(getattr(inner, "config", None), "_commit_hash", None) or "")
    return Decoder(inner, owner, path, list(found), width, name, commit)


def check_vectors(
    vectors: Sequence[SteeringVector], decoder: Decoder, model_id: str | None
) -> None:
    """Refuse vectors that were made for another model; warn of another revision of it.

    Args:
        vectors: what is to be applied.
        decoder: what they are to be applied to.
        model_id: the model's name in place of the one it carries; empty: do not compare names.

    Raises:
        ValueFlowError: if width, depth or name differ, naming both sides.
    """
    name = decoder.model_id if model_id is None else model_id
    what = f"{name or type(decoder.model).__name__!r}"
    depth = len(decoder.layers)
    for vector in vectors:
        whose = f"the steering vector fitted on {vector.model_id or 'a model without a name'!r}"
        if decoder.d_model is not None and vector.d_model != decoder.d_model:
            raise ValueFlowError(
                f"{whose} is {vector.d_model} wide, the residual stream of {what} "
                f"{decoder.d_model}: fit a vector on this model"
            )
        if vector.n_layers is not None and vector.n_layers != depth:
            raise ValueFlowError(
                f"{whose} belongs to a model of {vector.n_layers} layers, {what} has {depth}: "
                "fit a vector on this model"
            )
        if vector.layer >= depth:
            raise ValueFlowError(
                f"{whose} steers layer {vector.layer}, {what} has layers 0 to {depth - 1}"
            )
        if vector.model_id and name and not same_model(vector.model_id, name):
            raise ValueFlowError(
                f"{whose} is not for {what}: fit one on this model, or, if you know that the two "
                "share a residual stream, pass model_id='' to steer()"
            )
        if vector.model_revision and decoder.revision not in ("", vector.model_revision):
            _warn_of_revision(whose, vector.model_revision, what, decoder.revision)


@cache  # once, not for every batch
def _warn_of_revision(whose: str, fitted: str, what: str, loaded: str) -> None:
    logger.warning(
        "%s belongs to revision %s, %s is loaded at %s: its doses may not hold",
        whose, fitted[:12], what, loaded[:12],
    )  # fmt: skip


def same_model(one: str, other: str) -> bool:
    """Hub names are compared whole, a local path by its last part only (it may be a copy)."""
    one, other = hub_name(one), hub_name(other)
    if _is_local(one) or _is_local(other):
        return last_part(one) == last_part(other)
    return one == other


def hub_name(name: str) -> str:
    """`org/model` from a path inside the hub's cache, anything else as it is."""
    for part in Path(name).parts:
        if part.startswith("models--"):
            return part.removeprefix("models--").replace("--", "/")
    return name


def last_part(name: str) -> str:
    """The last part of a path; of `.` and the like that of the folder it stands for."""
    return Path(os.path.abspath(name)).name  # `resolve` would follow links that people name


def _is_local(name: str) -> bool:
    path = Path(name)
    return path.is_absolute() or name.startswith(".") or len(path.parts) > 2 or path.is_dir()


def _at(model: nn.Module, path: str) -> nn.ModuleList | None:
    from torch import nn

    try:
        found = model.get_submodule(path)
    except AttributeError:
        return None
    return found if isinstance(found, nn.ModuleList) and len(found) > 0 else None


def _known(model: nn.Module) -> str | None:
    return next((path for path in KNOWN_PATHS if _at(model, path) is not None), None)


def _lists(model: nn.Module) -> dict[str, int]:
    from torch import nn

    modules = model.named_modules()
    return {name: len(module) for name, module in modules if isinstance(module, nn.ModuleList)}


def _search(model: nn.Module, depth: int | None) -> str:
    lengths = _lists(model)
    fitting = [path for path, length in lengths.items() if depth is None or length == depth]
    shallowest = min((path.count(".") for path in fitting), default=0)
    nearest = [path for path in fitting if path.count(".") == shallowest]
    if len(nearest) != 1:
        raise ValueFlowError(
            f"cannot tell where the {depth or ''} decoder layers of {type(model).__name__} are: "
            f"give layers= one of {', '.join(lengths) or '(it has no module list)'}"
        )
    return nearest[0]
