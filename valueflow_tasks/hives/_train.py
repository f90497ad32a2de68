"""Train an encoder: one run of sentence-transformers' trainer per stage."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.trainer import SentenceTransformerTrainer
from sentence_transformers.sentence_transformer.training_args import (
    SentenceTransformerTrainingArguments,
)
from torch import Tensor, nn
from valueflow_scorers import ValueFlowError
from valueflow_scorers._records import fingerprint

from ..theories import find_node
from ._answers import load_answers
from ._axes import POINTS, Axes, add_axes, take_axes
from ._concepts import load_concepts, load_phrases
from ._config import AXES_PARTS, Stage, TrainConfig
from ._corpus import Corpus, load_corpus, read_release
from ._levels import Hierarchy
from ._loss import AxesLoss, AxesWeights, HierarchyLoss, HierarchyWeights
from ._pairs import Pairs, concept_pairs, given_pairs, phrase_pairs
from ._sampler import DistinctBatches, HierarchyBatches

PROMPT_NAME = "hives"
FINISHED = "finished.json"
CURVES = "curves.jsonl"


class WeightedContrast(nn.Module):
    """The library's contrastive loss over a batch of true negatives, times a weight."""

    def __init__(self, model: SentenceTransformer, temperature: float, weight: float) -> None:
        super().__init__()
        # The trainer puts the wrapped model in the place of this attribute, on several devices.
        self.model = model
        self.inner = MultipleNegativesRankingLoss(model, scale=1 / temperature)
        self.weight = weight

    def forward(self, features: list[dict[str, Tensor]], labels: Tensor) -> dict[str, Tensor]:
        """The loss under the name of its part."""
        vectors = [self.model(one)["sentence_embedding"] for one in features]
        with torch.autocast(vectors[0].device.type, enabled=False):
            loss: Tensor = self.inner.compute_loss_from_embeddings(
                [one.float() for one in vectors], labels
            )
        return {"contrast": self.weight * loss}


def train(config: TrainConfig, output: Path) -> Path:
    """Run all stages; the same call again goes on from the last checkpoint.

    Args:
        config: What to do.
        output: Folder of this run: a folder per stage, with checkpoints, curves and the model.

    Returns:
        The folder of the finished model, which sentence-transformers loads.

    Raises:
        ValueFlowError: if the folder holds a run of another configuration.
    """
    _claim(config, output)
    corpus = _corpus(config)
    model_at: Path | None = None
    for number, stage in enumerate(config.stages, 1):
        folder = output / f"stage{number}"
        if not (folder / FINISHED).exists():
            model = open_model(config, corpus, model_at)
            _run(config, stage, corpus, model, folder)
        model_at = folder / "model"
    assert model_at is not None
    return model_at


