"""The model API `valueflow/hf/<model>`: a transformers model that steers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    GenerateConfig,
    ModelAPI,
    ModelInfo,
    ModelOutput,
    ModelUsage,
    set_model_info,
)
from inspect_ai.tool import ToolChoice, ToolInfo
from valueflow_scorers import ValueFlowError

from ..prompts import GENERATION
from ..steer_request import read_steer
from ..steering import SteeringSpec
from ..steering._answer import Loaded, load_model
from ..steering._batch import check_prompt_free, steer_rows
from ..steering._surprise import surprises
from ._batches import Batcher
from ._logprobs import logprobs
from ._sampling import Sampling
from ._solver import PLAIN

SPEC = "valueflow"
"""Key of `GenerateConfig.extra_body` under which a request carries its spec, as a dict."""
LOSS = "valueflow_loss"
"""Key of an output's metadata: surprise to the unsteered model under the plain query, nats per
token."""


class SteeredAPI(ModelAPI):
    """`--model valueflow/hf/<hub name or path> -M steer=svt/power:+2`."""

    valueflow_specs = True
    """Says that requests may carry specs of their own."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig | None = None,
        steer: str | None = None,
        vectors: str | None = None,
        method: str = "definition",
        batch_size: int = 32,
        chat_template: bool = True,
        **rest: Any,
    ) -> None:
        """Load the model.

        What steers the whole run goes into `base_url`, because that is what Inspect's cache key
        holds; arguments of the model are not.

        Args:
            model_name: `hf/` and a hub name or path; `hf/bundled` is the small model that ships.
            base_url: Not used.
            api_key: Not used.
            config: Generation settings.
            steer: What steers the whole run, see `read_steer`.
            vectors: Folder of vectors.
            method: How prompts steer.
            batch_size: Most requests per batch.
            chat_template: Whether to use the tokenizer's chat template, if it has one.
            rest: For `from_pretrained`, such as `device` and `dtype`.

        Raises:
            ValueFlowError: for a bad `steer`, or vectors of another model.
        """
        name = model_name.removeprefix("hf/")
        self.asked = read_steer(steer, vectors, method, name)
        """What was asked of the whole run; a dial at 0 steers nothing, and promises."""
        self.spec = None if self.asked is None or self.asked.is_unsteered else self.asked
        own = "unsteered" if self.spec is None else self.spec.fingerprint
        template = "" if chat_template else ":plain"
        super().__init__(
            model_name, f"valueflow:{own}{template}", api_key, [], config or GenerateConfig()
        )
        if int(batch_size) < 1:
            raise ValueFlowError(f"batch_size={batch_size}: give a whole number of at least 1")
        self.loaded: Loaded = load_model(name, **rest)
        if not chat_template:
            self.loaded.tokenizer.chat_template = None
        self.batch_size = int(batch_size)
        self._batches = Batcher(self._generate, self.batch_size)
        with steer_rows(self.loaded.model, [self.spec], self.loaded.library):
            pass  # refuses vectors of another model before anything runs
        # A model that Inspect knows nothing of it makes once more, to ask for its canonical name.
        length = getattr(self.loaded.model.config, "max_position_embeddings", None)
        set_model_info(f"valueflow/{model_name}", ModelInfo(context_length=length))

    @property
    def tokenizer(self) -> Any:
        """The model's own; without a chat template where none is to be used."""
        return self.loaded.tokenizer

    def max_connections(self) -> int:
        """As many as fill a batch."""
        return self.batch_size

    def max_tokens(self) -> int | None:
        """Tokens of an answer where nothing else is said."""
        return int(str(GENERATION["max_tokens"]))

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        """Answer one request, in a batch with whatever else is waiting.

        Raises:
            ValueFlowError: for tools, or a request's own spec in a run that is steered as a whole.
        """
        if tools:
            raise ValueFlowError("valueflow/hf answers questions; it does not call tools")
        own = self._own(config)
        prompt = self._render(input, "" if self.spec is None else self.spec.prompt)
        unsteered = self._render(input, plain=(config.extra_body or {}).get(PLAIN))
        sampling = Sampling.of(config, self.max_tokens())
        row = (prompt, unsteered, own or self.spec, sampling)
        return await self._batches.submit(sampling.kind(), row)  # type: ignore[no-any-return]

    def _own(self, config: GenerateConfig) -> SteeringSpec | None:
        body = config.extra_body or {}
        if self.spec is not None and (SPEC in body or PLAIN in body):
            raise ValueFlowError(
                f"the whole model is steered ({self.spec.fingerprint[:8]}) and a sample carries "
                "steering of its own: leave out -M steer=, or the task that steers"
            )
        if body.get(SPEC) is None:
            return None
        spec = SteeringSpec.from_dict(body[SPEC])
        check_prompt_free([spec])
        return spec

    def _render(
        self, messages: Sequence[ChatMessage], prompt: str = "", plain: str | None = None
    ) -> str:
        """A conversation as the model wants it.

        Args:
            messages: The conversation.
            prompt: Stands first in the first user turn.
            plain: In place of the first user turn.
        """
        turns = [{"role": message.role, "content": message.text} for message in messages]
        for turn in turns:
            if turn["role"] == "user":
                if plain is not None:
                    turn["content"] = plain
                elif prompt and prompt not in turn["content"]:
                    turn["content"] = f"{prompt}\n\n{turn['content']}"
                break
        tokenizer = self.loaded.tokenizer
        if getattr(tokenizer, "chat_template", None):
            return str(
                tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
            )
        # As lm-eval without a chat template: the words alone.
        return "\n\n".join(turn["content"] for turn in turns)

    def _generate(self, kind: Hashable, rows: list[Any], unwanted: Callable[[], bool]) -> list[Any]:
        """One batch: (prompt, the same unsteered, spec, sampling) each -> outputs."""
        import torch

        prompts, unsteered, specs, samplings = (list(column) for column in zip(*rows, strict=True))
        sampling: Sampling = samplings[0]
        ids, mask = self.loaded.encode(prompts)

        def stopped(rows: Any, *_: Any, **__: Any) -> Any:
            return torch.full((len(rows),), unwanted(), device=rows.device)

        if sampling.seed is not None:
            torch.manual_seed(sampling.seed)
        with (
            torch.inference_mode(),
            steer_rows(self.loaded.model, specs, self.loaded.library),
        ):
            out = self.loaded.model.generate(
                input_ids=ids,
                attention_mask=mask,
                pad_token_id=self.loaded.tokenizer.pad_token_id,
                return_dict_in_generate=True,
                output_logits=sampling.logprobs,
                stopping_criteria=[stopped],
                **sampling.arguments(self.loaded.tokenizer),
            )
        told = out.sequences[:, ids.shape[1] :]
        scores = torch.stack(out.logits, 1).float().log_softmax(-1) if sampling.logprobs else None
        outputs = [
            self._output(
                told[i], int(mask[i].sum()), sampling, None if scores is None else scores[i]
            )
            for i in range(len(rows))
        ]
        plain = replace(self.loaded, rendered_already=True)
        texts = [output.completion for output in outputs]
        losses = surprises(plain, unsteered, texts, batch_size=len(rows))
        for output, spec, loss in zip(outputs, specs, losses, strict=True):
            output.metadata = {
                "valueflow_steering": None if spec is None else spec.fingerprint,
                "valueflow_spec": None if spec is None else spec.to_dict(),
                LOSS: loss,
            }
        return outputs

    def _output(self, tokens: Any, asked: int, sampling: Sampling, scores: Any) -> ModelOutput:
        tokenizer = self.loaded.tokenizer
        ends = self._ends(tokens)
        kept = tokens[:ends]
        text = sampling.cut(str(tokenizer.decode(kept, skip_special_tokens=True)))
        told = len(kept)
        return ModelOutput(
            model=self.model_name,
            choices=[
                ChatCompletionChoice(
                    message=ChatMessageAssistant(
                        content=text, model=self.model_name, source="generate"
                    ),
                    stop_reason="max_tokens" if told >= sampling.max_tokens else "stop",
                    logprobs=None
                    if scores is None
                    else logprobs(kept, scores, sampling.top, tokenizer),
                )
            ],
            usage=ModelUsage(input_tokens=asked, output_tokens=told, total_tokens=asked + told),
        )

    def _ends(self, tokens: Any) -> int:
        """Where padding begins: at the first end of text, or behind a string to stop at."""
        ends = self.loaded.model.generation_config.eos_token_id
        known = set(ends if isinstance(ends, list) else [ends])
        for place, token in enumerate(tokens.tolist()):
            if token in known:
                return place
        kept = len(tokens)
        while kept and int(tokens[kept - 1]) == self.loaded.tokenizer.pad_token_id:
            kept -= 1
        return kept
