"""`--model valueflow-hf`: a transformers model that steers, whole runs or single requests."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.registry import register_model
from valueflow_scorers import ValueFlowError

try:
    from lm_eval.models.huggingface import HFLM
    from lm_eval.models.utils import has_bos_prefix
except ModuleNotFoundError as error:
    raise ValueFlowError(
        f"valueflow-hf needs {error.name}: pip install 'valueflow-tasks[hf]'"
    ) from None

from ..bundled import model_path
from ..settings import Settings
from ..steer_request import check_promises, read_steer
from ..steering import SteeringSpec
from ..steering._answer import Loaded
from ..steering._batch import VectorLibrary, check_prompt_free, steer_rows
from ..steering._surprise import surprises
from ._carriers import SPEC, RestoringHook, SteeredPrompt, check_cache, own_spec
from ._lengths import PromptLengths
from ._plain import are_steered, is_ours, with_losses
from ._support import declare_support

logger = logging.getLogger(__name__)

_FREE_KEYS = (SPEC,)


@register_model("valueflow-hf")
class SteeredHF(HFLM):  # type: ignore[misc]  # lm_eval ships no types
    """The harness's own `hf` model with steering.

    `--model_args pretrained=M,steer=svt/power:+2` steers a whole run of any task, generation and
    log-likelihood, by prompt; with `vectors=DIR` by vector. Requests that carry a spec of their
    own (tasks with `method=vector`) are steered one by one, all specs mixed in a batch.
    """

    def __init__(
        self,
        pretrained: Any = None,
        steer: str | None = None,
        vectors: str | None = None,
        method: str = "definition",
        **rest: Any,
    ) -> None:
        """Load the model.

        Args:
            pretrained: As for `hf`; `bundled` is the small model that ships.
            steer: What steers the whole run, see `read_steer`.
            vectors: Folder of vectors.
            method: How prompts steer.
            rest: As for `hf`.

        Raises:
            ValueFlowError: for no model, a bad `steer`, vectors of another model, or arguments
                that the model does not take.
        """
        if pretrained is None:
            raise ValueFlowError(
                "--model valueflow-hf needs --model_args pretrained=M; pretrained=bundled is the "
                "small model that ships"
            )
        name = pretrained if isinstance(pretrained, str) else pretrained.name_or_path
        self.asked = read_steer(steer, vectors, method, name)
        """What was asked of the whole run; a dial at 0 steers nothing, and promises."""
        self.spec = None if self.asked is None or self.asked.is_unsteered else self.asked
        self.library = VectorLibrary()
        if isinstance(pretrained, str):
            pretrained = model_path(pretrained)
        try:
            super().__init__(pretrained=pretrained, **rest)
        except TypeError as error:
            raise ValueFlowError(
                f"--model_args of valueflow-hf are steer, vectors, method, and those of hf; {error}"
            ) from None
        if self.backend != "causal":
            raise ValueFlowError("valueflow-hf steers decoder-only models only")
        self._templated = False
        self._rows: list[SteeringSpec | None] = []
        self._lengths = PromptLengths()
        if self.spec is not None:
            with steer_rows(self.model, [self.spec], self.library):
                pass  # refuses vectors of another model before anything runs
            if self.spec.scope != "all" and self.spec.acting_vectors:
                # Requests that share their tokens may differ in where the prompt ends.
                self.logits_cache = False
        declare_support(self)

    # -- identity

    def get_model_info(self) -> dict[str, Any]:
        """As the harness has it, and what steers."""
        fingerprint = None if self.spec is None else self.spec.fingerprint
        return {
            **super().get_model_info(),
            "valueflow_steering": None if self.asked is None else self.asked.to_dict(),
            "valueflow_steering_fingerprint": fingerprint,
        }

    @property
    def tokenizer_name(self) -> str:
        """Enters the harness's cache of requests, which hold the steering prompt."""
        name = str(super().tokenizer_name)
        return name if self.spec is None else f"{name}__steered_{self.spec.fingerprint[:16]}"

    def set_cache_hook(self, cache_hook: Any) -> None:
        """Take a cache, unless a run of another steering owns it."""
        entries = cache_hook.dbdict
        if entries is not None:
            check_cache(entries, str(getattr(entries, "filename", "")), self.spec)
        super().set_cache_hook(RestoringHook(cache_hook))

    # -- prompts

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], *args: Any, **kwargs: Any
    ) -> str:
        """As the harness has it, the steering prompt first in the first user turn.

        Raises:
            ValueFlowError: if the model has no chat template.
        """
        if not self.tokenizer.chat_template:
            raise ValueFlowError("the model has no chat template: leave out --apply_chat_template")
        self._templated = True
        turns = [dict(turn) for turn in chat_history]
        for turn in turns:
            if turn["role"] == "user":
                turn["content"] = self._prompted(turn["content"])
                break
        return str(super().apply_chat_template(turns, *args, **kwargs))

    def _prompted(self, text: str) -> str:
        """The text behind the whole run's steering prompt, if it is not there already."""
        prompt = "" if self.spec is None else self.spec.prompt
        if not prompt or prompt in text:
            return text
        return f"{prompt}\n\n{text}" if text else prompt

    # -- generation

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Answer requests; equal ones are generated once, whatever task they come from."""
        specs = [own_spec(request.args[1]) for request in requests]
        check_prompt_free(specs)
        self._check_whole_run(requests, specs)
        carried = [
            self._carried(request, spec) for request, spec in zip(requests, specs, strict=True)
        ]
        keys = [_key(request, number) for number, request in enumerate(requests)]
        once = dict(zip(keys, carried, strict=True))
        found = super().generate_until(list(once.values()), disable_tqdm=disable_tqdm)
        answers = dict(zip(once, found, strict=True))
        return with_losses(requests, specs, [answers[key] for key in keys], self._surprises)

    def _check_whole_run(
        self, requests: Sequence[Instance], specs: Sequence[SteeringSpec | None]
    ) -> None:
        """Refuse steering upon steering, and warn of another ruler than the dial's."""
        if self.asked is None:
            return
        if self.spec is not None and any(are_steered(requests, specs)):
            raise ValueFlowError(
                f"the whole model is steered ({self.spec.fingerprint[:8]}) and requests carry "
                "steering of their own: leave out steer=, or the task that steers"
            )
        if self.asked.promises and not self._templated and self.tokenizer.chat_template:
            logger.warning(
                "the dial asked through the model's chat template, this run does without: its "
                "interval does not hold; give --apply_chat_template"
            )
        settings = [request.doc["settings"] for request in requests if is_ours(request)]
        for one in {repr(one): one for one in settings}.values():
            check_promises(self.asked, Settings.parse(one))

    def _surprises(self, contexts: Sequence[str], texts: Sequence[str]) -> list[float | None]:
        # As the harness decides it: by what the text begins with, template or not.
        begun = has_bos_prefix(contexts[0], getattr(self.tokenizer, "bos_token", None))
        special = not begun and self.add_bos_token is not False
        return surprises(
            Loaded(self.model, self.tokenizer, self.library, True, special),
            contexts,
            texts,
            batch_size=self.batch_size if isinstance(self.batch_size, int) else 16,
            max_length=self.max_length,
        )

    def _carried(self, request: Instance, spec: SteeringSpec | None) -> Instance:
        context, arguments = request.args[0], request.args[1]
        rest = {name: given for name, given in arguments.items() if name not in _FREE_KEYS}
        text = SteeredPrompt.of(self._prompted(context), spec, (context, arguments))
        return replace(request, arguments=(text, rest))

    def tok_batch_encode(self, strings: list[str], *args: Any, **kwargs: Any) -> Any:
        """As the harness has it, noting which row is steered by what."""
        self._rows = [getattr(text, "spec", None) or self.spec for text in strings]
        room = kwargs.get("left_truncate_len")
        if room and self.spec is not None and self.spec.prompt:
            for text in strings:
                self._check_room(len(self.tok_encode(str(text))), int(room))
        return super().tok_batch_encode(list(map(str, strings)), *args, **kwargs)

    def _check_room(self, tokens: int, room: int) -> None:
        """Refuse a text that the harness would cut from the left, the steering prompt first."""
        if tokens > room:
            raise ValueFlowError(
                f"a request has {tokens} tokens and the model takes {room} of them: cutting it "
                "would cut off the steering prompt. Give fewer examples (--num_fewshot), a longer "
                "max_length, or steer by vectors=DIR"
            )

    def _model_generate(self, context: Any, *args: Any, **kwargs: Any) -> Any:
        with steer_rows(self.model, self._rows, self.library):
            return super()._model_generate(context, *args, **kwargs)

    # -- log-likelihood

    def loglikelihood(self, requests: list[Instance], **kwargs: Any) -> list[tuple[float, bool]]:
        """Log-likelihoods under the whole run's steering."""
        if self.spec is not None and self.spec.prompt:
            requests = [
                replace(
                    one,
                    arguments=(
                        SteeredPrompt.of(self._prompted(one.args[0]), None, one.args),
                        one.args[1],
                    ),
                )
                for one in requests
            ]
        found: list[tuple[float, bool]] = super().loglikelihood(requests, **kwargs)
        return found

    def loglikelihood_rolling(self, requests: list[Instance], **kwargs: Any) -> list[float]:
        """Log-likelihoods of whole texts under vectors; a prompt has no place in them.

        Raises:
            ValueFlowError: if a prompt steers.
        """
        if self.spec is not None and self.spec.prompt:
            raise ValueFlowError(
                "a rolling log-likelihood scores every word of a text, so there is no turn for "
                "a steering prompt: steer by vectors=DIR"
            )
        found: list[float] = super().loglikelihood_rolling(requests, **kwargs)
        return found

    def _loglikelihood_tokens(self, requests: Sequence[Any], **kwargs: Any) -> list[Any]:
        if self.spec is not None and self.spec.prompt:
            for _, context, continuation in requests:
                self._check_room(len(context) + len(continuation), self.max_length + 1)
        if self.spec is None or not self.spec.acting_vectors or self.spec.scope == "all":
            found: list[Any] = super()._loglikelihood_tokens(requests, **kwargs)
            return found
        return self._lengths.in_rounds(requests, self.max_length, super()._loglikelihood_tokens,
                                       kwargs)  # fmt: skip

    def _detect_batch_size(self, *args: Any, **kwargs: Any) -> int:
        with self._lengths.probing():
            return int(super()._detect_batch_size(*args, **kwargs))

    def _model_call(self, inps: Any, *args: Any, **kwargs: Any) -> Any:
        steering: AbstractContextManager[None] = nullcontext()
        if self.spec is not None and self.spec.acting_vectors:
            lengths = None if self.spec.scope == "all" else self._lengths.of(inps)
            steering = steer_rows(self.model, [self.spec] * len(inps), self.library, lengths)
        with steering:
            return super()._model_call(inps, *args, **kwargs)


def _key(request: Instance, number: int) -> Any:
    """Equal for requests that must have the same answer: none that are sampled are."""
    context, arguments = request.args[0], request.args[1]
    if arguments.get("do_sample") or arguments.get("temperature"):
        return number
    own = own_spec(arguments)
    rest = sorted((k, repr(v)) for k, v in arguments.items() if k not in _FREE_KEYS)
    return (context, repr(rest), None if own is None else own.fingerprint)