def _claim(config: TrainConfig, output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    mark = output / "config.json"
    content = json.dumps(asdict(config), indent=2, default=dict)
    if mark.exists() and fingerprint(json.loads(mark.read_text("utf-8"))) != fingerprint(
        json.loads(content)
    ):
        raise ValueFlowError(
            f"{output} holds a run of another configuration ({mark}): choose another folder, or "
            "delete it"
        )
    mark.write_text(content, "utf-8")


def _corpus(config: TrainConfig) -> Corpus:
    if config.corpus == "package":
        return load_corpus().part("train")
    return read_release(config.corpus.split(","))


def open_model(config: TrainConfig, corpus: Corpus, start: Path | None) -> SentenceTransformer:
    """The encoder that a stage begins with.

    Args:
        config: Base, adapters, axes and prompt.
        corpus: The axes are those of its values.
        start: Folder of an earlier stage's model; None: the base encoder.
    """
    from transformers import set_seed

    from ._encoder import open_base

    set_seed(config.seed)  # adapters begin at random
    if start is not None:
        model = SentenceTransformer(str(start))
        for name, parameter in model.named_parameters():
            # A loaded adapter is frozen, for use; a later stage goes on training it.
            parameter.requires_grad_(not config.lora_rank or "lora_" in name)
    else:
        model = open_base(config.base)
        model.max_seq_length = config.max_tokens
        if config.prompt:
            # Stored with the model as the default of `encode`: no text is read without it.
            model.prompts[PROMPT_NAME] = config.prompt
            model.default_prompt_name = PROMPT_NAME
        if config.lora_rank:
            _add_adapter(model, config)
    if config.axes_weight:
        values = corpus.hierarchy.values
        add_axes(model, len(values), None if start is None else Axes.load(start))
    return model


def _add_adapter(model: SentenceTransformer, config: TrainConfig) -> None:
    from peft import LoraConfig

    for name, module in model.named_modules():
        if name.endswith("attention.self.dropout"):
            # Of frozen weights: on a CPU a third of the time, since it rules fused attention out.
            module.p = 0.0
    model.add_adapter(
        LoraConfig(
            r=config.lora_rank,
            lora_alpha=2 * config.lora_rank,
            lora_dropout=config.lora_dropout,
            target_modules=config.lora_targets,
            exclude_modules=r".*pooler.*",  # not on the way to a mean of tokens
        )
    )


def datasets_of(config: TrainConfig, stage: Stage, corpus: Corpus) -> dict[str, Any]:
    """The stage's parts as datasets; the pair parts with what may meet, under `apart`."""
    parts: dict[str, Any] = {"hierarchy": hierarchy_dataset(corpus)}
    own = config.corpus == "package"
    apart: dict[str, Any] = {}
    for name in stage.parts:
        if name == "hierarchy":
            continue
        if name in AXES_PARTS:
            made = statement_dataset if name == "statements" else answer_dataset
            parts[name] = made(corpus)
            continue
        if name == "concepts":
            pairs = (
                concept_pairs(corpus, load_concepts(), config.seed) if own else given_pairs(corpus)
            )
        elif own:
            pairs = phrase_pairs(corpus, load_phrases(), config.seed)
        else:
            raise ValueFlowError(
                "the release's files name a text's phrase and concept in columns of their own, "
                "both of which train under 'concepts': leave out the part 'phrases'"
            )
        if not pairs.first:
            raise ValueFlowError(f"part {name!r} has no pairs in this corpus: leave it out")
        parts[name], apart[name] = pair_dataset(pairs), pairs.apart
    return {"parts": parts, "apart": apart}


def hierarchy_dataset(corpus: Corpus) -> Any:
    """Texts with leaf, direction and strength."""
    from datasets import Dataset

    position = corpus.hierarchy.position
    return Dataset.from_dict({
        "text": [text.text for text in corpus.texts],
        "label": [
            [position[text.place.leaf], text.direction, text.strength] for text in corpus.texts
        ],
    })  # fmt: skip


def statement_dataset(corpus: Corpus) -> Any:
    """The steering sentences: what it sounds like to name a value, with value and level."""
    from datasets import Dataset

    values = corpus.hierarchy.values
    rows = [
        (sentence, [float(index), level / 2, 1.0])
        for index, value in enumerate(values)
        for level, sentence in find_node(value).steering.items()
    ]
    return Dataset.from_dict({"statement": [one for one, _ in rows], "label": [x for _, x in rows]})


def answer_dataset(corpus: Corpus) -> Any:
    """Answers with value, strength, and whether it is their own: rated ones, and the corpus's.

    Without their questions, as they are read afterwards.
    """
    from datasets import Dataset

    rows = [
        (one.text, one.value, one.intensity / POINTS, one.value == one.home)
        for one in load_answers()
        if one.split == "train"
    ]
    rows += [(one.text, one.place.value, one.signed / 2, True) for one in corpus.texts if one.query]
    position = {value: float(index) for index, value in enumerate(corpus.hierarchy.values)}
    return Dataset.from_dict({
        "answer": [text for text, *_ in rows],
        "label": [[position[value], strength, float(own)] for _, value, strength, own in rows],
    })  # fmt: skip


def pair_dataset(pairs: Pairs) -> Any:
    """Pairs with their key, and the text against where there is one."""
    from datasets import Dataset

    columns: dict[str, Any] = {"first": pairs.first, "second": pairs.second}
    if pairs.against:
        columns["against"] = pairs.against
    return Dataset.from_dict({**columns, "label": pairs.key})


def _losses(
    config: TrainConfig, stage: Stage, corpus: Corpus, model: SentenceTransformer
) -> dict[str, nn.Module]:
    weights = HierarchyWeights(config.levels, config.temperature, config.opposition, config.bound)
    axes = AxesWeights(config.axes_weight, config.axes_elsewhere)
    found: dict[str, nn.Module] = {
        "hierarchy": HierarchyLoss(model, corpus.hierarchy, weights, axes, stage.parts["hierarchy"])
    }
    for name, weight in stage.parts.items():
        if name in AXES_PARTS:
            found[name] = AxesLoss(model, corpus.hierarchy, name, axes, weight)
        elif name != "hierarchy":
            found[name] = WeightedContrast(model, config.concept_temperature, weight)
    return found


def _run(
    config: TrainConfig,
    stage: Stage,
    corpus: Corpus,
    model: SentenceTransformer,
    folder: Path,
) -> None:
    made = datasets_of(config, stage, corpus)
    trainer = HivesTrainer(
        corpus.hierarchy,
        made["apart"],
        model=model,
        args=_arguments(config, stage, folder),
        train_dataset=made["parts"],
        loss=_losses(config, stage, corpus, model),
    )
    started = any(folder.glob("checkpoint-*"))
    trainer.train(resume_from_checkpoint=started or None)
    if not trainer.is_world_process_zero():
        return
    axes = take_axes(model, corpus.hierarchy.values) if config.axes_weight else None
    model.save_pretrained(str(folder / "model"), create_model_card=False)
    if axes is not None:
        axes.save(folder / "model")
    lines = [json.dumps(one) for one in trainer.state.log_history]
    (folder / CURVES).write_text("\n".join(lines) + "\n", "utf-8")
    (folder / FINISHED).write_text(json.dumps({"steps": trainer.state.global_step}), "utf-8")


class HivesTrainer(SentenceTransformerTrainer):  # type: ignore[misc]
    """The library's trainer with our batches."""

    def __init__(self, hierarchy: Hierarchy, apart: Mapping[str, Any], **given: Any) -> None:
        """Keep what the batches are made by."""
        self._hierarchy, self._apart = hierarchy, apart
        super().__init__(**given)

    def get_batch_sampler(
        self,
        dataset: Any,
        batch_size: int,
        drop_last: bool,
        valid_label_columns: list[str] | None = None,
        generator: Any = None,
        seed: int = 0,
    ) -> Any:
        """Batches by part, recognised by its columns."""
        given = {"batch_size": batch_size, "drop_last": drop_last, "seed": seed}
        columns = set(dataset.column_names)
        if "text" in columns:
            return HierarchyBatches(dataset, self._hierarchy, **given)
        if columns & {"statement", "answer"}:
            return super().get_batch_sampler(
                dataset, batch_size, drop_last, valid_label_columns, generator, seed
            )
        part = "phrases" if "against" in columns else "concepts"
        return DistinctBatches(dataset, self._apart[part], **given)


def _arguments(
    config: TrainConfig, stage: Stage, folder: Path
) -> SentenceTransformerTrainingArguments:
    rates = {}
    if config.axes_weight:
        slowed = stage.learning_rate / config.stages[0].learning_rate
        rates[r"\.linear\.(weight|bias)$"] = config.axes_learning_rate * slowed
    given: dict[str, Any] = {
        "output_dir": str(folder),
        "num_train_epochs": stage.epochs,
        "per_device_train_batch_size": stage.batch_size,
        "learning_rate": stage.learning_rate,
        "learning_rate_mapping": rates,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 0.1,
        "bf16": config.bf16,
        "use_cpu": not (torch.cuda.is_available() or torch.backends.mps.is_available()),
        "seed": config.seed,
        "multi_dataset_batch_sampler": "proportional",
        "prompts": config.prompt or None,
        "logging_steps": 10,
        "save_strategy": "steps",
        "save_steps": config.checkpoint_steps,
        "save_total_limit": 1,
        "report_to": "none",
    }
    return SentenceTransformerTrainingArguments(**{**given, **config.extra})
